"""Hosts whose key is bound to the gate: real sshd, a whole life of work through it, and every way past it tried."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.remote import scripts
from reconciler.remote.ssh import REMOTE_COMMAND
from tests.e2e.agents import Site, end, home, install, make_remote, project, rows, runs
from tests.e2e.agents import task as agent_task
from tests.e2e.fleet import Fleet
from tests.e2e.watching import Watch
from tests.machines.keys import make_key
from tests.machines.loopback import LoopbackHost, why_not_loopback
from tests.remote.harness import encode
from tests.waiting import until

pytestmark = [pytest.mark.ssh, pytest.mark.skipif(bool(why_not_loopback()), reason=why_not_loopback())]
CANARY = "canary"


class Bound(NamedTuple):
    """A fleet of one host, whose document names a key that is bound there; `admin` opens a shell, `looker` looks."""

    fleet: Fleet
    host: LoopbackHost
    admin: Path
    bound: Path
    looker: Path

    @property
    def keys(self) -> Path:
        """The login's authorized_keys."""
        return self.host.home / ".ssh/authorized_keys"

    @property
    def gate(self) -> Path:
        return self.host.home / f".reconciler-gate/{self.fleet.name}/h1"

    def install(self, *words: str) -> str:
        """`host gate --install`, over the key that opens a shell."""
        words = ("--identity-file", str(self.admin), "host", "gate", "h1", "--install", *words)
        return self.fleet.run(*words, check=0).stdout

    def check(self, *words: str) -> tuple[str, str]:
        """What `host check` says of the gate: ok, warning or failed, and why."""
        lines = self.fleet.run(*words, "host", "check", "h1").stdout.splitlines()
        [line] = [line for line in lines if line[4:9] == "gate "]
        return {"✓": "ok", "!": "warning", "✗": "failed"}[line[2]], line[9:].strip()

    def ssh(self, key: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """ssh as anybody calls it who has the key."""
        options = ("-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
        login = ("-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-p", str(self.host.port))
        command = ["ssh", *options, *login, "-l", self.host.user, *words]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=30)


def prepare(room: Path) -> Bound:
    """The keys of the login lie in its home, as on any host."""
    fleet = Fleet(room)
    host = LoopbackHost(room / "host", "h1", room / "admin").start()
    (host.home / ".ssh").mkdir()
    shutil.move(host.folder / "authorized_keys", host.home / ".ssh/authorized_keys")
    (host.folder / "authorized_keys").symlink_to(host.home / ".ssh/authorized_keys")
    for name in ("bound", "looker"):
        make_key(room / name)
    install(host)  # type: ignore[arg-type] # of a machine it takes the home and the key
    fleet.write("hosts/h1.yaml", host.host_yaml(identityFile=room / "bound", minFree="1MiB", slots=8))
    project(fleet, str(make_remote(room / "remotes").path), setup="echo set up >SETUP", qa=[{"run": "test -f SETUP"}])
    fleet.commit()
    made = Bound(fleet, host, room / "admin", room / "bound", room / "looker")
    made.install("--key", f"{made.bound}.pub")
    made.install("--key", f"{made.looker}.pub", "--observe")
    return made


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bound]:
    room = tmp_path_factory.mktemp("bound")
    made = prepare(room)
    yield made
    end(room)
    made.host.delete()


def test_a_whole_life_of_work_goes_through_it(bound: Bound) -> None:
    fleet, site = bound.fleet, Site(home(bound.host) / ".reconciler")  # type: ignore[arg-type]
    fleet.fleet(interval="1h")  # so that whatever happens was told by the doorbell
    fleet.task("talks", 'echo one; until test -e "$HOME/go"; do sleep 0.1; done; echo two')
    fleet.task("endless", "sleep 600")
    agent_task(fleet, "work", "pr push")
    fleet.commit()
    with Watch(fleet) as watch:
        watch.says("started talks")
        logs = fleet.start("logs", "talks", "-f")
        assert logs.stdout
        assert logs.stdout.readline() == "one\n"
        (bound.host.home / "go").touch()
        assert logs.communicate(timeout=20)[0] == "two\n"
        watch.says("ended talks")
        watch.says("ended work")
        assert rows(fleet)["work"]["phase"] == "Succeeded"
        watch.says("started endless")
        fleet.remove("tasks/endless.yaml")
        fleet.remove("tasks/talks.yaml")
        fleet.commit()
        assert fleet.json("reconcile", "--wait", "--allow-prune", "--timeout", "60s")["exit"]["code"] == 0
        until(lambda: len(site.runs("_")) == 0)
        assert watch.end() == 0
    assert "unreachable" not in watch.log
    assert [run["task"] for run in runs(fleet).values() if run["phase"] == "Succeeded"].count("work") == 1
    assert fleet.run("host", "reset", "h1", "--yes", check=0)


