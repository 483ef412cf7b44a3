"""What programs that a call starts on this machine get of the controller's environment."""

import os
from collections.abc import Mapping

LOGIN = frozenset(
    {"HOME", "LANG", "LOGNAME", "MAIL", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR"}
)


def for_ssh() -> Mapping[str, str]:
    """All of it, with a plain shell for ssh's ProxyCommand."""
    return {**os.environ, "SHELL": "/bin/sh"}


def for_scripts() -> Mapping[str, str]:
    """For scripts on this machine: what a login gives, and nothing else of the controller's, such as its secrets."""
    return {key: value for key, value in os.environ.items() if key in LOGIN or key.startswith("LC_")}
