"""The keys of a set of machines, and the sshd configuration that they share."""

import subprocess
from pathlib import Path

SSHD = "/usr/sbin/sshd"

CONFIG = """\
Port {port}
{listen}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
UseDNS no
LogLevel VERBOSE
MaxStartups 100
{extra}
"""


def make_key(path: Path) -> None:
    """A new ed25519 key at `path`, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def public(path: Path) -> str:
    """`<type> <base64>` of the key at `path`."""
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def prepare(folder: Path, login_key: Path, port: int, *, listen: str = "", extra: str = "") -> Path:
    """Host key, authorized key and configuration in `folder`; the path of the latter."""
    make_key(login_key)
    make_key(folder / "host_key")
    (folder / "authorized_keys").write_text(f"{public(login_key)}\n")
    config = folder / "sshd_config"
    config.write_text(CONFIG.format(folder=folder, port=port, listen=listen, extra=extra))
    return config
