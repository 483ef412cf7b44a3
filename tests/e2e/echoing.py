"""What a key of a host runs that gives back what it was sent, as a shell does that takes a payload for commands.

`echoing.py HOW`: whoever launches something there gets one of its secrets back, in one of the ways in which errors travel.
"""

import os
import re
import sys
import time
from pathlib import Path

from tests.hostile.liar import HEAD, Line, asked

VALUE = re.compile(rb"\nTOKEN ([0-9]{1,5})\n")


def main(how: str) -> None:
    """Do as told, but for launches with a secret."""
    question = asked()
    head = HEAD.search(question)
    line = Line(question, head[1].decode() if head else "", "", Path("/nowhere"))
    found = VALUE.search(question)
    if found is None:
        return line.say(b"" if b"\nseconds " in question else line.truth())
    value = question[found.end() : found.end() + int(found[1])]
    if how == "refuses-the-launch":
        line.answer({f"launch/{run}": b"failed no room for " + value for run in line.runs()})
    elif how == "refuses-the-call":
        line.answer({"error": b"a field cannot be read: " + value[:-4]}, 5)
    elif how == "complains":  # and is cut off in the middle of the second one
        said = b"bash: line 7: " + value + b" "
        os.write(2, said + b"x" * (199 - len(said) - len(value) // 2) + value + b": command not found\n")
        time.sleep(0.5)  # whoever looks at what ssh was told sees it
        os._exit(255)
    return None


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BrokenPipeError:
        os._exit(1)