def test_check_proves_it(bound: Bound) -> None:
    said = bound.check()
    tried = "a shell, another script, sftp, forwarding, variables that run code"
    assert (said[0], said[1]) == ("ok", f"this key runs reconciler's scripts alone (tried: {tried})")
    looks = bound.check("--identity-file", str(bound.looker))
    assert (looks[0], looks[1][:43]) == ("warning", "this key looks and changes nothing: no work")
    shell = bound.check("--identity-file", str(bound.admin))
    assert (shell[0], shell[1][:30]) == ("warning", "this key opens a shell there: ")


def test_what_is_installed_is_tried_with_the_key(bound: Bound, tmp_path: Path) -> None:
    for key, more in ((bound.bound, ()), (bound.looker, ("--observe",))):
        assert f"a login with {key} came through it" in bound.install("--key", f"{key}.pub", *more)
    shutil.copy(f"{bound.looker}.pub", tmp_path / "alone.pub")
    assert "not confirmed by a login" in bound.install("--key", str(tmp_path / "alone.pub"), "--observe")


def test_a_line_that_sshd_does_not_read_is_told(bound: Bound, tmp_path: Path) -> None:
    make_key(tmp_path / "unread")
    read = bound.host.folder / "authorized_keys"  # a link to the file in the home until now
    read.unlink()
    shutil.copy(bound.keys, read)
    try:
        words = ("--identity-file", str(bound.admin), "host", "gate", "h1", "--install", "--key")
        done = bound.fleet.run(*words, f"{tmp_path}/unread.pub", check=3)
    finally:
        read.unlink()
        read.symlink_to(bound.keys)
    assert "permission denied" in done.stderr
    assert "AuthorizedKeysFile" in done.stderr
    assert "came through" not in done.stdout


def test_check_fails_where_the_gate_is_older_than_the_controller(bound: Bound) -> None:
    [file] = (bound.gate / "allowed").iterdir()
    whole = file.read_text()
    try:
        file.write_text("".join(line for line in whole.splitlines(True) if not line.startswith(("act ", "qa_script"))))
        said = bound.check()
        why = "it does not know this version's act, qa_script: `reconciler host gate h1` renews it"
        assert (said[0], said[1]) == ("failed", why)
        file.write_text("")
        said = bound.check()
        assert said[0] == "failed"
        assert "Is the gate older than the controller? `reconciler host gate` renews it" in said[1]
        waits = bound.fleet.json("reconcile", check=None)
        assert "Is the gate older than the controller?" in json.dumps(waits["unreachable"])
    finally:
        bound.install()
    assert file.read_text() == whole


def test_check_fails_where_the_key_opens_more_than_the_gate(bound: Bound) -> None:
    text = bound.keys.read_text()
    try:
        bound.keys.write_text(text.replace("restrict,command=", "command="))
        said = bound.check()
        assert said[0] == "failed"
        assert "this key also opens forwarding: its line in authorized_keys has to begin with restrict" in said[1]
    finally:
        bound.keys.write_text(text)


def test_check_fails_where_sshd_takes_variables_that_run_code(bound: Bound) -> None:
    config = bound.host.folder / "sshd_config"
    text = config.read_text()
    try:
        for names in ("LD_PRELOAD", "BASH_* SHLVL"):
            config.write_text(f"AcceptEnv {names}\n{text}")
            bound.host.stop()
            bound.host.start()
            said = bound.check()
            assert said[0] == "failed", names
            assert "this key also opens variables that run code: take BASH_ENV, LD_* and" in said[1]
    finally:
        config.write_text(text)
        bound.host.stop()
        bound.host.start()


SCRIPT = scripts.script("observe").encode()
EVIL = f"touch ~/{CANARY}\n".encode()


class Attack(NamedTuple):
    """What is sent, over which key, and what comes of it: a word of standard error."""

    words: tuple[str, ...]
    stdin: bytes = b""
    says: str = "reconciler gate: "


