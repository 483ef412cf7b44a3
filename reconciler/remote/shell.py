"""The words that start a shell, or a command, in a directory of the workspace, for `exec`.

Standard input is the user's there, so what the host has to know travels as base64 words, which mean nothing to a shell.
"""

from base64 import b64encode
from collections.abc import Sequence

from reconciler.model.host import Host
from reconciler.remote import scripts

# Login shells differ in what they make of `$(…)` or of quotes, none in this: single quotes, then letters and digits.
DECODE = ("bash", "--noprofile", "--norc", "-p", "-c", 'code=$1; shift; eval "$(printf %s "$code" | base64 -d)"')


def shell_words(host: Host, directory: str, command: Sequence[str]) -> list[str]:
    """Takes a directory below the workspace and the words of a command (none: a shell); returns a command line."""
    words = [scripts.shell(), host.workspace_root, host.shell_prelude, directory, *command]
    return [*DECODE, "reconciler", *(b64encode(word.encode()).decode() or "-" for word in words)]
