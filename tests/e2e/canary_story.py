"""One story in which workers and hosts tell every secret they know, and what was seen of it, by surface."""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import Exit
from tests.e2e.agents import ENDED, agent, end, git, make_remote, project, runs
from tests.e2e.canaries import VALUES, has, holders, strays
from tests.e2e.fleet import Fleet
from tests.e2e.lookout import Lookout, core_limit
from tests.e2e.watching import Watch
from tests.hostile.room import REPOSITORY
from tests.machines.keys import make_key, public
from tests.machines.loopback import LoopbackHost
from tests.waiting import until

TELLING = Path(__file__).with_name("telling.py")
SECRETS = ["TOKEN", {"name": "RENAMED", "from": "KEY"}, "PHRASE"]
TELL = (
    'printf "%s\\n" "$TOKEN" "$RENAMED" "$PHRASE" | tee /dev/stderr; printf %s "$RENAMED" | base64; declare -p PHRASE'
)
ECHOES = ("refuses-the-launch", "refuses-the-call", "complains")
TOLD = ("script", "work", "asks")  # tasks that come as far as their worker
FOLLOWED = (("script", "--stream=stdout"), ("script", "--stream=stderr"), ("work", "--stream=events"))
FORMS = ("table", "json")
# After hosts echoed …
ECHOED = (("events",), ("get", "hosts", "-o", "json"), *(("describe", "task", how) for how in ECHOES))
# … and when workers are done, while the daemon runs: of its ledger and archive, and what asks hosts, or the daemon.
READ = (
    *(("get", kind, "-o", form) for kind in ("tasks", "runs") for form in ("wide", "json", "yaml")),
    *(("describe", "task", name) for name in (*TOLD, "unready")),
    *(("logs", name) for name in (*TOLD, "unready")),
    *(("logs", "work", "--run", "1", "--stream", stream) for stream in ("stderr", "events")),
    *(("events", "-o", form) for form in FORMS),
)
ASKED = (
    ("host", "check", "box"),
    *(("plan", "-o", form) for form in FORMS),
    *(("reconcile", "-o", form) for form in FORMS),  # over the control socket
)
# What a worker, its setup and its checks wrote on their own host, as patterns of paths below the workspace.
OWN = re.compile(
    r"(_|app|bare)/(runs/[^/]+/(stdout\.log|stderr\.log|events\.jsonl|supervisor\.log|qa\.log|answer\.json|result\.json"
    r"|blocked\.md|work/.*)|worktrees/.*|checkout/\.git/(worktrees/[^/]+/.*|logs/refs/heads/reconciler/.*|objects/.*))\Z"
)


@dataclass
class Story:
    """What was seen of it, by surface."""

    fleet: Fleet
    echoing: Fleet  # of the hosts that give back what they are sent; the same secrets
    home: Path  # of the host where workers run
    began: float = field(default_factory=time.time)
    shown: dict[str, str] = field(default_factory=dict)  # command -> everything it printed
    looks: dict[str, list[str]] = field(default_factory=dict)
    lookout: Lookout = field(init=False)
    core: str = ""

    def show(self, *words: str, by: str = "", fleet: Fleet | None = None) -> None:
        """Run a command, keep what it prints under its words; `by`: and who ran it, when that is somebody else."""
        done = (fleet or self.fleet).run(*words)
        assert done.returncode != Exit.USAGE, done.stderr
        self.shown[by + " ".join(words)] = done.stdout + done.stderr

    def show_all(self, commands: Sequence[tuple[str, ...]], by: str = "", fleet: Fleet | None = None) -> None:
        """The same of many, in one process."""
        of = fleet or self.fleet
        done = subprocess.run(
            [sys.executable, "-m", "tests.e2e.several", "reconciler"],
            cwd=of.repo,
            env={**of.env(), "PYTHONPATH": str(REPOSITORY)},
            input=json.dumps(commands).encode(),
            stdout=subprocess.PIPE,
            timeout=90,
            check=True,
        )
        for words, text in zip(commands, json.loads(done.stdout), strict=True):
            self.shown[by + " ".join(words)] = text

    def telling(self, beginning: str) -> list[str]:
        """Which of the commands that begin so have printed a canary."""
        texts = [(what, text) for what, text in self.shown.items() if what.startswith(beginning)]
        assert texts, f"nothing was printed by {beginning}"
        return [what for what, text in texts if has(text)]


