"""Figure 2: what `reconcile` costs when nothing is to be done and no connection is open."""

from collections.abc import Iterator

from benchmarks.figure import Figure, Goal, Scale
from benchmarks.peers.ansible import Ansible
from benchmarks.peers.pyinfra import Pyinfra
from benchmarks.room import finish_tasks, fleet_of
from benchmarks.turns import in_parallel, take_turns, timed
from reconciler.model.host import Host
from reconciler.remote.ssh import Settings, door
from tests.machines.loopback import LoopbackHost

HOSTS = 20


def measure(scale: Scale) -> Iterator[Figure]:
    """The command as a person or a CI job runs it, beside as many cold logins at once."""
    with fleet_of(HOSTS) as (fleet, hosts):
        finish_tasks(fleet, HOSTS)
        ansible, pyinfra = Ansible(fleet.room, hosts), Pyinfra(fleet.room, hosts)
        settings = Settings(next(fleet.state.glob("fleets/*")))
        bare = [[*door(_host(host), settings).argv(None, "-T"), "true"] for host in hosts]
        near = take_turns(
            scale.pick(15, 5),
            {
                "ours": timed(lambda: fleet.run("reconcile", check=0)),
                "cold ssh": timed(lambda: in_parallel(bare)),
            },
        )

        def cold() -> float:
            assert ansible.run
            ansible.hang_up()
            return timed(ansible.run)()

        measures = {"ansible raw": cold if ansible.run else None, "pyinfra exec": pyinfra.run and timed(pyinfra.run)}
        far = take_turns(scale.pick(7, 2), measures)
        ansible.hang_up()
        ours = near.pop("ours")
        assert ours
        goals = (Goal(1.3, "cold ssh", plus=0.4), Goal(1, "ansible raw"), Goal(1, "pyinfra exec"))
        what = f"cold `reconcile`, {HOSTS} hosts, nothing to do"
        yield Figure(2, what, "s", ours, {**near, **far}, goals, key="cold")


def _host(host: LoopbackHost) -> Host:
    """As the fleet names it, and so with the same ssh configuration."""
    return Host(
        name=host.name,
        address=host.address,
        port=host.port,
        user=host.user,
        identity_file=str(host.login_key),
        host_keys=(host.host_key,),
    )
