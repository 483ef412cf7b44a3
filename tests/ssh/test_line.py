"""Questions over a channel: an answer belongs to the question that was asked last, or to nobody."""

import threading
import time

from reconciler.remote.frames import Answer
from reconciler.remote.line import Line


class Host:
    """Answers on the line what `says` has for each question."""

    def __init__(self, *says: list[tuple[str, bytes]]) -> None:
        self.asked: list[bytes] = []
        self._says = list(says)
        self.line = Line(self._send, largest=100)

    def _send(self, question: bytes) -> None:
        self.asked.append(question)
        frames = self._says.pop(0) if self._says else []
        threading.Thread(target=lambda: [self.line.heard(*frame) for frame in frames]).start()


def report(number: int, text: bytes = b"x", code: int = 0) -> list[tuple[str, bytes]]:
    return [("look/records", text), ("look/bell", b"3"), ("looked", b"%d %d" % (number, code))]


def test_a_report_is_the_answer_to_its_question() -> None:
    host = Host(report(1), report(2, b"y", 5))
    assert host.line.ask(5) == Answer((("records", b"x"), ("bell", b"3")), 0)
    assert host.line.ask(5) == Answer((("records", b"y"), ("bell", b"3")), 5)
    assert host.asked == [b"1\n", b"2\n"]


def test_a_late_report_is_no_answer_to_the_next_question() -> None:
    host = Host([], report(1, b"old") + report(2, b"new"))
    assert host.line.ask(0.05) is None
    host.line.heard("bell", b"")  # it lives
    answer = host.line.ask(5)
    assert answer
    assert answer.first("records") == b"new"


def test_who_does_not_answer_is_not_asked_again_until_something_comes() -> None:
    host = Host([], report(2))
    assert host.line.ask(0.05) is None
    began = time.monotonic()
    assert host.line.ask(60) is None
    assert time.monotonic() - began < 5
    assert host.line.heard("bell", b"run-1") is False  # a ring is for others, too
    assert host.line.ask(5)
    assert host.asked == [b"1\n", b"2\n"]


def test_what_nobody_asked_for_or_what_is_too_much_is_dropped() -> None:
    host = Host(
        [("look/records", b"x" * 200), *report(1)],
        [*report(2)[:1], *report(2)],
        [(f"look/{number}", b"") for number in range(99)] + report(3)[-1:],
        [("looked", b"nonsense"), ("looked", b""), ("looked", b"4 -1"), *report(4)],
    )
    for frame in report(7) + report(1):
        assert host.line.heard(*frame)
    for _ in ("too large", "a name twice"):
        assert host.line.ask(0.3) is None
        host.line.heard("bell", b"")
    answer = host.line.ask(5)  # the first frames count, as many as a report has
    assert answer
    assert len(answer.frames) < 20
    assert host.line.ask(5)


def test_the_end_of_the_channel_ends_a_question() -> None:
    host = Host([], [])
    threading.Timer(0.1, host.line.close).start()
    began = time.monotonic()
    assert host.line.ask(60) is None
    assert time.monotonic() - began < 5
    assert host.line.ask(60) is None


def test_one_asks_at_a_time() -> None:
    host = Host([])
    answers = []
    first = threading.Thread(target=lambda: answers.append(host.line.ask(5)))
    first.start()
    while not host.asked:
        time.sleep(0.01)
    assert host.line.ask(5) is None
    for frame in report(1):
        host.line.heard(*frame)
    first.join(5)
    assert len(answers) == 1
    assert answers[0]
