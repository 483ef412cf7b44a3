"""One schedule: a seed makes a fleet, controllers and faults; then the faults end, and all must come to rest."""

from dataclasses import dataclass, field
from random import Random

from reconciler.model.run import State as Phase
from tests.simulation.controller import Controller
from tests.simulation.edits import EDITS
from tests.simulation.faults import FAULTS
from tests.simulation.machine import WORKER
from tests.simulation.world import World

CALLS = ("lost", "answer lost", "twice")
ROUNDS = 60  # in which all has to come to rest once the faults are over


@dataclass
class Verdict:
    """What became of one schedule."""

    seed: int
    violations: list[str]
    faults: dict[str, int]
    steps: int
    boundaries: int
    rounds: int  # until it was at rest
    trace: list[str] = field(default_factory=list)


class Schedule:
    """One seed."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.world = world = World(random)
        kinds = [*FAULTS, *EDITS]
        # A few kinds at a time: all together would hide what two of them do to each other.
        self.kinds = random.sample(kinds, random.randint(2, 7))
        world.weather = {name: random.choice([0.02, 0.2]) for name in random.sample(CALLS, random.randint(0, 2))}
        for _ in range(random.choice([1, 1, 2])):
            world.controller().single = random.random() < 0.3
        self.steps = 0
        world.trace = [] if trace else None

    def run(self) -> Verdict:
        """Trouble, then calm."""
        world, rounds = self.world, 0
        self.world.note(f"{self.kinds} {world.weather} {len(world.controllers)} controllers")
        for _ in range(self.random.choice([10, 15, 25, 40])):
            self.world.note(self.act())
            self.steps += 1
            if world.truth.violations:
                break
        else:
            calm = Calm(world, self.random.choice(world.controllers))
            calm.heal()
            rounds = calm.run()
        faults, boundaries = dict(world.truth.faults), world.truth.boundaries
        return Verdict(self.seed, world.truth.violations, faults, self.steps, boundaries, rounds, world.trace or [])

    def act(self) -> str:
        """One thing happens."""
        world, random = self.world, self.random
        dice = random.random()
        if dice < 0.62:
            return self.go_on()
        if dice < 0.74:
            world.time += random.choice([0.5, 2.5, 10, 60, 400])
            if random.random() < 0.4:
                return "time goes by"
            one = random.choice(world.controllers)
            one.clone.follow()
            if one.process is None:
                one.start()
                return f"{one.name} starts"
            one.round()
            return f"{one.name} begins a round"
        kind = random.choice(self.kinds)
        happened = (FAULTS.get(kind) or EDITS[kind])(world)
        world.truth.faults[kind] += happened
        return f"{kind}{'' if happened else ' (not now)'}"

    def go_on(self) -> str:
        """A controller, a call, an answer or a host goes on."""
        random = self.random
        one = random.choice(self.world.controllers)
        if one.process is None and random.random() < 0.5:
            one.clone.follow()
            one.start()
            return f"{one.name} starts"
        for _ in range(random.randint(1, 4)):
            done = self.turn(one)
        if (moves := self.world.moves()) and random.random() < 0.7:
            what, move = random.choice(moves)
            if what != "exit" or random.random() < 0.4:  # work takes longer than what happens around it
                move()
            return f"{one.name} {done}; a host: {what}"
        return f"{one.name} {done}"

    def turn(self, one: Controller) -> str:
        """A call of it is carried out, or an answer comes in, or it looks at what has come."""
        random, process = self.random, one.process
        if process and process.calls and (not process.answers or random.random() < 0.5):
            one.carry_out(random.randrange(len(process.calls)))
            return "calls"
        if process and process.answers:
            one.hear(random.randrange(len(process.answers)))
            if random.random() < 0.25:
                return "has mail"
        one.step()
        return "steps"


class Calm:
    """The faults are over: one controller, and workers that end well."""

    def __init__(self, world: World, boss: Controller) -> None:
        self.world = world
        self.boss = boss
        self.moved = False  # a host did something in the last round

    def run(self) -> int:
        """How many rounds it took until nothing was left to do. What was not so in time is a violation."""
        for rounds in range(ROUNDS):
            before = self.world.writes
            self.round()
            if self.world.truth.violations:
                return rounds
            if self.world.flying and not rounds % 2:
                self.world.arrive(0)
                continue
            if self.resting() and self.world.writes == before and not self.moved:
                self.verify()
                return rounds
        process = self.boss.process
        plan = process.engine.plan if process else None
        self.world.truth.violation(f"it does not come to rest: {plan} {self.boss.troubles[-1:]}")
        return ROUNDS

    def heal(self) -> None:
        world = self.world
        world.weather = {}
        for one in world.controllers:
            one.kill_at = None
            one.kill()
        for machine in world.addresses.values():
            machine.reachable, machine.full, machine.key = True, "", machine.own_key
            for space in machine.spaces.values():
                space.holder = ""
        boss = self.boss
        world.bury(boss)
        EDITS["host keys pinned"](world)
        boss.clone.readable = boss.clone.following = True
        boss.allow_prune, boss.single = True, False
        self.world.note(f"calm: {boss.name}")

    def round(self, *, working: bool = False) -> None:
        """One round of the controller, and what hosts do meanwhile; `working`: no worker gets done."""
        world, boss = self.world, self.boss
        world.time += 61
        boss.clone.follow()
        if boss.process is None:
            boss.start()
        else:
            boss.round()
        for _ in range(200):
            process = boss.process
            if process is None or boss.idle:
                break
            while boss.process and process.calls:
                boss.carry_out(0)
            while boss.process and process.answers:
                boss.hear(0)
            boss.step()
        else:
            world.truth.violation("a round goes on for ever")
        self.moved = False
        for _ in range(6):
            for what, move in world.moves():
                if working and what == "exit":
                    continue
                self.moved = True
                self.world.note(f"a host: {what}")
                move()
        self.world.note(
            f"round of {boss.name}: {[f'{c.action} {c.run}' for c in process.engine.plan.changes]}"
            if (process := boss.process)
            else f"{boss.name} ended: {boss.troubles[-1:]}"
        )

    def resting(self) -> bool:
        process = self.boss.process
        if process is None:
            return False
        plan = process.engine.plan
        return not (plan.changes or plan.takes or any(wait.until is not None for wait in plan.waits))

    def verify(self) -> None:
        """What has to be so in the end."""
        world, truth, process = self.world, self.world.truth, self.boss.process
        assert process
        engine = process.engine
        plan, desired, memory = engine.plan, engine.desired, engine.world.ledger.memory()
        twins = truth.twins()
        closed = any(host.cordon or host.drain or host.gone for host in desired.hosts.values())
        for wait in plan.waits:
            if not (wait.person or closed):
                truth.violation(f"{wait.task} waits for nothing that could come: {wait.why}")
        named = {(host.address, host.workspace_root) for host in desired.hosts.values() if not host.gone}
        for address, machine in world.addresses.items():
            for root, space in machine.spaces.items():
                if (address, root) not in named:
                    continue
                for run in space.runs.values():
                    if run.name.task not in desired.tasks and desired.complete:
                        truth.violation(f"{run.name} is left on {address} although its task is not in git")
                    if run.name in twins:
                        continue
                    kept = memory.runs.get(str(run.name))
                    if kept is None or kept.result is None or not (kept.collected or kept.result.state is Phase.VOID):
                        truth.violation(f"the end of {run.name} on {address} was lost: {kept}")
            for one in machine.processes.values():
                # What a wiped workspace left is ended when its host is taken, which nothing may be a reason for.
                if one.role == WORKER and one.run and one.run.exists and (address, one.run.root) in named:
                    truth.violation(f"a worker of {one.run.name} is left on {address}")
        for name, (text, workspace) in truth.results.items():
            kept = memory.runs.get(str(name))
            said = text.partition(";")[0].removeprefix("state=")
            if name in twins:
                continue
            if kept and kept.result and kept.collected and kept.result.state.lower() != said:
                truth.violation(f"{name} ended {said} in {workspace}, and the ledger says {kept.result.state}")


def run(seed: int, *, trace: bool = False) -> Verdict:
    """Everything that one seed makes."""
    return Schedule(seed, trace=trace).run()
