"""Frames: what a host says arrives whole, or counts as not said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.remote.frames import Answer, Reader, decode, encode

NONCE = "0123456789abcdef"
OTHER = "fedcba9876543210"

names = st.text("abcXYZ019._/@-", min_size=1, max_size=40)
# Data that looks like the protocol itself is the interesting kind.
lines = st.sampled_from([f"{NONCE} end 0\n", f"\n{NONCE} begin\n", f"{NONCE} frame a 3\n", "\n", "", "\0\xff"])
data = st.one_of(st.binary(max_size=200), st.lists(lines).map(lambda parts: "".join(parts).encode("latin-1")))
frames = st.lists(st.tuples(names, data), max_size=5, unique_by=lambda frame: frame[0])
codes = st.integers(0, 255)
noise = st.binary(max_size=100).filter(lambda bytes_: NONCE.encode() not in bytes_)


def said(what: list[tuple[str, bytes]], code: int, nonce: str = NONCE) -> bytes:
    body = b"".join(
        b"%s frame %s %d\n%s\n" % (nonce.encode(), name.encode(), len(value), value) for name, value in what
    )
    return b"\n%s begin\n%s%s end %d\n" % (nonce.encode(), body, nonce.encode(), code)


@given(noise, frames, codes, noise)
def test_what_was_said_is_what_is_heard(before: bytes, what: list[tuple[str, bytes]], code: int, after: bytes) -> None:
    assert decode(before + said(what, code) + after, NONCE) == Answer(tuple(what), code)


@given(frames, codes, st.data())
def test_an_answer_that_is_cut_anywhere_is_unknown(
    what: list[tuple[str, bytes]], code: int, draw: st.DataObject
) -> None:
    whole = said(what, code)
    assert decode(whole[: draw.draw(st.integers(0, len(whole) - 1))], NONCE) is None


@given(frames, codes, st.data())
def test_pieces_make_the_same_answer(what: list[tuple[str, bytes]], code: int, draw: st.DataObject) -> None:
    whole = b"Welcome!\n" + said(what, code)
    reader = Reader(NONCE)
    heard = []
    while whole:
        size = draw.draw(st.integers(1, len(whole)))
        heard += reader.feed(whole[:size])
        whole = whole[size:]
    assert (heard, reader.code, reader.broken) == (what, code, False)


@given(st.binary(max_size=300))
def test_garbage_is_no_answer(output: bytes) -> None:
    assert decode(output, NONCE) is None
    Reader(NONCE).feed(b"\n%s begin\n%s" % (NONCE.encode(), output))


@given(st.lists(st.tuples(names, st.binary(max_size=50)), max_size=5), codes)
def test_the_answer_to_another_call_is_no_answer(what: list[tuple[str, bytes]], code: int) -> None:
    assert decode(said(what, code, OTHER), NONCE) is None


@pytest.mark.parametrize(
    "body",
    [
        f"{NONCE} frame a 1000000000\nshort\n{NONCE} end 0\n",
        f"{NONCE} frame a 99999999999999999999\nx\n{NONCE} end 0\n",
        f"{NONCE} frame a -1\nx\n{NONCE} end 0\n",
        f"{NONCE} frame a 1\nxx\n{NONCE} end 0\n",
        f"{NONCE} frame a b 1\nx\n{NONCE} end 0\n",
        f"{NONCE} frame a$ 1\nx\n{NONCE} end 0\n",
        f"{NONCE} end 256\n",
        f"{NONCE} end -1\n",
        f"{NONCE} end\n",
        f"{NONCE} end 0",
        f"{OTHER} end 0\n",
        f"noise between frames\n{NONCE} end 0\n",
        "x" * 5000,
    ],
)
def test_an_answer_that_is_not_as_agreed_is_unknown(body: str) -> None:
    assert decode(f"\n{NONCE} begin\n{body}".encode(), NONCE) is None


def test_a_size_that_is_claimed_takes_no_memory_and_ends_a_channel() -> None:
    reader = Reader(NONCE, largest=1000)
    assert reader.feed(f"\n{NONCE} begin\n{NONCE} frame bell 1001\n".encode()) == []
    assert reader.broken


def test_looking_things_up() -> None:
    answer = Answer((("a", b"1"), ("b", b"\xff"), ("a", b"2")), 0)
    assert (answer.first("a"), answer.first("c"), answer.text("a"), answer.text("b"), answer.text("c")) == (
        b"1",
        None,
        "1",
        "�",
        "",
    )


def test_a_payload_is_a_head_line_and_fields_in_order() -> None:
    assert encode([("root", "~/x"), ("run", b"a\nb"), ("run", "ü")], NONCE) == (
        f"{NONCE} 30\nroot 3\n~/x\nrun 3\na\nb\nrun 2\nü\n".encode()
    )


@pytest.mark.parametrize(
    ("key", "value"), [("a b", "x"), ("", "x"), ("a\n", "x"), ("ü", "x"), ("a", "\0"), ("a", b"x\0")]
)
def test_what_no_script_could_read_does_not_travel(key: str, value: str | bytes) -> None:
    with pytest.raises(ValueError, match="cannot travel"):
        encode([(key, value)], NONCE)


def test_of_two_frames_of_one_name_nobody_knows_which_is_meant() -> None:
    assert decode(said([("live", b"held"), ("facts", b""), ("live", b"free")], 0), NONCE) is None


def test_a_sentence_is_short_and_on_one_line_whatever_was_sent() -> None:
    answer = Answer((("error", b"no\x1b[2J\n\r room\xff" + b"!" * 10_000_000),), 5)
    assert answer.sentence("error").startswith("no [2J room\ufffd!!!")
    assert len(answer.sentence("error")) <= 400
