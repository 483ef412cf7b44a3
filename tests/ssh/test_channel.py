"""Channels: frames as they come, until somebody stops; and this machine as a host."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.host import Host, Transport
from reconciler.remote.frames import Answer
from reconciler.remote.transport import Unknown
from tests.machines.loopback import LoopbackHost
from tests.machines.machine import Machine
from tests.ssh.talking import ask, eventually, heard, host, masters, remote

Loopback = Callable[[str], LoopbackHost]


class Listener:
    """Listens on a channel in a thread of its own."""

    def __init__(self, state: Path, box: Host, **options: bool) -> None:
        self.remote = remote(state)
        self.frames: list[tuple[str, bytes]] = []
        self.stop = threading.Event()
        self.answers: list[Answer | Unknown] = []
        self.thread = threading.Thread(target=self._listen, args=(box, options))
        self.thread.start()

    def _listen(self, box: Host, options: dict[str, bool]) -> None:
        self.answers.append(
            self.remote.channel(box, "bells", [], lambda *frame: self.frames.append(frame), self.stop, **options)
        )

    def end(self) -> Answer | Unknown:
        self.thread.join(10)
        self.remote.close()
        return self.answers[0]


@pytest.mark.ssh
def test_a_bell_is_heard_at_once_and_its_end_is_an_answer(tmp_path: Path, loopback: Loopback) -> None:
    box = loopback("box1")
    listener = Listener(tmp_path, host(box))
    assert eventually(lambda: listener.frames == [("ready", b"")])
    with (box.home / "bell").open("a") as bell:
        bell.write("run-1\n")
        bell.flush()
        assert eventually(lambda: listener.frames[1:] == [("bell", b"run-1")], 3)
        bell.write("over\n")
    assert heard(listener.end()) == Answer((("ready", b""),), 0)


@pytest.mark.ssh
def test_other_calls_go_on_beside_a_channel(tmp_path: Path, loopback: Loopback) -> None:
    box = loopback("box1")
    listener = Listener(tmp_path, host(box))
    assert eventually(lambda: listener.frames != [])
    assert ask(listener.remote, host(box), "echo $HOME") == str(box.home)
    assert len(masters()) == 1
    listener.stop.set()
    assert listener.end() == Unknown("the channel was closed")
    assert eventually(lambda: not masters())


@pytest.mark.machines
@pytest.mark.parametrize("how", ["stop", "close"])
def test_nothing_is_left_on_the_host_when_a_channel_ends(tmp_path: Path, machine: Machine, how: str) -> None:
    listener = Listener(tmp_path, host(machine))
    assert eventually(lambda: listener.frames != [])
    before = time.monotonic()
    if how == "stop":
        listener.stop.set()
    else:
        listener.remote.close()
    assert listener.end() == Unknown("the channel was closed")
    assert time.monotonic() - before < 3
    assert eventually(lambda: len(machine.processes()) == 1), machine.processes()


@pytest.mark.machines
def test_a_channel_to_a_host_that_dies_ends(tmp_path: Path, machine: Machine) -> None:
    listener = Listener(tmp_path, host(machine))
    assert eventually(lambda: listener.frames != [])
    # It says that it is ready before its script has started what it waits for.
    assert eventually(lambda: any(process.command.startswith("tail") for process in machine.processes()))
    for process in machine.processes():
        if process.command.startswith("tail"):
            machine.run("kill", "-KILL", str(process.pid))
    assert isinstance(listener.end(), Answer)  # its script said so
    machine.stop()
    silent = Listener(tmp_path, host(machine, deadline=2.0))
    assert silent.end() in (
        Unknown("timed out after 2 s"),
        Unknown("connection timed out"),
        Unknown("no route to host"),
    )


def local(**spec: Any) -> Host:
    return Host("here", transport=Transport.LOCAL, **spec)


@pytest.mark.parametrize("address", [socket.gethostname(), ""])
def test_this_machine_is_a_host(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_REPO", "x")
    monkeypatch.setenv("HOME", str(tmp_path))
    said = ask(remote(tmp_path), local(address=address), 'echo "$PWD $HOME ${RECONCILER_REPO-none}"', only=True)
    assert said == f"{tmp_path} {tmp_path} none"


@pytest.mark.parametrize(
    ("address", "only", "why"),
    [
        ("other.example", True, "address is other.example, but this machine is"),
        ("", False, "there are other hosts: set address to"),
        ("", None, "there are other hosts: set address to"),
    ],
)
def test_a_local_host_that_may_be_another_machine_is_unseen(
    tmp_path: Path, address: str, only: bool | None, why: str
) -> None:
    said = ask(remote(tmp_path), local(address=address), "echo here", only=only)
    assert said.startswith("unknown: transport is local and ")
    assert why in said


def test_what_was_said_of_a_local_host_holds_for_the_next_call(tmp_path: Path) -> None:
    here = remote(tmp_path)
    assert ask(here, local(), "echo here", only=True) == "here"
    assert ask(here, local(), "echo here") == "here"


def test_a_local_call_has_a_deadline_and_large_input(tmp_path: Path) -> None:
    here = remote(tmp_path)
    assert ask(here, local(), "sleep 60", only=True, deadline=1) == "unknown: timed out after 1 s"
    assert ask(here, local(), ": " + "x" * 3_000_000 + "\necho here", only=True) == "here"


def test_a_local_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    listener = Listener(tmp_path, local(), only=True)
    assert eventually(lambda: listener.frames == [("ready", b"")])
    listener.stop.set()
    assert listener.end() == Unknown("the channel was closed")
