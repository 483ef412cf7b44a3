"""Where values come from, and that nobody sees them afterwards."""

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcilerError
from reconciler.record.redactor import WORDS, maskable
from reconciler.record.secrets import Redactor, SecretError, Secrets

VALUE = "s3cr3t/+ välue"


class NotRun(AssertionError):
    """A command was run where none may be."""


def never(command: Sequence[str]) -> bytes:
    raise NotRun(command)


def broken(command: Sequence[str]) -> bytes:
    raise ReconcilerError("`pass` is not installed: install it")


def test_the_environment_by_default() -> None:
    secrets = Secrets({}, environment={"GH_TOKEN": "abc"}, run=never)
    assert secrets.resolve(["GH_TOKEN"]) == {"GH_TOKEN": "abc"}
    assert secrets.missing(["GH_TOKEN"]) == {}


def test_every_source(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    asked = []

    def run(command: Sequence[str]) -> bytes:
        asked.append(list(command))
        return b"from a command\r\n"

    sources = {"A": {"env": "OTHER"}, "B": {"file": "token"}, "C": {"command": ["pass", "show", "gh"]}}
    secrets = Secrets(sources, environment={"OTHER": "from the environment"}, folder=tmp_path, run=run)
    assert secrets.resolve("ABC") == {"A": "from the environment", "B": "from a file", "C": "from a command"}
    assert asked == [["pass", "show", "gh"]]


def test_missing_says_what_to_do_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    sources = {
        "A": {"env": "OTHER"},
        "B": {"file": "absent"},
        "C": {"command": ["pass"]},
        "D": {"file": "empty"},
        "E": {"file": "."},
    }
    secrets = Secrets(sources, environment={}, folder=tmp_path, run=never)
    missing = secrets.missing([*"ABCDE", "GH_TOKEN"])
    assert sorted(missing) == ["A", "B", "D", "E", "GH_TOKEN"]
    assert "OTHER" in missing["A"]
    assert str(tmp_path / "absent") in missing["B"]
    assert "secrets.yaml" in missing["GH_TOKEN"]
    for name, why in missing.items():
        assert name in why
        with pytest.raises(SecretError) as told:
            secrets.resolve([name])
        assert str(told.value) == why


def test_a_command_that_fails_or_says_nothing() -> None:
    with pytest.raises(SecretError, match=r"secret C is missing: `pass` is not installed"):
        Secrets({"C": {"command": ["pass"]}}, run=broken).resolve("C")
    with pytest.raises(SecretError, match="printed nothing"):
        Secrets({"C": {"command": ["pass"]}}, run=lambda command: b"\n").resolve("C")


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "GH",
        [],
        {},
        {"env": ""},
        {"env": 7},
        {"env": "A", "file": "b"},
        {"command": "pass show gh"},
        {"command": []},
        {"command": [""]},
        {"command": ["pass", 7]},
        {"gone": False},
        {"vault": "x"},
    ],
    ids=json.dumps,
)
def test_a_wrong_entry_is_one_sentence(entry: object) -> None:
    with pytest.raises(SecretError, match=r"secrets.yaml: GH_TOKEN needs exactly one of"):
        Secrets({"GH_TOKEN": entry})


@pytest.mark.parametrize("value", [b"a\0b", b"\xff\xfe", b"x" * 70_000], ids=["NUL", "no text", "long"])
def test_what_no_environment_can_carry(tmp_path: Path, value: bytes) -> None:
    (tmp_path / "token").write_bytes(value)
    secrets = Secrets({"A": {"file": "token"}}, folder=tmp_path)
    with pytest.raises(SecretError) as told:
        secrets.resolve("A")
    assert value.decode("latin-1") not in str(told.value)


