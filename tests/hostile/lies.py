"""The lies, by name. Those that begin with a verb (`act-…`) are told to that call alone, the others to every call."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hostile.liar import Line

Lie = Callable[["Line"], None]

TERMINAL = b"\x1b]0;owned\x07\x1b[2J\x1b[31m\xc2\x9b1m\xe2\x80\xaegnp.exe\xe2\x80\xa8\r\x08\x7f"
MEBIBYTE = b"all work and no play " * 49_932
GIBIBYTE = 1024


def _much(line: Line) -> None:
    for _ in range(GIBIBYTE):
        line.say(MEBIBYTE)


def garbage(line: Line) -> None:
    line.say(os.urandom(1 << 16))


def nothing(line: Line) -> None:
    return


def silence(line: Line) -> None:
    line.wait()


def drip(line: Line) -> None:
    for byte in line.truth():
        line.say(bytes([byte]))
        time.sleep(1)


def gibibyte(line: Line) -> None:
    _much(line)


def gibibyte_of_errors(line: Line) -> None:
    os.dup2(2, 1)
    _much(line)


def other_nonce(line: Line) -> None:
    line.say(line.truth().replace(line.nonce.encode(), b"00" * 16))


def begin_and_no_more(line: Line) -> None:
    line.say(b"\n%s begin\n" % line.nonce.encode())


def cut_in_the_middle(line: Line) -> None:
    truth = line.truth()
    line.say(truth[: len(truth) * 2 // 3])


def twice(line: Line) -> None:
    truth = line.truth()
    line.say(truth + truth)


def truth_and_then_a_gibibyte(line: Line) -> None:
    line.say(line.truth())
    _much(line)


def without_end(line: Line) -> None:
    nonce = line.nonce.encode()
    line.say(b"\n%s begin\n" % nonce)
    for number in range(1 << 30):
        line.say(b"%s frame f%d 3\nabc\n" % (nonce, number) * 1)


def one_endless_frame(line: Line) -> None:
    line.say(b"\n%s begin\n%s frame records 1073741824\n" % (line.nonce.encode(), line.nonce.encode()))
    _much(line)


def smaller_than_it_says(line: Line) -> None:
    line.say(re.sub(rb"frame records \d+", b"frame records 5", line.truth()))


def frames_twice(line: Line) -> None:
    nonce = line.nonce.encode()
    extra = b"%s frame records 0\n\n%s end 0\n" % (nonce, nonce)
    line.say(line.truth().replace(b"%s end 0\n" % nonce, extra))


def refuses_with_escapes(line: Line) -> None:
    line.answer({"error": b"no " + TERMINAL + b" room " * 1_000_000}, 5)


def dies_with_escapes(line: Line) -> None:
    os.write(2, b"kex error: " + TERMINAL + b"\n")
    os._exit(255)


def _report(change: Callable[[dict[str, bytes]], object]) -> Lie:
    """The truth, changed by what is done to its frames."""

    def lie(line: Line) -> None:
        frames = line.frames()
        change(frames)
        line.answer(frames)

    return lie


def _workspace(pattern: bytes, put: bytes) -> Lie:
    def change(frames: dict[str, bytes]) -> None:
        frames["workspace"] = re.sub(rb"(?m)^" + pattern + rb"=.*$", pattern + b"=" + put, frames["workspace"])

    return _report(change)


def _added(frame: str, text: bytes) -> Lie:
    def change(frames: dict[str, bytes]) -> None:
        frames[frame] += text

    return _report(change)


def _missing(frame: str) -> Lie:
    return _report(lambda frames: frames.pop(frame))


def a_million_runs(line: Line) -> None:
    frames = line.frames()
    rows = (b"l\t_/done/flood-1a2b3c4d-%d\t9\t1\tstate=void\n" % number for number in range(1, 1_000_001))
    frames["records"] += b"".join(rows)
    line.answer(frames)


def two_hundred_thousand_runs(line: Line) -> None:
    frames = line.frames()
    rows = (b"l\t_/done/flood-1a2b3c4d-%d\t9\t1\tstate=void\n" % number for number in range(1, 200_001))
    frames["records"] += b"".join(rows)
    line.answer(frames)


PATHS = b"".join(
    b"d\t%s\t0\t1.5\t\nl\t%s/result\t9\t1.5\tstate=succeeded;rc=0\n" % (path, path)
    for path in (
        b"/etc/runs/x-1a2b3c4d-1",
        b"../runs/x-1a2b3c4d-1",
        b"_/runs/../../x-1a2b3c4d-1",
        b"_/runs/..",
        b"-rf/runs/x",
    )
)


def _texts(frames: dict[str, bytes]) -> None:
    """Escapes wherever a report has words of its own."""
    frames["facts"] = b"boot_id=%s\nhostname=%s\ntool.git=%s\nprogram.%s=1\nuptime=5\n" % ((TERMINAL,) * 4)
    frames["workspace"] = re.sub(rb"(?m)^holder=.*$", b"holder=" + TERMINAL.replace(b"\r", b""), frames["workspace"])


def act_accepts_and_does_nothing(line: Line) -> None:
    line.answer({f"launch/{run}": b"accepted it runs" for run in line.runs()})


def act_does_it_and_denies(line: Line) -> None:
    line.truth()
    line.say(os.urandom(1 << 16))


def act_says_nothing_of_it(line: Line) -> None:
    line.answer({})


def act_fails_with_escapes(line: Line) -> None:
    line.answer({f"launch/{run}": b"failed " + TERMINAL + b" no " * 1_000_000 for run in line.runs()})


def act_unknown_words(line: Line) -> None:
    line.answer({f"launch/{run}": TERMINAL + b"perhaps" for run in line.runs()})


def act_another_holder(line: Line) -> None:
    line.answer({"lease": "²;".encode() + TERMINAL}, 3)


def collect_endless_logs(line: Line) -> None:
    frames = line.frames()
    limit = 1 << 20
    line.answer({**frames, **{f"stdout/{run}": b"x" * limit for run in line.runs()}})


def collect_more_than_asked(line: Line) -> None:
    line.answer({**line.frames(), **{f"stdout/{run}": b"x" * (13 << 20) for run in line.runs()}})


def collect_deep_answers(line: Line) -> None:
    deep = b'{"a":' * 50_000
    kinds = ("asked", "answer", "blocked", "qa")
    line.answer({**line.frames(), **{f"{kind}/{run}": deep for run in line.runs() for kind in kinds}})


def collect_escapes(line: Line) -> None:
    said = TERMINAL.decode().encode("unicode_escape").replace(b"\\x", b"\\u00")
    told = b'{"status": "failed", "summary": "%s", "notes": "%s", "branchName": "%s", "pullRequestUrl": "https://x/%s"}'
    frames = {}
    for run in line.runs():
        asked = b'{"tool": "", "agent": "%s", "branch": "%s"}' % (said, said)
        logs = {f"{kind}/{run}": b"log " + TERMINAL + b"\n" for kind in ("stdout", "stderr")}
        frames |= {f"asked/{run}": asked, f"answer/{run}": told % ((said,) * 4), f"blocked/{run}": TERMINAL, **logs}
    line.answer({**line.frames(), **frames})


def bell_storm(line: Line) -> None:
    nonce = line.nonce.encode()
    line.say(b"\n%s begin\n%s frame ready 0\n\n" % (nonce, nonce))
    while True:
        line.say(b"%s frame bell 1\nx\n" % nonce * 1000)


def bell_frames_without_end(line: Line) -> None:
    nonce = line.nonce.encode()
    line.say(b"\n%s begin\n" % nonce)
    while True:
        line.say(b"%s frame noise 100000\n%s\n" % (nonce, b"x" * 100_000))


def bell_reports_without_end(line: Line) -> None:
    """Answers that nobody has asked for, and numbers that nobody has given."""
    nonce = line.nonce.encode()
    line.say(b"\n%s begin\n%s frame ready 0\n\n" % (nonce, nonce))
    for number in itertools.count():
        line.say(b"%s frame look/records 1000000\n%s\n" % (nonce, b"x" * 1_000_000))
        if number % 100 == 99:
            line.say(b"%s frame looked 4\n%02d 0\n" % (nonce, number % 90 + 1))


def bell_errors_without_end(line: Line) -> None:
    nonce = line.nonce.encode()
    line.say(b"\n%s begin\n%s frame ready 0\n\n" % (nonce, nonce))
    os.dup2(2, 1)
    _much(line)


ALL: dict[str, Lie] = {
    "garbage": garbage,
    "nothing": nothing,
    "silence": silence,
    "drip": drip,
    "gibibyte": gibibyte,
    "gibibyte-of-errors": gibibyte_of_errors,
    "other-nonce": other_nonce,
    "begin-and-no-more": begin_and_no_more,
    "cut-in-the-middle": cut_in_the_middle,
    "twice": twice,
    "truth-and-then-a-gibibyte": truth_and_then_a_gibibyte,
    "without-end": without_end,
    "one-endless-frame": one_endless_frame,
    "smaller-than-it-says": smaller_than_it_says,
    "frames-twice": frames_twice,
    "refuses-with-escapes": refuses_with_escapes,
    "dies-with-escapes": dies_with_escapes,
    "no-records": _missing("records"),
    "no-live": _missing("live"),
    "other-fleet": _workspace(b"fleet", b"somebody-else;" + TERMINAL.replace(b"\r", b"")),
    "lease-of-31-digits": _workspace(b"lease", b"1" + b"0" * 30 + b";0badcafe"),
    "lease-of-15-digits": _workspace(b"lease", b"999999999999999;0badcafe"),
    "revision-that-is-an-option": _workspace(b"revision", b"--output=/etc/passwd"),
    "clock-nan": _workspace(b"now", b"nan"),
    "clock-of-another-era": _workspace(b"now", b"1e300"),
    "a-million-runs": a_million_runs,
    "two-hundred-thousand-runs": two_hundred_thousand_runs,
    "other-paths": _added("records", PATHS),
    "figures-without-end": _added("facts", b"memory_free=inf\ndisk_free=1e999\nload1=nan\nuptime=1e17\n"),
    "escapes-in-every-text": _report(_texts),
    "lines-in-live": _added("live", b"one two three four five\n"),
    "act-accepts-and-does-nothing": act_accepts_and_does_nothing,
    "act-does-it-and-denies": act_does_it_and_denies,
    "act-says-nothing-of-it": act_says_nothing_of_it,
    "act-fails-with-escapes": act_fails_with_escapes,
    "act-unknown-words": act_unknown_words,
    "act-another-holder": act_another_holder,
    "collect-endless-logs": collect_endless_logs,
    "collect-more-than-asked": collect_more_than_asked,
    "collect-deep-answers": collect_deep_answers,
    "collect-escapes": collect_escapes,
    "bell-storm": bell_storm,
    "bell-frames-without-end": bell_frames_without_end,
    "bell-reports-without-end": bell_reports_without_end,
    "bell-errors-without-end": bell_errors_without_end,
}

# Told in every build: one for each way through the program. `make hostile` tells all of them.
COMMON = [
    "silence",
    "gibibyte",
    "gibibyte-of-errors",
    "other-nonce",
    "cut-in-the-middle",
    "without-end",
    "frames-twice",
    "refuses-with-escapes",
    "dies-with-escapes",
    "no-live",
    "other-fleet",
    "lease-of-31-digits",
    "lease-of-15-digits",
    "revision-that-is-an-option",
    "clock-nan",
    "a-million-runs",
    "escapes-in-every-text",
    "act-accepts-and-does-nothing",
    "act-does-it-and-denies",
    "act-fails-with-escapes",
    "act-another-holder",
    "collect-endless-logs",
    "collect-escapes",
    "bell-storm",
    "bell-reports-without-end",
    "bell-errors-without-end",
]
LIES = ALL if os.environ.get("LIES") == "all" else {name: ALL[name] for name in COMMON}
