"""What a key of the lying sshd runs: `liar.py LIE FOLDER`. While FOLDER/lying is not there it is an honest login.

The true answer is made by the real script on this machine; a lie changes it, or says something else altogether.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.remote.frames import decode
from tests.hostile import lies

SHELL = ["bash", "--noprofile", "--norc", "-p", "-s"]
HEAD = re.compile(rb"\nmain 3<&0 </dev/null; exit\n([0-9a-f]{32}) ([0-9]{1,9})\n")
VERBS = {"seconds": "bell", "limit": "collect", "rename_from": "take", "number": "act", "programs": "observe"}


def main(name: str, folder: Path) -> None:
    """Be honest, or tell the lie of that name."""
    if not (folder / "lying").exists():
        os.execvp(SHELL[0], SHELL)
    question = asked()
    verb = next((verb for key, verb in VERBS.items() if b"\n%s " % key.encode() in question), "observe")
    head = HEAD.search(question)
    line = Line(question, head[1].decode() if head else "", verb, folder / "lying")
    prefix = name.partition("-")[0]
    if prefix in ("act", "collect", "bell", "take") and verb != prefix:
        line.say(line.truth() if verb != "bell" else b"")
        return
    lie: Callable[[Line], None] = lies.ALL[name]
    lie(line)


def asked() -> bytes:
    """Script and payload; standard input may stay open behind them."""
    data = b""
    while chunk := os.read(0, 1 << 16):
        data += chunk
        head = HEAD.search(data)
        if head and len(data) - head.end() >= int(head[2]):
            break
    return data


class Line:
    """The connection, as a lie sees it."""

    def __init__(self, question: bytes, nonce: str, verb: str, lying: Path) -> None:
        self.nonce, self.verb, self._question, self._lying = nonce, verb, question, lying

    def wait(self) -> None:
        """For as long as anybody lies: nothing of it outlives the test."""
        while self._lying.exists():
            time.sleep(0.5)

    def truth(self) -> bytes:
        """What an honest host answers; it does what it is told, too."""
        return subprocess.run(SHELL, input=self._question, stdout=subprocess.PIPE, check=False).stdout

    def frames(self) -> dict[str, bytes]:
        """The same, frame by frame."""
        answer = decode(self.truth(), self.nonce)
        assert answer is not None
        return dict(answer.frames)

    def runs(self) -> list[str]:
        """The runs that the question is about."""
        found = re.findall(rb"runs/([a-z0-9-]+-[0-9a-f]{8}-[0-9]+)\n", self._question)
        return [run.decode() for run in dict.fromkeys(found)]

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        while data:
            data = data[os.write(1, data) :]

    def answer(self, frames: dict[str, bytes], code: int = 0) -> None:
        """Send frames in the right form, under the right nonce."""
        nonce = self.nonce.encode()
        body = b"".join(b"%s frame %s %d\n%s\n" % (nonce, name.encode(), len(d), d) for name, d in frames.items())
        self.say(b"\n%s begin\n%s%s end %d\n" % (nonce, body, nonce, code))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except BrokenPipeError:
        os._exit(1)
