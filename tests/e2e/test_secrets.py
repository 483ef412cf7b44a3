"""A secret is in its worker's environment, and nowhere else: a canary is looked for wherever it could have got to."""

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.agents import agent, home, inside, install, make_remote, project
from tests.e2e.fleet import Fleet
from tests.machines.machine import Machine
from tests.waiting import until

OnMachines = Callable[..., tuple[Fleet, list[Machine]]]

pytestmark = [pytest.mark.machines]

# Nobody else on this machine has such a word.
TAG = f"canary{uuid.uuid4().hex[:8]}"
CANARY = {"TOKEN": f"{TAG}/one+two==", "FROM_FILE": f"{TAG}-three-in-a-file", "FROM_COMMAND": f'{TAG}\'four "quoted"'}
WITNESS = """
    for name in TOKEN RENAMED FROM_COMMAND; do printf '%s' "${!name}" | sha256sum; done >~/sums
    env | grep -c 'c[a]nary' >~/count
    printf '%s\\n' "$TOKEN" "$RENAMED" "$FROM_COMMAND"
    echo "$TOKEN" >&2
    printf '{"status": "succeeded", "summary": "it is %s"}' "$TOKEN" >"$RECONCILER_RESULT_FILE"
    touch ~/said
    while [[ ! -e ~/go ]]; do sleep 0.05; done
"""
SECRETS = ["TOKEN", {"name": "RENAMED", "from": "FROM_FILE"}, "FROM_COMMAND"]


@pytest.fixture
def with_secrets(on_machines: OnMachines) -> tuple[Fleet, Machine]:
    """A fleet with one machine, whose controller has three secrets, each from elsewhere."""
    fleet, [machine] = on_machines(1)
    configuration = fleet.room / "config/reconciler"
    configuration.mkdir(parents=True)
    (configuration / "value").write_text(CANARY["FROM_FILE"] + "\n")
    (fleet.room / "ask").write_text(f"#!/bin/bash\ntouch {fleet.room}/asked\nprintf '%s' {_quoted('FROM_COMMAND')}\n")
    (fleet.room / "ask").chmod(0o755)
    (configuration / "secrets.yaml").write_text(
        f"TOKEN: {{env: MY_TOKEN}}\nFROM_FILE: {{file: value}}\nFROM_COMMAND: {{command: [{fleet.room}/ask]}}\n"
    )
    fleet.environment["MY_TOKEN"] = CANARY["TOKEN"]
    return fleet, machine


def _quoted(name: str) -> str:
    return "'" + CANARY[name].replace("'", "'\\''") + "'"


