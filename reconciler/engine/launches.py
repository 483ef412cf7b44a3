"""Changes that start something → launches with everything their host needs, and intents for the ledger."""

import secrets as random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.act.payload import Launch
from reconciler.act.worker import Worker, secrets
from reconciler.engine.answers import Answers
from reconciler.engine.desired import Wanted
from reconciler.engine.sights import Sights
from reconciler.engine.world import World
from reconciler.errors import ReconcilerError
from reconciler.model.change import Action, Change
from reconciler.model.desired import Desired
from reconciler.model.host import Host
from reconciler.model.run import RunName
from reconciler.model.task import Secret, Task
from reconciler.observe.parse import run_name
from reconciler.record.ledger import Intent
from reconciler.record.redactor import maskable


class Launches:
    """Makes launches. `lacking`: task → which secret could not be had when it was to be launched."""

    def __init__(self, world: World, wanted: Wanted, answers: Answers) -> None:
        self._world = world
        self._wanted = wanted
        self._answers = answers
        self.lacking: dict[str, str] = {}

    def missing(self, desired: Desired) -> dict[str, str]:
        """Task → which secrets the controller does not know, and what to do."""
        missing = dict(self.lacking)
        for task in desired.tasks.values():
            if task.closed:
                continue
            wanted = _secrets(task, desired)
            lacking = self._world.secrets.missing([secret.origin for secret in wanted]) if wanted else {}
            if lacking:
                missing[task.name] = "; ".join(lacking.values())
        return missing

    def make(self, chosen: Mapping[str, Sequence[Change]], desired: Desired) -> tuple[dict[str, Launch], set[Change]]:
        """Run → its launch, and the changes that cannot be sent because a secret cannot be had, or not yet."""
        wanted = [c for changes in chosen.values() for c in changes if c.action is Action.LAUNCH]
        files = {change.task: desired.tasks[change.task].source.file for change in wanted}
        authors = self._wanted.authors(desired, files) if wanted else {}
        launches: dict[str, Launch] = {}
        unsent: set[Change] = set()
        for change in wanted:
            task = desired.tasks[change.task]
            given = _secrets(task, desired, change)
            try:
                values = self._answers.values([secret.origin for secret in given])
            except ReconcilerError as problem:
                unsent.add(change)
                self.lacking[change.task] = str(problem)
                continue
            if values is None:
                unsent.add(change)
                continue
            self._world.knows(values)
            for name in sorted(name for name, value in values.items() if not maskable(value)):
                self._world.trouble_with(
                    name, f"secret {name} is too short, or too common a word, to be masked in logs"
                )
            launches[change.run] = Launch(
                name=named(change.run),
                task=task,
                mark=random.token_hex(4),
                secrets={secret.name: values[secret.origin] for secret in given},
                masked=frozenset(secret.origin for secret in given),
                author=authors.get(change.task, ""),
                launcher=self._world.launcher,
                worker=self._worker(task, change, desired),
            )
        return launches, unsent

    def intents(
        self,
        chosen: Mapping[str, Iterable[Change]],
        launches: Mapping[str, Launch],
        hosts: Mapping[str, Host],
        sights: Sights,
        desired: Desired,
        number: int,
    ) -> list[Intent]:
        """What the ledger has to know before the first byte goes out; `number`: the lease they are sent under."""
        intents = []
        for host, changes in chosen.items():
            for change in changes:
                launch = launches.get(change.run)
                sight = sights.get(host)
                if launch is None or sight is None or change.action is not Action.LAUNCH:
                    continue
                place = replace(hosts[host].place, workspace_id=sight.workspace_id)
                intents.append(
                    Intent(
                        name=launch.name,
                        place=place,
                        lease=number,
                        rerun_key=launch.task.rerun_key,
                        revision=desired.revision,
                        author=launch.author,
                        labels=launch.task.labels,
                        project=launch.task.project,
                        work=change.work,
                    )
                )
        return intents

    def _worker(self, task: Task, change: Change, desired: Desired) -> Worker | None:
        work = change.work
        if work is None:
            return None
        from reconciler.act.brief import prompt
        from reconciler.agents.adapter import Order
        from reconciler.agents.registry import adapter
        from reconciler.prompts.builtin import result_schema

        project, agent, schema = desired.projects[task.project], desired.agents[work.agent.name], result_schema()
        order = Order(
            model=agent.model,
            variant=work.agent.variant,
            args=agent.args,
            command=agent.command,
            budget_usd=work.budget_usd,
            schema=schema,
            base=task.start.name if task.start else project.base_branch,
        )
        request = next((step.request for step in task.steps if step.digest == named(change.run).digest), "")
        before = self._world.ledger.run_rows(task.name, include_cleaned=True) if work.after else ()
        told = prompt(task, project, work, request, desired.prompts, before)
        return Worker(project, agent, work, adapter(agent.tool).command(order), told, schema)


def named(run: str) -> RunName:
    """The parts of a run's name that deciding has made up."""
    name = run_name(run)
    if name is None:
        raise AssertionError(f"decide named a run {run!r}")
    return name


def _secrets(task: Task, desired: Desired, change: Change | None = None) -> tuple[Secret, ...]:
    """Those of the agent that was chosen, else of the one that the task names."""
    ref = change.work.agent if change is not None and change.work else task.agent
    return secrets(task, desired.projects.get(task.project), desired.agents.get(ref.name) if ref else None)


def origins(desired: Desired, task: str, agent: str = "") -> list[str]:
    """The controller's names of the secrets that documents give a task's worker, `agent` or else the task's own."""
    wanted = desired.tasks.get(task)
    if wanted is None:
        return []
    worker = desired.agents.get(agent or (wanted.agent.name if wanted.agent else ""))
    return [secret.origin for secret in secrets(wanted, desired.projects.get(wanted.project), worker)]
