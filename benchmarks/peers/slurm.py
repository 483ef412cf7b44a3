"""A Slurm of one machine in a folder of its own: munged, slurmctld and slurmd as root, started and stopped here."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.machine import program
from tests.waiting import until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
PATIENCE = 600.0  # seconds for all jobs of a run

CONFIGURATION = """\
ClusterName=benchmark
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={room}/munge.socket
StateSaveLocation={room}/state
SlurmdSpoolDir={room}/spool
SlurmctldPidFile={room}/slurmctld.pid
SlurmdPidFile={room}/slurmd.pid
SlurmctldLogFile={room}/slurmctld.log
SlurmdLogFile={room}/slurmd.log
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,default_queue_depth=10000
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobCompType=jobcomp/filetxt
JobCompLoc={room}/completed
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
MaxJobCount=20000
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={slots} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


class Slurm:
    """A running Slurm with `slots` places for jobs of one CPU."""

    def __init__(self, room: Path) -> None:
        self._room = room
        self._environment = {"PATH": "/usr/bin:/bin", "SLURM_CONF": str(room / "slurm.conf")}

    def submit(self, count: int) -> float:
        """One `sbatch` after the other; seconds until all jobs are COMPLETED. Raises RuntimeError, AssertionError."""
        words = f"for ((n = 0; n < {count}; n++)); do sbatch --parsable -o /dev/null --wrap true || exit; done"
        return self._timed(["bash", "-c", words], count)

    def array(self, count: int) -> float:
        """All in one `sbatch --array`, which is what Slurm is made for."""
        words = ["sbatch", "--parsable", "-o", "/dev/null", f"--array=1-{count}", "--wrap", "true"]
        return self._timed(words, count)

    def _timed(self, words: list[str], count: int) -> float:
        already = self._completed()
        began = time.perf_counter()
        done = subprocess.run(words, cwd=self._room, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"sbatch: {done.stderr[-400:]}")
        until(lambda: self._completed() >= already + count, timeout=PATIENCE, every=0.05)
        return time.perf_counter() - began

    def _completed(self) -> int:
        try:
            return (self._room / "completed").read_bytes().count(b"JobState=COMPLETED")
        except FileNotFoundError:
            return 0


@contextmanager
def slurm(room: Path, slots: int) -> Iterator[Slurm | None]:
    """Start one; None when it is not installed. Raises RuntimeError when it does not come up."""
    found = {name: program(name) for name in PROGRAMS}
    if not all(found.values()):
        yield None
        return
    room = room / "slurm"
    for folder in (room, room / "state", room / "spool"):
        folder.mkdir(mode=0o700)
    room.chmod(0o755)  # munged wants its socket reachable
    ports = _free_ports(2)
    host = socket.gethostname().partition(".")[0]
    text = CONFIGURATION.format(host=host, room=room, slots=slots, controller_port=ports[0], daemon_port=ports[1])
    (room / "slurm.conf").write_text(text)
    key = room / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    munged = [f"--socket={room}/munge.socket", f"--key-file={key}", f"--pid-file={room}/munged.pid", "--force"]
    munged += [f"--log-file={room}/munged.log", f"--seed-file={room}/munged.seed", "--foreground"]
    configured = ["-D", "-f", str(room / "slurm.conf")]
    with ExitStack() as ending:
        for name, words in (("munged", munged), ("slurmctld", [*configured, "-i"]), ("slurmd", configured)):
            ending.enter_context(_daemon(str(found[name]), words, room / f"{name}.out"))
        slurm = Slurm(room)
        try:
            until(lambda: _idle(str(found["scontrol"]), room), timeout=30, every=0.2)
        except AssertionError:
            raise RuntimeError(f"slurm does not start: {(room / 'slurmctld.out').read_text()[-800:]}") from None
        yield slurm


@contextmanager
def _daemon(path: str, words: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        # `--pdeathsig`: it goes when this process is killed.
        started = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", path, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    time.sleep(0.3)  # the next one speaks to it
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _idle(scontrol: str, room: Path) -> bool:
    environment = {"PATH": "/usr/bin:/bin", "SLURM_CONF": str(room / "slurm.conf")}
    done = subprocess.run([scontrol, "show", "node"], env=environment, capture_output=True, text=True, check=False)
    return "State=IDLE" in done.stdout


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
