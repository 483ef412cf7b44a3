"""The gate lets reconciler's own scripts in, with what is pinned on the host, and nothing else: here without sshd."""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.model.host import Host
from reconciler.remote import scripts
from reconciler.remote.gate import LOOKS, Gate, allowed, installer
from reconciler.remote.ssh import REMOTE_COMMAND
from tests.remote.harness import Answer, HostUnderTest, encode, parse

KEY = f"ssh-ed25519 {'A' * 68} controller"
PRELUDE = 'PATH="$HOME/bin:$PATH"\n# ends with a line end\n'
CANARY = "canary"


class Guarded(HostUnderTest):
    """A host behind a gate; `home` is the login's."""

    mode = "act"

    @property
    def home(self) -> Path:
        return self.root.parent

    @property
    def place(self) -> Path:
        return self.home / ".reconciler-gate/demo/h1"

    def install(self, **options: bool) -> str:
        """Run what `reconciler host gate` prints; what it said."""
        host = Host("h1", address="h1", workspace_root=str(self.root), shell_prelude=self.prelude)
        text = installer(Gate(host, self.fleet_name, self.fleet_id, **options))
        done = subprocess.run(["bash"], input=text, capture_output=True, text=True, env=self.clean(), check=True)
        return done.stdout

    def clean(self, **more: str) -> dict[str, str]:
        """What sshd gives to a login there."""
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "SSH_ORIGINAL_COMMAND": REMOTE_COMMAND, **more}

    def send(self, stdin: bytes, **more: str) -> subprocess.CompletedProcess[bytes]:
        """What comes of these bytes, over a key that is bound."""
        words = ["bash", "--noprofile", "--norc", "-p", str(self.place / "gate"), self.mode]
        return subprocess.run(words, input=stdin, capture_output=True, env=self.clean(**more), timeout=30)

    def call(self, verb: str, fields: object = ()) -> Answer:
        done = self.send(self.stdin(verb, fields))  # type: ignore[arg-type]
        return parse(done.stdout, "n0nce", done.stderr.decode())


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    host = Guarded(tmp_path / "ws", prelude=PRELUDE)
    host.install()
    return host


def test_every_call_of_this_version_passes(guarded: Guarded) -> None:
    assert guarded.take().code == 0
    assert guarded.observe().code == 0
    assert guarded.call("act", guarded.launch_fields("t-00000000-1", "echo out")).words() == ["accepted"]
    guarded.result("t-00000000-1")
    said = guarded.call("collect", [("run", guarded.path("t-00000000-1")), ("limit", "100")])
    assert said["stdout/t-00000000-1"] == "out\n"
    checked = guarded.call("check", [("agent", "codex"), ("help", "exec\n--help"), ("agent", "mine"), ("help", "")])
    assert checked["gate"] == f"act\n{allowed()}\n"
    assert guarded.operate("cleanup", "t-00000000-1").startswith("removed")
    assert guarded.call("bell", [("ledger", guarded.ledger), ("seconds", "1")]).code == 0
    assert guarded.call("reset").code == 0


