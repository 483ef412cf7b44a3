"""Collected bytes: in any portions, any number of times, the same file; secrets masked wherever they are cut."""

import base64
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.record.archive import FILES, Archive, ArchiveError
from reconciler.record.secrets import Redactor

RUN = "build-1a2b3c4d-1"
VALUE = b'canary "one"/two\\three'


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "runs")


def test_nothing_here(archive: Archive, tmp_path: Path) -> None:
    assert (archive.size(RUN, "stdout.log"), archive.read(RUN, "answer.json"), archive.runs()) == (0, None, ())
    assert (archive.tail(RUN, "stdout.log", 3), archive.read_from(RUN, "stdout.log", 0, 9)) == (b"", b"")
    assert not archive.has(RUN)
    archive.remove(RUN)
    assert list(tmp_path.iterdir()) == []


def test_private(archive: Archive, tmp_path: Path) -> None:
    for file in FILES:
        archive.write(RUN, file, None, b"x")
    archive.write(RUN, "stdout.log", 1, b"y")
    for path in (tmp_path / "runs").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((tmp_path / "runs").stat().st_mode) == 0o700
    assert sorted(path.name for path in (tmp_path / "runs" / RUN).iterdir()) == sorted(FILES)


def test_replaced_as_a_whole(archive: Archive) -> None:
    archive.write(RUN, "answer.json", None, b"a long one")
    archive.write(RUN, "answer.json", None, b"short")
    assert archive.read(RUN, "answer.json") == b"short"


def test_a_gap_is_not_filled(archive: Archive) -> None:
    archive.write(RUN, "stdout.log", 0, b"abc")
    archive.write(RUN, "stdout.log", 5, b"fgh")
    assert archive.read(RUN, "stdout.log") == b"abc"


def test_overlap_adds_what_is_new(archive: Archive) -> None:
    for offset, data in ((0, b"abc"), (1, b"bcde"), (0, b"ab"), (5, b""), (5, b"f")):
        archive.write(RUN, "stdout.log", offset, data)
    assert archive.read(RUN, "stdout.log") == b"abcdef"


@given(
    parts=st.lists(st.sampled_from([b"s3cret-value", b"s3cret", b"-value", b"x", b"\n", b"log line\n"]), max_size=12),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    again=st.booleans(),
)
def test_a_secret_is_caught_wherever_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cuts: list[int], again: bool
) -> None:
    """Nor is any part of it here between two portions, when the second one never comes."""
    log = b"".join(parts)
    redactor = Redactor()
    redactor.add(["s3cret-value"])
    archive = Archive(tmp_path_factory.mktemp("archive"), redactor)
    for end in sorted({*(cut for cut in cuts if cut < len(log)), len(log)}):
        size = archive.size(RUN, "stdout.log")
        for _ in range(1 + again):
            archive.write(RUN, "stdout.log", size, log[size:end], more=end < len(log))
        kept = archive.read(RUN, "stdout.log") or b""
        assert b"s3cret-value" not in kept
        assert len(kept) <= end
    assert kept == redactor.scrub(log, cut=True)
    assert len(kept) == len(log)


@pytest.mark.parametrize("spelling", [VALUE, base64.b64encode(VALUE), json.dumps(VALUE.decode())[1:-1].encode()])
def test_a_secret_is_caught_at_every_border_of_a_portion(tmp_path: Path, spelling: bytes) -> None:
    redactor = Redactor()
    redactor.add([VALUE.decode()])
    log = b"before " + spelling + b" after\n" + b"." * 700
    masked = b"before " + b"*" * len(spelling) + b" after\n" + b"." * 700
    for border in range(1, len(log)):
        archive = Archive(tmp_path / str(border), redactor)
        archive.write(RUN, "stdout.log", 0, log[:border], more=True)
        archive.write(RUN, "stdout.log", size := archive.size(RUN, "stdout.log"), log[size:])
        kept = archive.read(RUN, "stdout.log") or b""
        assert kept == masked, border


@pytest.mark.parametrize(
    "lines, expected", [(0, b""), (1, b"c\n"), (2, b"b\nc\n"), (9, b"a\nb\nc\n")], ids=["0", "1", "2", "9"]
)
def test_tail(archive: Archive, lines: int, expected: bytes) -> None:
    archive.write(RUN, "stdout.log", 0, b"a\nb\nc\n")
    assert archive.tail(RUN, "stdout.log", lines) == expected


def test_tail_of_a_long_log(archive: Archive) -> None:
    archive.write(RUN, "stdout.log", 0, b"".join(b"%d %s\n" % (n, b"x" * 300) for n in range(5000)))
    found = archive.tail(RUN, "stdout.log", 700).splitlines()
    assert (len(found), found[0].split()[0], found[-1].split()[0]) == (700, b"4300", b"4999")


def test_tail_keeps_a_last_line_without_end(archive: Archive) -> None:
    archive.write(RUN, "stdout.log", 0, b"a\r\n50%\r100%")
    assert archive.tail(RUN, "stdout.log", 1) == b"50%\r100%"


def test_read_from(archive: Archive) -> None:
    archive.write(RUN, "stdout.log", 0, b"0123456789")
    assert archive.read_from(RUN, "stdout.log", 4, 3) == b"456"


def test_remove(archive: Archive) -> None:
    archive.write(RUN, "stdout.log", 0, b"x")
    assert archive.runs() == (RUN,)
    archive.remove(RUN)
    assert archive.runs() == ()


@pytest.mark.parametrize("run, file", [("../x", "stdout.log"), ("..", "stdout.log"), ("", "stdout.log"), (RUN, "../x")])
def test_no_name_leads_out_of_it(archive: Archive, run: str, file: str) -> None:
    with pytest.raises(ValueError):
        archive.write(run, file, 0, b"x")


def test_a_link_in_the_way_is_not_followed(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "runs" / RUN).mkdir(parents=True)
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "runs" / RUN / "stdout.log").symlink_to(tmp_path / "victim")
    with pytest.raises(ArchiveError, match="cannot keep"):
        archive.write(RUN, "stdout.log", 0, b"x")
    assert (tmp_path / "victim").read_bytes() == b"mine"