@contextmanager
def watching_argv() -> Iterator[set[str]]:
    """Look at the command line of every process, here and on the machines, all the time; gives those with a canary."""
    found: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if TAG.encode() in words:
                    found.add(words.replace(b"\0", b" ").decode(errors="replace"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def holders(*folders: Path) -> list[str]:
    """The files below some folders that have a canary in them."""
    return sorted(
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and TAG.encode() in path.read_bytes()
    )


def test_a_secret_is_in_the_workers_environment_and_nowhere_else(with_secrets: tuple[Fleet, Machine]) -> None:
    fleet, machine = with_secrets
    fleet.task("witness", WITNESS, secrets=SECRETS)
    fleet.task("other", "env | grep -c 'c[a]nary' >~/others || true")
    fleet.commit()
    shown = [fleet.run("validate"), fleet.run("plan", "-o", "json"), fleet.run("reconcile", "--dry-run")]
    assert not (fleet.room / "asked").exists()
    with watching_argv() as argv:
        shown.append(fleet.run("reconcile", "-o", "json", "--log-level", "debug", check=0))
        until(lambda: (machine.home / "said").exists())
        running = holders(machine.home, Path("/dev/shm"))
        shown += [fleet.run("logs", "witness"), fleet.run("describe", "task", "witness"), fleet.run("doctor")]
        (machine.home / "go").touch()
        shown.append(fleet.run("reconcile", "--wait", "-o", "json", check=0))
    assert argv == set()
    # The worker's own output is the worker's: it stays in its run directory, readable by its login alone.
    assert (machine.home / ".reconciler").stat().st_mode & 0o077 == 0
    assert [path for path in running if not path.endswith((".log", "result.json"))] == []
    assert [path for path in holders(machine.home) if not path.endswith((".log", "answer.json"))] == []
    # It had them, and nobody else did.
    sums = (machine.home / "sums").read_text().split()[::2]
    assert sums == [hashlib.sha256(CANARY[name].encode()).hexdigest() for name in CANARY]
    assert (machine.home / "count").read_text() == "3\n"
    assert (machine.home / "others").read_text() == "0\n"
    # What the controller keeps and shows is masked.
    for verb in (
        ["logs", "witness"],
        ["logs", "witness", "--stream", "stderr"],
        ["get", "tasks", "-o", "json"],
        ["get", "runs", "-o", "yaml"],
        ["describe", "task", "witness"],
        ["events", "-o", "json"],
        ["plan", "--out", str(fleet.room / "plan.json")],
    ):
        shown.append(fleet.run(*verb, check=0))
    assert [done.args for done in shown if TAG in done.stdout + done.stderr] == []
    assert fleet.run("logs", "witness").stdout.count("***") >= 3
    assert holders(fleet.state, fleet.room / "repo") == []
    assert holders(fleet.room) == sorted(
        str(path) for path in (fleet.room / "ask", fleet.room / "config/reconciler/value")
    )


def test_secrets_of_a_task_its_project_and_its_agent(with_secrets: tuple[Fleet, Machine]) -> None:
    """Setup and checks print them, too; the worker takes away what tells a later controller which ones it had."""
    fleet, machine = with_secrets
    install(machine)
    remote = make_remote(home(machine) / "remotes")
    tell = 'printf "%s\\n" "$TOKEN" "$RENAMED" "$FROM_COMMAND"'
    project(fleet, inside(machine, remote), secrets=[SECRETS[1]], setup=tell, qa=[f"{tell}; exit 3"])
    agent(
        fleet,
        "own",
        "command",
        command=["bash", "-c", WITNESS + 'rm "$RECONCILER_RUN_DIR/run.json"'],
        secrets=["FROM_COMMAND"],
    )
    spec = {"project": "app", "agent": "own", "prompt": "Tell.", "secrets": ["TOKEN"], "retries": {"limit": 0}}
    fleet.write("tasks/witness.yaml", fleet.document("Task", "witness", spec))
    fleet.commit()
    with watching_argv() as argv:
        shown = [fleet.run("reconcile", "-o", "json", "--log-level", "debug", check=0)]
        until(lambda: (machine.home / "said").exists())
        running = holders(machine.home, Path("/dev/shm"))
        shown += [fleet.run("logs", "witness"), fleet.run("task", "prompt", "witness"), fleet.run("get", "agents")]
        (machine.home / "go").touch()
        until(lambda: "sleep 0.05" not in str(machine.processes()))
        shown.append(fleet.run("reconcile", "--wait", "--timeout", "40s", "-o", "json"))
    assert argv == set()
    assert [path for path in running if not path.endswith((".log", "result.json"))] == []
    assert [path for path in holders(machine.home) if not path.endswith((".log", "answer.json"))] == []
    assert (machine.home / "sums").read_text().split()[::2] == [
        hashlib.sha256(CANARY[name].encode()).hexdigest() for name in CANARY
    ]
    for verb in (["logs", "witness"], ["get", "runs", "-o", "json"], ["describe", "task", "witness"], ["events"]):
        shown.append(fleet.run(*verb, check=0))
    assert [done.args for done in shown if TAG in done.stdout + done.stderr] == []
    assert "QAFailed" in fleet.run("describe", "task", "witness").stdout
    fresh = fleet.other_controller("fresh")
    fresh.run("reconcile", "--wait", "--timeout", "20s")
    assert holders(fleet.state, fresh.state) == []


def test_what_a_deleted_task_printed_is_masked_too(with_secrets: tuple[Fleet, Machine]) -> None:
    """Its logs come home after its document has gone, with another process, and maybe with a lost ledger."""
    fleet, machine = with_secrets
    fleet.task("witness", WITNESS, secrets=SECRETS)
    fleet.task("changed", WITNESS, secrets=SECRETS)
    fleet.task("stays")
    fleet.commit()
    fleet.run("reconcile", check=0)
    until(lambda: (machine.home / "said").exists())
    fleet.remove("tasks/witness.yaml")
    fleet.task("changed", WITNESS)
    fleet.commit()
    (machine.home / "go").touch()
    until(lambda: "sleep 0.05" not in str(machine.processes()))
    fresh = fleet.other_controller("fresh")
    for controller in (fleet, fresh):
        controller.run("reconcile", "--wait", "--timeout", "30s", "--allow-prune")
        assert holders(controller.state) == []
        assert TAG not in str(controller.json("get", "runs"))


def test_a_missing_secret_is_waited_for_and_said(with_secrets: tuple[Fleet, Machine]) -> None:
    fleet, machine = with_secrets
    fleet.task("lacks-one", "touch ~/ran", secrets=["NOWHERE"])
    fleet.task("lacks-its-command", "touch ~/ran", secrets=["FROM_COMMAND"])
    (fleet.room / "ask").write_text("#!/bin/bash\necho canary-on-stderr >&2\nexit 1\n")
    fleet.commit()
    report = fleet.json("reconcile", "--wait", "--timeout", "20s", check=5)
    tasks = {item["name"]: (item["phase"], item["why"]) for item in fleet.json("get", "tasks")["items"]}
    assert {phase for phase, _ in tasks.values()} == {"Pending"}
    assert "secret NOWHERE is missing" in tasks["lacks-one"][1]
    assert "secret FROM_COMMAND is missing" in tasks["lacks-its-command"][1]
    assert TAG not in str(report) + str(tasks)
    assert not (machine.home / "ran").exists()
    fleet.environment["NOWHERE"] = "here it is now"
    (fleet.room / "ask").write_text("#!/bin/bash\necho here it is\n")
    fleet.reconcile()
    assert (machine.home / "ran").exists()