@contextmanager
def story(room: Path) -> Iterator[Story]:
    """It is told in that folder: hosts that echo first, then a daemon launches, workers tell, a follow-up is asked for,
    and everything is looked at, while it runs and after."""
    make_key(room / "id")
    sshd = LoopbackHost(room / "box", "box", room / "id").start()
    try:
        _configure(room)
        told = Story(_fleet(room, sshd), _echoing(room, sshd), sshd.home)
        with Lookout(room) as told.lookout:
            _echo(told, room)
            _live(told, room)
            _end(told)
        yield told
    finally:
        sshd.delete()
        end(room)


def _configure(room: Path) -> None:
    """The controller's secrets.yaml, and a program that tells."""
    configuration = room / "config/reconciler"
    configuration.mkdir(parents=True)
    (configuration / "key").write_text(VALUES["KEY"] + "\n")
    (room / "phrase").write_text(VALUES["PHRASE"])
    (configuration / "secrets.yaml").write_text(
        f"TOKEN: {{env: MY_TOKEN}}\nKEY: {{file: key}}\nPHRASE: {{command: [cat, {room}/phrase]}}\n"
    )
    (room / "tmp").mkdir()
    (room / "bin").mkdir()
    (room / "bin/codex").symlink_to(TELLING)


def _controlled(room: Path, name: str) -> Fleet:
    return Fleet(room, name, environment={"MY_TOKEN": VALUES["TOKEN"], "TMPDIR": str(room / "tmp")})


def _fleet(room: Path, sshd: LoopbackHost) -> Fleet:
    """One host, a script, and agents in two projects, of which one cannot be prepared."""
    fleet = _controlled(room, "fleet")
    prelude = json.dumps(f'PATH="{room}/bin:$PATH"; export ROOM={room}')
    fleet.write("hosts/box.yaml", sshd.host_yaml(minFree="1MiB", slots=8, shellPrelude=prelude))
    fleet.task("script", f"exec {sys.executable} {TELLING}", host="box", secrets=SECRETS)
    remote = make_remote(room / "remotes")
    project(fleet, str(remote.path), secrets=[SECRETS[1]], setup=TELL, qa=[f"{TELL}; exit 3"])
    project(fleet, str(remote.path), "bare", secrets=[SECRETS[1]], setup=f"{TELL}; exit 4")
    agent(fleet, "codex", secrets=["PHRASE"])
    for name, where in (("work", "app"), ("asks", "app"), ("unready", "bare")):
        spec = {"project": where, "agent": "codex", "prompt": "Tell.", "secrets": ["TOKEN"], "host": "box"}
        fleet.write(f"tasks/{name}.yaml", fleet.document("Task", name, {**spec, "retries": {"limit": 0}}))
    fleet.commit()
    return fleet


def _echoing(room: Path, sshd: LoopbackHost) -> Fleet:
    """Hosts that give back what they are sent, each in its way, by a command that sshd has for their key."""
    fleet = _controlled(room, "echoing")
    lines = (sshd.folder / "authorized_keys").read_text()
    for how in ECHOES:
        key = room / "keys" / how
        make_key(key)
        text = sshd.host_yaml(identityFile=key, minFree="1MiB", workspaceRoot=room / how)
        fleet.write(f"hosts/{how}.yaml", text.replace(f"name: {sshd.name}", f"name: {how}"))
        command = f"cd {REPOSITORY} && exec {sys.executable} -SE -m tests.e2e.echoing {how}"
        lines += f'restrict,command="{command}" {public(key)}\n'
        fleet.task(how, "true", host=how, secrets=SECRETS, retries={"limit": 0})
    (sshd.folder / "authorized_keys").write_text(lines)
    fleet.commit()
    return fleet