class TestRedactor:
    """Values and the forms in which they turn up."""

    @pytest.mark.parametrize(
        "form",
        [
            VALUE,
            quote(VALUE, safe=""),
            quote(VALUE),
            quote_plus(VALUE),
            "s3cr3t%2f%2b%20v%c3%a4lue",
            json.dumps(VALUE)[1:-1],
            json.dumps(VALUE, ensure_ascii=False)[1:-1],
        ],
    )
    def test_every_form_goes(self, form: str) -> None:
        redactor = Redactor()
        redactor.add([VALUE])
        assert redactor.scrub(f"before {form} after") == "before *** after"

    @pytest.mark.parametrize("before", [b"", b"x:", b"me:", b"user:"])
    @pytest.mark.parametrize("after", [b"", b"\n", b"@host"])
    @pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
    def test_base64_goes_wherever_the_value_begins(
        self, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
    ) -> None:
        redactor = Redactor()
        redactor.add([VALUE])
        text = encode(before + VALUE.encode() + after).decode()
        left = redactor.scrub(text)
        start, mask, end = left.partition("***")
        assert mask
        # At most one character at either end has bits of the value and of what is beside it.
        assert len(start) <= len(before) * 8 / 6 + 1
        assert len(end.rstrip("=")) <= len(after) * 8 / 6 + 2

    def test_bytes_keep_their_length(self) -> None:
        redactor = Redactor()
        redactor.add(["s3cret-value"])
        assert redactor.scrub(b"a s3cret-value b") == b"a ************ b"

    def test_short_values_are_left_alone(self) -> None:
        redactor = Redactor()
        redactor.add(["", "yes", "abcde"])
        assert redactor.scrub("yes, abcde") == "yes, abcde"

    def test_lines_of_a_key(self) -> None:
        redactor = Redactor()
        redactor.add(["-----BEGIN KEY-----\nAAAAB3NzaC1yc2EAAAADAQ\nxyz\n-----END KEY-----\n"])
        assert "AAAAB3NzaC1yc2EAAAADAQ" not in redactor.scrub("log: AAAAB3NzaC1yc2EAAAADAQ")

    def test_the_longer_of_two_goes_as_a_whole(self) -> None:
        redactor = Redactor()
        redactor.add(["token-1"])
        redactor.add(["token-1-extended"])
        assert redactor.scrub("token-1-extended token-1") == "*** ***"

    @pytest.mark.parametrize(
        "spelling",
        [
            "'s3cr3t/+ v\u00e4lue'",  # in quotes
            r"s3cr3t\/\u002b\u0020v\u00e4\u006Cue",  # JSON, as odd as it may be written
            r"\\u0073\\u0033cr3t/+ v\\u00e4lue",  # in JSON in JSON
            r"s3cr3t/+\ välue",  # printf %q
            r"s3cr3t/+ v\xc3\xa4lue",  # bytes of Python
            r"s3cr3t/+ v\303\244lue",  # octal
            "s3cr3t%2F%2b v%C3%A4lue",  # half of it for a URL
            VALUE.encode().hex(),
            VALUE.encode().hex().upper(),
            base64.encodebytes(("user name and password:" * 3 + VALUE).encode()).decode(),
        ],
    )
    def test_as_programs_may_write_it(self, spelling: str) -> None:
        redactor = Redactor()
        redactor.add([VALUE])
        shown = redactor.scrub(f"<{spelling}>")
        assert "***" in shown
        assert not any(part in shown for part in ("cr3t", "lue", VALUE.encode().hex()[6:20]))

    def test_values_that_overlap_go_both(self) -> None:
        redactor = Redactor()
        redactor.add(["first-and-second", "second-and-third"])
        assert redactor.scrub("first-and-second-and-third.") == "***."

    def test_a_quote_that_a_shell_traces(self) -> None:
        redactor = Redactor()
        redactor.add(["it's secret"])
        assert redactor.scrub(r"+ echo 'it'\''s secret'") == "+ echo '***'"

    def test_words_of_every_answer_are_left_alone(self) -> None:
        redactor = Redactor()
        redactor.add(["succeeded", "codex", "status"])
        assert redactor.scrub('{"status": "succeeded"}') == '{"status": "succeeded"}'
        assert [maskable(value) for value in ("succeeded", "short", " short ", "s3cret")] == [False, False, False, True]

    def test_lines_are_shown_once_it_is_known_what_follows_them(self) -> None:
        redactor = Redactor()
        redactor.add(["one\ntwo\nthree"])
        for text, whole in ((b"a\nb", 2), (b"a\none\n", 2), (b"a\none\ntwo\n", 2), (b"a\none\ntwo\nfour\n", 15)):
            assert redactor.whole_lines(text) == whole, text

    @pytest.mark.parametrize("kept", range(3, len(VALUE)))
    def test_what_a_cut_has_left_of_a_value(self, kept: int) -> None:
        redactor = Redactor()
        redactor.add([VALUE])
        assert redactor.scrub(VALUE[-kept:] + " later", begun=True) == "*** later"
        assert redactor.scrub("before " + VALUE[:kept], cut=True) == "before ***"
        ended = "\n[reconciler: the log ends here]\n"
        assert redactor.scrub("before " + VALUE[:kept] + ended, cut=True) == "before ***" + ended

    def test_knows_nothing_changes_nothing(self) -> None:
        assert Redactor().scrub("x") == "x"
        assert Redactor().scrub(b"\xff") == b"\xff"

    @given(st.text(min_size=6, max_size=30), st.text(max_size=20), st.text(max_size=20))
    def test_no_value_survives(self, value: str, before: str, after: str) -> None:
        redactor = Redactor()
        redactor.add([value])
        text = f"{before}{value}{after}"
        assert len(redactor.scrub(text.encode())) == len(text.encode())
        assert value.encode() not in redactor.scrub(text.encode()) or set(value) == {"*"} or value in WORDS


BIRD = "beyond-🐦-U+FFFF"


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(BIRD),
        json.dumps({"event": json.dumps({"answer": json.dumps(json.dumps(BIRD))})}),
        '"beyond-\\U0001f426-U+FFFF"',
        '"beyond-\\u{1f426}-U+FFFF"',
        '"beyond-\\uD83D\\uDC26-\\u0055+FFFF"',
    ],
)
def test_a_character_that_json_writes_as_a_pair_is_found(written: str) -> None:
    redactor = Redactor()
    redactor.add([BIRD])
    for masked in (redactor.scrub(written), redactor.scrub(written.encode()).decode()):
        assert "beyond" not in masked
        assert "FFFF" not in masked


@pytest.mark.parametrize("odd", ["\\U99999999", "\\u{110000}", "\\ud83d", "\\udc26\\ud83d"])
def test_what_is_no_character_hides_nothing_beside_it(odd: str) -> None:
    redactor = Redactor()
    redactor.add(["swordfish"])
    assert redactor.scrub(f"{odd} sw\\u006frdfish") == f"{odd} ***"