ATTACKS: Mapping[str, Attack] = {
    "a command": Attack(("127.0.0.1", f"touch ~/{CANARY}")),
    "a login": Attack(("-T", "127.0.0.1"), EVIL),
    "a terminal": Attack(("-tt", "127.0.0.1"), EVIL, ""),
    "a terminal for the constant": Attack(("-tt", "127.0.0.1", REMOTE_COMMAND), EVIL, ""),
    "the constant and more": Attack(("127.0.0.1", f"{REMOTE_COMMAND}; touch ~/{CANARY}")),
    "another script": Attack(("127.0.0.1", REMOTE_COMMAND), EVIL, "may not run this script"),
    "one character": Attack(
        ("127.0.0.1", REMOTE_COMMAND), SCRIPT.replace(b"exec", b"exeC", 1), "may not run this script"
    ),
    "more behind it": Attack(
        ("127.0.0.1", REMOTE_COMMAND), SCRIPT.replace(b"; exit\n", b"; touch ~/canary\n"), "may not run"
    ),
    "an internal sftp": Attack(("-s", "127.0.0.1", "sftp"), b"\0\0\0\5\1\0\0\0\3", ""),
    "another way to say the constant": Attack(
        ("-o", f"SetEnv=SSH_ORIGINAL_COMMAND='{REMOTE_COMMAND}'", "127.0.0.1", f"touch ~/{CANARY}")
    ),
    "BASH_ENV": Attack(("-o", f'SetEnv="BASH_ENV=$(touch ~/{CANARY})"', "127.0.0.1", "true")),
    "LD_PRELOAD": Attack(("-o", "SetEnv=LD_PRELOAD=/tmp/x.so", "127.0.0.1", "true")),
    "LC_ALL": Attack(("-o", f'SetEnv="LC_ALL=$(touch ~/{CANARY})"', "127.0.0.1", "true")),
    "a forwarding": Attack(("-W", "127.0.0.1:{port}", "127.0.0.1"), b"", "administratively prohibited"),
    "a listener": Attack(
        ("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "127.0.0.1", "true"), b"", "forwarding failed"
    ),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_with_the_key_is_refused(bound: Bound, attack: Attack) -> None:
    words = [word.replace("{port}", str(bound.host.port)) for word in attack.words]
    done = bound.ssh(bound.bound, *words, stdin=attack.stdin)
    assert done.returncode != 0
    assert attack.says in done.stderr.decode()
    assert b"SSH-" not in done.stdout
    assert not (bound.host.home / CANARY).exists()


def test_copying_and_exec_are_refused(bound: Bound, tmp_path: Path) -> None:
    fleet = bound.fleet
    fleet.task("quick")
    fleet.commit()
    fleet.reconcile()
    done = fleet.run("exec", "quick", "--", "touch", f"{bound.host.home}/{CANARY}")
    assert done.returncode == 77
    assert "no shell, no `exec`, no copying of files" in done.stderr
    (tmp_path / CANARY).touch()
    options = ("-F", "none", "-i", str(bound.bound), "-P", str(bound.host.port), "-o", "StrictHostKeyChecking=no")
    for legacy in ((), ("-O",)):
        target = f"{bound.host.user}@127.0.0.1:{bound.host.home}/"
        words = ["scp", *legacy, *options, "-o", "UserKnownHostsFile=/dev/null", str(tmp_path / CANARY), target]
        assert subprocess.run(words, capture_output=True, timeout=30).returncode != 0
    assert not (bound.host.home / CANARY).exists()


def test_a_key_that_looks_sees_and_launches_nothing(bound: Bound) -> None:
    fleet = bound.fleet.other_controller("looker")
    fleet.environment["RECONCILER_IDENTITY_FILE"] = str(bound.looker)
    fleet.task("never", f"touch ~/{CANARY}")
    fleet.commit()
    planned = fleet.json("plan")
    assert [change["task"] for change in planned["changes"] if change["action"] == "launch"] == ["never"]
    report = fleet.json("reconcile", check=None)
    assert report["exit"]["code"] != 0
    assert "may not run this script" in json.dumps(report)
    root, wanted = "~/.reconciler", ("take", "act", "bell", "reset")
    for verb in wanted:
        payload = encode([("root", root), ("ledger", "0" * 8), ("seconds", "1")])
        stdin = scripts.script(verb).encode() + b"n0nce %d\n" % len(payload) + payload
        done = bound.ssh(bound.looker, "127.0.0.1", REMOTE_COMMAND, stdin=stdin)
        assert b"may not run this script" in done.stderr, verb
    assert not (bound.host.home / CANARY).exists()
    fleet.remove("tasks/never.yaml")
    fleet.commit()


def test_another_prelude_or_root_is_refused_until_the_gate_is_renewed(bound: Bound) -> None:
    fleet, file = bound.fleet, "hosts/h1.yaml"
    before = (fleet.repo / file).read_text()
    changed = (
        ("shellPrelude: export X=1", "another shellPrelude"),
        ("workspaceRoot: ~/.other", "another workspaceRoot"),
    )
    for spec, says in changed:
        fleet.write(file, f"{before}  {spec}\n")
        fleet.commit()
        assert says in fleet.run("host", "check", "h1", check=3).stdout
    bound.install("--only")
    assert bound.check()[0] == "ok"
    fleet.write(file, before)
    fleet.commit()
    bound.install()


def test_it_says_what_it_cannot_do(bound: Bound, tmp_path: Path) -> None:
    fleet = bound.fleet
    private = fleet.run("host", "gate", "h1", "--key", str(bound.bound))
    assert private.returncode == 64
    assert "is not the public half of one key" in private.stderr
    assert "name the key with --key" in fleet.run("host", "gate", "h1", "--observe", check=64).stderr
    over_itself = fleet.run("host", "gate", "h1", "--install", check=3)
    assert "it takes a login with a shell: name its key with --identity-file" in over_itself.stderr
    printed = fleet.run("host", "gate", "h1", "--key", f"{bound.bound}.pub", check=0).stdout
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(["bash"], input=printed, text=True, env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, check=True)
    assert (home / ".ssh/authorized_keys").read_text() in bound.keys.read_text()
