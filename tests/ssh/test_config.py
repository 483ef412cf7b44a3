"""What ssh is told: only what was written, nothing that runs a command, every name checked."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.host import Host
from reconciler.remote.masters import private_folder
from reconciler.remote.process import run
from reconciler.remote.ssh import Settings, Unreachable, door

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0rJYvGyzMPxLs0Uuv7xJgBPQ0bpLdEyzHe0Q8n2cJr"


def effective(folder: Path, **spec: Any) -> Mapping[str, str]:
    """What ssh itself makes of it."""
    way = door(Host("box1", address="192.0.2.1", **spec), Settings(folder))
    argv = way.argv(Path("/tmp/socket"))
    said = run([*argv[:-2], "-G", *argv[-2:]], deadline=10)
    assert said.code == 0, said.errors
    return dict(line.split(" ", 1) for line in said.output.decode().splitlines() if " " in line)


def test_the_defaults_are_safe(tmp_path: Path) -> None:
    told = effective(tmp_path)
    assert {
        "batchmode": "yes",
        "stricthostkeychecking": "accept-new",
        "userknownhostsfile": f"{tmp_path}/ssh/known_hosts",
        "globalknownhostsfile": "/dev/null",
        "forwardagent": "no",
        "forwardx11": "no",
        "clearallforwardings": "yes",
        "permitlocalcommand": "no",
        "updatehostkeys": "false",
        "identitiesonly": "no",
        "serveraliveinterval": "5",
        "serveralivecountmax": "3",
        "controlmaster": "auto",
        "controlpersist": "60",
        "connecttimeout": "10",
        "port": "22",
    }.items() <= told.items()
    assert "proxycommand" not in told


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"user": "worker"}, {"user": "worker"}),
        ({"port": 2222}, {"port": "2222"}),
        ({"host_keys": (KEY,)}, {"stricthostkeychecking": "true"}),
        ({"deadline": 6.0}, {"connecttimeout": "4"}),
        (
            {"ssh_options": {"Compression": "yes", "serveraliveinterval": "9"}},
            {"compression": "yes", "serveraliveinterval": "9"},
        ),
        ({"proxy_jump": "none"}, {"proxycommand": "none"}),
    ],
)
def test_what_is_written_is_told(tmp_path: Path, spec: dict[str, Any], told: dict[str, str]) -> None:
    assert told.items() <= {"proxycommand": "none", **effective(tmp_path, **spec)}.items()


def test_files_are_private_and_old_ones_stay_until_they_are_old(tmp_path: Path) -> None:
    first = door(Host("box1", address="192.0.2.1"), Settings(tmp_path)).config
    second = door(Host("box1", address="192.0.2.1", port=23), Settings(tmp_path)).config
    assert first != second
    assert first.exists()
    assert {path.stat().st_mode & 0o777 for path in (first, second)} == {0o600}


@pytest.mark.parametrize(
    "spec",
    [
        {"address": "-oProxyCommand=touch /tmp/x"},
        {"address": "box 1"},
        {"address": "box1\nProxyCommand x"},
        {"address": "box*"},
        {"address": ""},
        {"user": "-l"},
        {"user": "a\nb"},
        {"user": "a b"},
        {"proxy_jump": "box;id"},
        {"proxy_jump": "-oX"},
        {"proxy_jump": "a,,b"},
        {"proxy_jump": "$(id)"},
        {"host_keys": ("ssh-ed25519 AAAA\n* x y",)},
        {"host_keys": ("# nothing",)},
        {"identity_file": "/no/such/key"},
        {"ssh_options": {"ProxyCommand": "id"}},
        {"ssh_options": {"LocalCommand": "id"}},
        {"ssh_options": {"StrictHostKeyChecking": "no"}},
        {"ssh_options": {"Ciphers": "a\nProxyCommand id"}},
    ],
    ids=str,
)
def test_what_could_run_a_command_or_hide_a_line_is_refused(tmp_path: Path, spec: dict[str, Any]) -> None:
    with pytest.raises(Unreachable):
        door(Host("box1", **{"address": "192.0.2.1", **spec}), Settings(tmp_path))


def test_a_path_with_odd_characters_is_quoted(tmp_path: Path) -> None:
    state = tmp_path / "it's a %h state"
    state.mkdir()
    assert effective(state, proxy_jump="a@b:1")["userknownhostsfile"] == f"{state}/ssh/known_hosts"


def test_sockets_are_in_a_short_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    folder = private_folder(tmp_path)
    assert re.fullmatch(r"/tmp/reconciler-\d+/[0-9a-f]{8}", str(folder))
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(Unreachable, match="not a directory of yours alone"):
        private_folder(tmp_path)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(Unreachable, match="not a directory of yours alone"):
        private_folder(tmp_path)
    folder.unlink()
