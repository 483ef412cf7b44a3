"""What the stand-in programs share: flags, the prompt, the tool shell, the steps of a script."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from script import COMMANDS, Script, answer, parse


def flags(
    program: str,
    version: str,
    words: Sequence[str],
    known: Mapping[str, str],
    *,
    also: Mapping[str, str] | None = None,
    unknown: str = "error: unexpected argument '{}' found",
) -> tuple[dict[str, list[str]], list[str]]:
    """Take a command line apart as the real program would.

    `known`: flag → what it takes (empty: nothing; `a|b`: one of these). `also`: short flag → long one. An unknown flag,
    or a value that is none, ends the program with exit 2: a wrong command line shall be found. Gives flag → values and
    the other words.
    """
    given: dict[str, list[str]] = {}
    rest: list[str] = []
    todo = list(words)
    while todo:
        word = todo.pop(0)
        if word in ("--version", "-V", "-v"):
            print(version)
            sys.exit(0)
        if word in ("--help", "-h"):
            print(f"Usage: {program} [OPTIONS]\n\nOptions:")
            print("\n".join(f"  {flag}{f' <{takes}>' if takes else ''}" for flag, takes in known.items()))
            sys.exit(0)
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        flag = (also or {}).get(name, name)
        if flag not in known:
            usage(unknown.format(name))
        takes = known[flag]
        if takes and not equals:
            if not todo:
                usage(f"error: a value is required for '{flag}'")
            value = todo.pop(0)
        if "|" in takes and value not in takes.split("|"):
            usage(f"error: invalid value '{value}' for '{flag}' (one of {takes})")
        given.setdefault(flag, []).append(value)
    return given, rest


def usage(message: str) -> NoReturn:
    """End as for a wrong command line."""
    print(message, file=sys.stderr)
    sys.exit(2)


def read_stdin() -> str:
    """The prompt, to its end; a terminal or nothing gives nothing."""
    return "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()


def read_script(prompt: str) -> Script:
    """What to do. A line that makes no sense ends the program.

    `only=PROGRAM`: the line is for that one alone, others succeed. `once=FILE`: only the first time, which makes the file.
    """
    try:
        script = parse(prompt)
    except (ValueError, IndexError) as error:
        usage(str(error))
    program = Path(sys.argv[0]).name
    once = script.options.get("once", "")
    if script.options.get("only", program) != program or (once and Path(once).exists()):
        return parse("stand-in: success")
    if once:
        Path(once).touch()
    return script


def event(**fields: object) -> None:
    """One JSON line on standard output, at once."""
    print(json.dumps(fields, ensure_ascii=False), flush=True)


def git(*words: str) -> str:
    """What git says in the working directory; empty when it fails."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def tool(command: str) -> subprocess.CompletedProcess[str]:
    """A tool call: a shell in a session and process group of its own, as all real agents start it."""
    words = ["bash", "-c", command]
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True
    )


def commands(script: Script) -> list[str]:
    """The tool calls of a script, to be shown."""
    return [COMMANDS[step] for step, _ in script.steps if step in COMMANDS]


def work(script: Script) -> dict[str, object]:
    """Do the steps; gives the final answer. With the end `hang` it never comes back."""
    trouble = ""
    for step, seconds in script.steps:
        if step == "slow":
            time.sleep(seconds)
        else:
            if step == "survivors":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as gemini's parent does
            done = tool(COMMANDS[step])
            trouble = trouble or (done.returncode and (done.stderr or done.stdout).strip()) or ""
    if script.end == "hang":
        hang()
    return answer(script, os.getcwd(), git("branch", "--show-current") or None, trouble)


def hang() -> NoReturn:
    """Wait for ever, without a sound."""
    while True:
        time.sleep(3600)


def load_json(path: str) -> object:
    """A JSON file that was named on the command line; what is none ends the program."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        usage(f"error: {path}: {error}")
