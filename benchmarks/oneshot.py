"""Figure 2: what `reconcile` costs when nothing is to be done and no connection is open."""

import json
from collections.abc import Iterator, Mapping

from benchmarks.figure import Figure, Goal, Scale
from benchmarks.peers.ansible import Ansible
from benchmarks.peers.pyinfra import Pyinfra
from benchmarks.room import finish_tasks, fleet_of
from benchmarks.turns import in_parallel, take_turns, timed
from reconciler.model.host import Host
from reconciler.remote.ssh import Settings, door
from tests.machines.loopback import LoopbackHost

HOSTS = 20
KEX = "curve25519-sha256"  # paramiko has no post-quantum key exchange, which costs OpenSSH 9.2 most of a login


def measure(scale: Scale) -> Iterator[Figure]:
    """The command as a person or a CI job runs it, beside as many cold logins at once.

    Twice: with the key exchange that OpenSSH chooses, and with the only one that pyinfra's library has, too.
    """
    what = f"cold `reconcile`, {HOSTS} hosts, nothing to do"
    yield _measured(scale, what, "cold", {})
    yield _measured(scale, f"{what}, {KEX}", "cold-kex", {"KexAlgorithms": KEX})


def _measured(scale: Scale, what: str, key: str, options: Mapping[str, str]) -> Figure:
    """`options`: sshOptions of every host, also for the bare logins and for ansible."""
    spec = {"sshOptions": json.dumps(options)} if options else {}
    with fleet_of(HOSTS, host_spec=spec) as (fleet, hosts):
        finish_tasks(fleet, HOSTS)
        ansible, pyinfra = Ansible(fleet.room, hosts, options), Pyinfra(fleet.room, hosts)
        settings = Settings(next(fleet.state.glob("fleets/*")))
        bare = [[*door(_host(host, options), settings).argv(None, "-T"), "true"] for host in hosts]

        def cold() -> float:
            assert ansible.run
            ansible.hang_up()
            return timed(ansible.run)()

        found = take_turns(
            scale.pick(15, 1),
            {
                "ours": timed(lambda: fleet.run("reconcile", check=0)),
                "cold ssh": timed(lambda: in_parallel(bare)),
                "ansible raw": cold if ansible.run else None,
                "pyinfra exec": pyinfra.run and timed(pyinfra.run),
            },
        )
        ansible.hang_up()
        ours = found.pop("ours")
        assert ours
        goals = (Goal(1.3, "cold ssh", plus=0.4), Goal(1, "ansible raw"), Goal(1, "pyinfra exec"))
        return Figure(2, what, "s", ours, found, goals, key=key)


def _host(host: LoopbackHost, options: Mapping[str, str]) -> Host:
    """As the fleet names it, and so with the same ssh configuration."""
    return Host(
        name=host.name,
        address=host.address,
        port=host.port,
        user=host.user,
        identity_file=str(host.login_key),
        host_keys=(host.host_key,),
        ssh_options=options,
    )
