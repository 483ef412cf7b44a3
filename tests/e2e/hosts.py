"""What tests of the life of hosts share: workers that tell, and what a person would look at."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.e2e.fleet import Fleet
from tests.machines.machine import Machine
from tests.waiting import until

OnMachines = Callable[..., tuple[Fleet, list[Machine]]]

BEGIN = 'echo "$RECONCILER_RUN" >>~/starts\n'
LONG = f"{BEGIN}sleep 600\n"
OPTIONS: dict[str, object] = {"minFree": "1MiB", "deadline": "5s"}


def declare(fleet: Fleet, machine: Machine, name: str = "", **spec: object) -> None:
    """Write hosts/NAME.yaml for a machine."""
    name = name or machine.name
    text = machine.host_yaml(**{**OPTIONS, **spec}).replace(f"name: {machine.name}", f"name: {name}")
    fleet.write(f"hosts/{name}.yaml", text)


def starts(*machines: Machine) -> list[str]:
    """Runs that started, in the order of machines and time."""
    return [line for one in machines if (file := one.home / "starts").exists() for line in file.read_text().split()]


def workers(machine: Machine) -> list[str]:
    """What lives there of the tasks above."""
    return [process.command for process in machine.processes() if process.command.startswith("sleep 6")]


def whys(report: dict[str, Any]) -> dict[str, str]:
    """Task → why it waits."""
    return {wait["task"]: wait["why"] for wait in report["waits"]}


def unreachable(report: dict[str, Any]) -> dict[str, str]:
    """Host → why it cannot be asked."""
    return {host["host"]: host["why"] for host in report["unreachable"]}


def changes(report: dict[str, Any]) -> set[tuple[str, str, str | None]]:
    """(action, task, host) of every change."""
    return {(change["action"], change["task"], change["host"]) for change in report["changes"]}


def launched(report: dict[str, Any]) -> set[tuple[str, str | None]]:
    """(task, host) of every launch; what is short may have ended in the same cycle."""
    return {(task, host) for action, task, host in changes(report) if action == "launch"}


def once(fleet: Fleet, check: int | None = 0, *words: str) -> dict[str, Any]:
    """`reconcile`, one cycle."""
    return fleet.json("reconcile", *words, check=check)


def settle(fleet: Fleet, true: Callable[[], Any]) -> None:
    """Cycles until something is so."""
    until(lambda: once(fleet, None) and true(), timeout=40)


def where(fleet: Fleet) -> dict[str, str]:
    """Task → `phase host`."""
    return {item["name"]: f"{item['phase']} {item['host']}" for item in fleet.json("get", "tasks")["items"]}


def events(fleet: Fleet, kind: str) -> list[dict[str, Any]]:
    """What `events --type` tells, oldest first."""
    lines = fleet.run("events", "--type", kind, "-o", "json", check=0).stdout.splitlines()
    return [json.loads(line) for line in lines]


def at(event: dict[str, Any]) -> float:
    """When it happened, to the second."""
    return datetime.fromisoformat(event["time"]).timestamp()
