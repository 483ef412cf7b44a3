"""What programs that a call starts on this machine get of the controller's environment: never what may be a secret."""

import os
from collections.abc import Mapping

LOGIN = frozenset(
    {"HOME", "LANG", "LOGNAME", "MAIL", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR"}
)
# What ssh and its libraries look for: agents and keys, tickets, names of hosts and users, and where libraries are.
OF_SSH = LOGIN | {
    *("SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "SSH_SK_PROVIDER", "SSH_SK_HELPER", "SSH_PKCS11_HELPER"),
    *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "GPG_TTY", "GNUPGHOME"),
    *("KRB5CCNAME", "KRB5_CONFIG", "KRB5_CLIENT_KTNAME", "OPENSSL_CONF"),
    *("LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH"),
}


def for_ssh(*, programs: bool = False) -> Mapping[str, str]:
    """What ssh itself can use, with a plain shell for its ProxyCommand. A shared connection lives as long as we do, and
    anybody with this login can read its environment.

    `programs`: the user's own ssh configuration may name some, which get all of it.
    """
    given = dict(os.environ) if programs else _of(OF_SSH)
    return {**given, "SHELL": "/bin/sh"}


def for_scripts() -> Mapping[str, str]:
    """For scripts on this machine: what a login gives, and nothing else of the controller's, such as its secrets."""
    return _of(LOGIN)


def _of(names: frozenset[str]) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key in names or key.startswith("LC_")}