def _echo(story: Story, room: Path) -> None:
    """Launch there: what a host said of it is told by the cycle that launched, and kept for those who ask later."""
    for form in FORMS:
        story.show("reconcile", "--log-level", "debug", "-o", form, by="echoing: ", fleet=story.echoing)
    story.show_all(ECHOED, "echoing: ", story.echoing)
    story.looks["workspaces that echo"] = holders(*(room / how for how in ECHOES))


def _live(story: Story, room: Path) -> None:
    fleet = story.fleet
    story.show("validate")
    story.show("plan", "--out", str(room / "before.json"))
    with Watch(fleet, "--log-format", "json", "--log-level", "debug") as daemon:
        until(lambda: all((room / f"said-{name}").exists() for name in TOLD), timeout=60)
        story.core = core_limit(Path(f"/proc/{daemon.pid}"))
        following = [fleet.start("logs", "-f", *words) for words in FOLLOWED]
        for process in following:  # from the host, not from what was collected
            assert select.select([process.stdout, process.stderr], [], [], 60)[0], f"{process.args} prints nothing"
        _look(story, "running")
        (room / "go").touch()
        for process, words in zip(following, FOLLOWED, strict=True):
            story.shown[f"logs -f {' '.join(words)}"] = "".join(process.communicate(timeout=60))
        until(lambda: _ended(fleet, 4), timeout=60, every=0.5)
        story.show("task", "follow-up", "work", "Once more.")
        until(lambda: _ended(fleet, 5), timeout=60, every=0.5)
        _look(story, "over")
        story.show_all(READ)
        for words in ASKED:
            story.show(*words)
        story.looks["state while the daemon runs"] = holders(fleet.state)
        daemon.end()
        story.shown["watch"] = daemon.log


def _end(story: Story) -> None:
    """What is there without a daemon, and another controller, who has to learn the secrets first."""
    fleet = story.fleet
    story.show("describe", "run", next(name for name in runs(fleet) if name.startswith("work-")), "-o", "json")
    story.show("plan", "--out", str(fleet.room / "after.json"))
    story.show("reconcile", "-o", "yaml", "--log-level", "debug", "--log-format", "json")
    story.show("reconcile", "--log-level", "crash")
    fresh = fleet.other_controller("fresh")
    story.show("reconcile", "--take-over", "--log-level", "debug", by="another controller: ", fleet=fresh)
    story.looks["state of another controller"] = holders(fresh.state)


def _ended(fleet: Fleet, count: int) -> bool:
    """So many runs have ended, and their results are here."""
    return sum(run["phase"] in ENDED for run in runs(fleet).values()) == count


def _look(story: Story, when: str) -> None:
    """At the host's files, as they are at that time."""
    workspace = story.home / ".reconciler"
    found = [str(Path(path).relative_to(workspace)) for path in holders(workspace)]
    story.looks[f"workspace {when}"] = [path for path in found if not OWN.match(path)]
    story.looks[f"in the open {when}"] = [
        str(path)
        for path in (workspace / "_", workspace / "app", *workspace.glob("*/runs/*"))
        if path.stat().st_mode & 0o077 and workspace.stat().st_mode & 0o077
    ]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    shared = [Path(place) for place in ("/dev/shm", "/tmp", "/var/tmp", *([runtime] if runtime else []))]
    story.looks[f"shared folders {when}"] = strays(story.began, *shared)
    checkouts = [path for path in workspace.glob("*/checkout/.git") if path.is_dir()]
    assert checkouts
    story.looks[f"git configuration {when}"] = [
        str(place) for place in checkouts if has(git(place, "config", "--list") + git(place, "remote", "-v"))
    ]
