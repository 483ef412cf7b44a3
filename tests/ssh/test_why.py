"""Reasons: what ssh wrote becomes a few words, and never an escape sequence."""

import pytest

from reconciler.remote.why import why_of

CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
The fingerprint for the ED25519 key sent by the remote host is
SHA256:Qk1vUOBhg3CiVIwgqD40C6qKdMzkRXJTc6Zwqd4hE1M.
Offending ED25519 key in /state/ssh/known_hosts:3
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("errors", "why"),
    [
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused\r\n", "connection refused"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection timed out\r\n", "connection timed out"),
        ("ssh: connect to host 192.0.2.1 port 22: No route to host", "no route to host"),
        ("ssh: Could not resolve hostname box9: Name or service not known", "name does not resolve (box9)"),
        ("root@192.0.2.1: Permission denied (publickey).", "permission denied (publickey)"),
        ("Timeout, server 192.0.2.1 not responding.", "connection lost"),
        ("kex_exchange_identification: Connection closed by remote host", "connection closed"),
        ("bash: exec: bash: not found", "bash is not installed there"),
        ("fish: \x1b[31mno\x1b[0m", "fish: [31mno [0m"),
        ("x" * 500, "x" * 199 + "…"),
        ("", "answer was cut short"),
        ("kex error: no\u2028\r\x08\x7f\n\x1b\n", "kex error: no"),
    ],
)
def test_why(errors: str, why: str) -> None:
    assert why_of(errors, 255, pinned=False) == why


def test_a_changed_key_says_what_to_do() -> None:
    now = "(now SHA256:Qk1vUOBhg3CiVIwgqD40C6qKdMzkRXJTc6Zwqd4hE1M)"
    assert why_of(CHANGED, 255, pinned=False) == (
        f"host key changed {now}: if the machine was set up anew, remove line 3 of /state/ssh/known_hosts"
    )
    assert why_of(CHANGED, 255, pinned=True).startswith(f"host key is not the pinned one {now}")