def test_what_runs_has_the_environment_of_a_login_without_a_gate(guarded: Guarded) -> None:
    guarded.take()
    script = 'env | grep -v "^RECONCILER_\\|^_=" | sort; set | grep ^gate_ || true; declare -F'
    for locale in ("", "C.UTF-8"):
        run = f"t-00000000-{1 + bool(locale)}"
        more = {"LC_ALL": locale} if locale else {}
        done = guarded.send(guarded.stdin("act", guarded.launch_fields(run, script)), **more)
        assert b"accepted" in done.stdout
        guarded.result(run)
        seen = (guarded.directory(run) / "stdout.log").read_text()
        assert "gate" not in seen.replace(str(guarded.home), "")
        assert re.findall("^LC_ALL=.*", seen, re.MULTILINE) == ([f"LC_ALL={locale}"] if locale else [])
        assert "SSH_ORIGINAL_COMMAND" in seen  # a login has it, too


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Replace something in what is sent; it has to be there."""

    def swap(sent: bytes) -> bytes:
        assert old in sent
        return sent.replace(old, new, 1)

    return swap


EVIL = f"touch ~/{CANARY}\n".encode()
LAST = b"\nmain 3<&0 </dev/null; exit\n"
SCRIPTS: Mapping[str, Callable[[bytes], bytes]] = {
    "another script": lambda _: EVIL,
    "another script as long as ours": lambda sent: EVIL * (len(sent) // len(EVIL) + 1),
    "another main": lambda _: b"main() {\n" + EVIL + b"}" + LAST,
    "something before it": lambda sent: EVIL + sent,
    "something behind main": swapped(LAST, b"\nmain 3<&0 </dev/null; " + EVIL + b"exit\n"),
    "something behind the script": lambda sent: sent.partition(LAST)[0] + b"\n" + EVIL + LAST,
    "one character": swapped(b"export LC_ALL=C", b"export LC_ALL=c"),
    "a comment": swapped(b"main() {\n", b"main() { #\n"),
    "nothing": lambda _: b"",
    "cut in the middle": lambda sent: sent[:3000],
    "cut before its end": lambda sent: sent.partition(LAST)[0],
    "zero bytes": lambda sent: b"\0" * len(sent),
}


@pytest.mark.parametrize("change", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("verb", ["observe", "act"])
def test_a_script_that_is_not_ours_does_not_run(guarded: Guarded, verb: str, change: Callable[[bytes], bytes]) -> None:
    guarded.take()
    assert guarded.call("act").code == 0
    done = guarded.send(change(guarded.stdin(verb, [("revision", "other")])))
    assert done.returncode == 77
    assert done.stdout == b""
    assert done.stderr.startswith(b"reconciler gate: this key may not run this script")
    assert guarded.observe().pairs("workspace")["revision"] == guarded.revision
    assert not (guarded.home / CANARY).exists()


def test_what_stands_where_the_payload_should_be_is_data(guarded: Guarded) -> None:
    script = scripts.script("observe").encode()
    for tail in (EVIL, b"exit\n" + EVIL, b"n0nce 5\n" + EVIL, script, b"n0nce 999999999\n" + EVIL):
        done = guarded.send(script + tail)
        assert done.returncode in (0, 65)
        assert b"n0nce end 0" not in done.stdout
    assert not (guarded.home / CANARY).exists()


def fields(*pairs: tuple[str, str | bytes]) -> bytes:
    payload = encode(pairs)
    return f"n0nce {len(payload)}\n".encode() + payload


class Payload(NamedTuple):
    """A payload that is refused: the verb, its fields with `@root` for the pinned one, and what is said."""

    verb: str
    pairs: tuple[tuple[str, str], ...]
    says: str


ROOT = ("root", "@root")
AS_TAKEN = (
    ROOT,
    ("fleet_name", "demo"),
    ("host_name", "h1"),
    ("ledger", "0a1b2c3d"),
    ("number", "9"),
    ("revision", "r"),
)
PAYLOADS: Mapping[str, Payload] = {
    "a prelude": Payload("check", (ROOT, ("prelude", EVIL.decode())), "another shellPrelude"),
    "a prelude in the place of programs": Payload(
        "observe", (ROOT, ("programs", "x"), ("prelude", EVIL.decode())), "another shellPrelude"
    ),
    "a prelude that begins as the pinned one": Payload(
        "check", (ROOT, ("prelude", PRELUDE + EVIL.decode())), "another shellPrelude"
    ),
    "the prelude without its last line end": Payload(
        "check", (ROOT, ("prelude", PRELUDE[:-1])), "another shellPrelude"
    ),
    "another root": Payload("observe", (("root", "/tmp"),), "another workspaceRoot"),
    "a way out of the root": Payload("observe", (("root", "@root/../ws2"),), "another workspaceRoot"),
    "a root with a slash": Payload("observe", (("root", "@root/"),), "another workspaceRoot"),
    "two roots": Payload("observe", (ROOT, ("root", "~/elsewhere")), "another workspaceRoot"),
    "no root": Payload("observe", (), "workspaceRoot must be"),
    "another fleet": Payload("take", (*AS_TAKEN, ("fleet_id", "fleet-0002")), "for another fleet"),
    "another supervisor": Payload("act", (*AS_TAKEN, ("supervisor", EVIL.decode())), "does not know this supervisor"),
    "the checks as the supervisor": Payload("act", (*AS_TAKEN, ("supervisor", "@qa")), "not know this supervisor"),
    "another project": Payload("act", (*AS_TAKEN, ("project_script", EVIL.decode())), "not know this project_script"),
    "other checks": Payload("act", (*AS_TAKEN, ("qa_script", EVIL.decode())), "does not know this qa_script"),
    "options of a program": Payload(
        "check", (ROOT, ("agent", "bash"), ("help", f"-c\n{EVIL.decode()}")), "how this program is asked"
    ),
    "another program": Payload("check", (ROOT, ("agent", "touch"), ("help", "--help")), "how this program is asked"),
}


@pytest.mark.parametrize("case", PAYLOADS.values(), ids=PAYLOADS)
def test_what_a_payload_may_say_is_pinned(guarded: Guarded, case: Payload) -> None:
    values = {"@root": str(guarded.root), "@qa": scripts.qa()}
    pairs = [(key, re.sub("@root|@qa", lambda found: values[found[0]], value)) for key, value in case.pairs]
    done = guarded.send(scripts.script(case.verb).encode() + fields(*pairs))
    answer = parse(done.stdout, "n0nce", done.stderr.decode())
    assert answer.code == 5
    assert case.says in answer["error"]
    assert not (guarded.home / CANARY).exists()
    assert not guarded.root.exists()


def test_a_key_that_looks_changes_nothing(guarded: Guarded) -> None:
    guarded.take()
    guarded.mode = "observe"
    for verb in scripts.VERBS:
        done = guarded.send(guarded.stdin(verb, [("ledger", guarded.ledger), ("seconds", "1")]))
        assert (done.returncode == 0) == (verb in LOOKS), verb
    launch = guarded.launch_fields("t-00000000-1", "touch ~/canary")
    assert guarded.send(guarded.stdin("act", launch)).returncode == 77
    guarded.mode = "anything"
    assert b"has to end in act or in observe" in guarded.send(guarded.stdin("observe")).stderr


@pytest.mark.parametrize("command", ["", "bash", f"{REMOTE_COMMAND}; id", f" {REMOTE_COMMAND}", "exec bash"])
def test_only_the_one_command_is_answered(guarded: Guarded, command: str) -> None:
    done = guarded.send(guarded.stdin("observe"), SSH_ORIGINAL_COMMAND=command)
    assert (done.returncode, done.stdout) == (77, b"")
    assert b"no shell, no `exec`, no copying of files" in done.stderr


def test_variables_of_the_caller_change_nothing(guarded: Guarded) -> None:
    names = ("BASH_ENV", "ENV", "PROMPT_COMMAND", "PS4", "IFS", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_admit%%")
    tricks = dict.fromkeys(names, f"() {{ :; }}; $(touch {guarded.home}/{CANARY})")
    tricks |= {"gate_list": "x", "gate_place": "/tmp", "gate_script": EVIL.decode(), "KEY": "root", "LC_ALL": "xx_YY"}
    other = scripts.script("observe").encode() + fields(("root", "/tmp"))
    assert b"another workspaceRoot" in guarded.send(other, **tricks).stdout
    assert guarded.send(EVIL, **tricks).returncode == 77
    assert b"n0nce end 0" in guarded.send(guarded.stdin("observe"), **tricks).stdout
    assert not (guarded.home / CANARY).exists()


def test_rubbish_does_not_fill_its_memory(guarded: Guarded) -> None:
    largest = max(int(line.split()[1]) for line in allowed().splitlines())
    words = ["bash", "--noprofile", "--norc", "-p", str(guarded.place / "gate"), "act"]
    pipe = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "env": guarded.clean()}
    with subprocess.Popen(words, **pipe) as gate:  # type: ignore[call-overload]
        sent = 0
        with suppress(BrokenPipeError):
            while sent < 1 << 30:
                sent += os.write(gate.stdin.fileno(), b"x" * 4096)
        assert sent < largest + (1 << 17)  # what a pipe holds
        gate.stdin = None
    assert gate.returncode == 77


def test_a_payload_is_held_in_memory_and_therefore_limited(host: HostUnderTest) -> None:
    sent = scripts.script("observe").encode() + f"n0nce {(64 << 20) + 1}\n".encode()
    done = subprocess.run(["bash", "-p", "-s"], input=sent, capture_output=True, timeout=30)
    assert done.returncode == 65
    assert done.stderr == b"reconciler: the payload is larger than 67108864 bytes\n"


def test_an_unknown_doorbell_ends_though_its_input_stays_open(guarded: Guarded) -> None:
    file = guarded.place / "gate"
    assert "read -r -t 10 -N" in file.read_text(), "it has to end within the 15 seconds that a host has to answer"
    file.write_text(file.read_text().replace("read -r -t 10 -N", "read -r -t 1 -N"))
    words = ["bash", "--noprofile", "--norc", "-p", str(file), "act"]
    pipe = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "env": guarded.clean()}
    with subprocess.Popen(words, **pipe) as gate:  # type: ignore[call-overload]
        os.write(gate.stdin.fileno(), b"main() {\n:\n}" + LAST)
        assert gate.wait(5) == 77
        assert b"may not run this script" in gate.stderr.read()


def test_an_upgrade_keeps_the_version_before_until_it_is_told_not_to(guarded: Guarded) -> None:
    old = guarded.place / "allowed/0.0.1"
    (guarded.place / "allowed" / os.listdir(guarded.place / "allowed")[0]).rename(old)
    old.write_text(old.read_text().replace("act ", "other "))
    assert guarded.send(guarded.stdin("act")).returncode == 77
    assert guarded.observe().code == 0
    assert "0.0.1" in guarded.install()
    assert guarded.send(guarded.stdin("act")).returncode == 0
    assert old.exists()
    assert "0.0.1" not in guarded.install(only=True)
    assert not old.exists()
    assert guarded.observe().code == 0


def test_nothing_is_allowed_by_what_is_missing(guarded: Guarded) -> None:
    (guarded.place / "root").unlink()
    assert "another workspaceRoot" in guarded.observe()["error"]
    guarded.install()
    (guarded.place / "prelude").unlink()
    assert "another shellPrelude" in guarded.call("check")["error"]
    for list_ in (guarded.place / "allowed").iterdir():
        list_.unlink()
    assert guarded.send(guarded.stdin("observe")).returncode == 77


def test_without_a_way_to_hash_it_says_so(guarded: Guarded, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "bash").symlink_to("/bin/bash")
    done = guarded.send(guarded.stdin("observe"), PATH=str(programs))
    assert (done.returncode, done.stdout) == (77, b"")
    assert b"sha256sum (of coreutils) is not on the PATH" in done.stderr


class Line(NamedTuple):
    """authorized_keys before; what it becomes, `@` for the new line; empty: refused."""

    before: str
    after: str


OTHER = f"ssh-ed25519 {'B' * 68} other"
LINES = {
    "no file": Line("", "@"),
    "another key": Line(f"{OTHER}\n", f"{OTHER}\n@"),
    "the key with a shell": Line(f"{KEY}\n{OTHER}", f"{OTHER}\n@"),
    "the key under another name": Line(f"{KEY} of old\n", "@"),
    "bound before": Line(
        f'restrict,command="exec bash --noprofile --norc -p ~/.reconciler-gate/old/h1/gate act" {KEY}\n{OTHER}\n',
        f"{OTHER}\n@",
    ),
    "options of its own": Line(f'from="10.0.0.0/8" {KEY}\n', ""),
}


@pytest.mark.parametrize("case", LINES.values(), ids=LINES)
def test_the_key_is_bound_and_others_are_left_alone(guarded: Guarded, case: Line) -> None:
    file = guarded.home / ".ssh/authorized_keys"
    if case.before:
        file.parent.mkdir()
        file.write_text(case.before)
    host = Host("h1", address="h1", workspace_root=str(guarded.root), shell_prelude=PRELUDE)
    text = installer(Gate(host, "demo", guarded.fleet_id, KEY))
    for _ in range(2):  # a second time changes nothing
        done = subprocess.run(["bash"], input=text, capture_output=True, text=True, env=guarded.clean())
        line = f'restrict,command="exec bash --noprofile --norc -p ~/.reconciler-gate/demo/h1/gate act" {KEY}\n'
        assert file.read_text() == (case.after.replace("@", line) or case.before)
        assert (done.returncode == 0) == bool(case.after)
        assert bool(case.after) or f"put there by hand: {line.partition(' ssh-')[0]}" in done.stderr
    assert file.stat().st_mode & 0o077 == 0 or not case.after


def test_values_are_written_to_the_byte(tmp_path: Path) -> None:
    prelude = 'it\'s "quoted" $(touch ~/canary) `id` \\ \\n ü\n\n\ttab\nEOF\n'
    host = Guarded(tmp_path / "ws", prelude=prelude)
    host.install()
    assert (host.place / "prelude").read_bytes() == prelude.encode()
    assert not (host.home / CANARY).exists()
