"""What `host check` asks a host for follows from the documents."""

from reconciler.model.agent import Agent
from reconciler.model.desired import Desired
from reconciler.model.fleet import Fleet
from reconciler.model.host import Host
from reconciler.model.project import Fork, Project
from reconciler.model.task import AgentRef, Secret, Step, Task
from reconciler.observe.needs import Needs, needs

HOST = Host("h1", labels={"size": "big"})


def task(name: str, agent: str, **keys: object) -> Task:
    return Task(name, (Step("0a1b2c3d"),), project="app", agent=AgentRef(agent), prompt="do", **keys)  # type: ignore[arg-type]


def asked(*tasks: Task, agents: tuple[Agent, ...] = (), projects: tuple[Project, ...] = ()) -> Needs:
    named = {one.name: one for one in agents}
    return needs(
        Desired(
            "c0ffee",
            Fleet("fleet-0001", "demo"),
            hosts={"h1": HOST},
            tasks={one.name: one for one in tasks},
            projects={one.name: one for one in projects},
            agents=named,
        ),
        HOST,
    )


def names(found: Needs) -> list[str]:
    return [program.name for program in found.programs]


def test_a_fleet_of_scripts_asks_for_nothing() -> None:
    assert asked().fields == []


def test_agents_without_tasks_are_asked_for_everywhere() -> None:
    assert names(asked(agents=(Agent("claude", "claude"), Agent("mine", "command", command=("./x", "y"))))) == [
        *("./x", "claude")
    ]


def test_agents_whose_tasks_run_elsewhere_are_not_asked_for() -> None:
    agents = (Agent("claude", "claude", fallback=("gemini",)), Agent("gemini", "gemini"), Agent("codex", "codex"))
    assert names(asked(task("a", "claude", host="h2"), agents=agents)) == ["codex"]
    assert names(asked(task("a", "claude", host="h1"), agents=agents)) == ["claude", "codex", "gemini"]
    assert names(asked(task("a", "claude", selector={"size": "small"}), agents=agents)) == ["codex"]
    assert names(asked(task("a", "claude", selector={"size": "big"}), agents=agents)) == ["claude", "codex", "gemini"]
    assert names(asked(task("a", "claude", host="h2", closed=True), agents=agents)) == ["claude", "codex", "gemini"]


def test_a_program_of_two_tools_is_asked_once_for_the_flags_of_both() -> None:
    (codex,) = asked(agents=(Agent("codex", "codex"), Agent("local", "local"))).programs
    assert {"--output-schema", "--oss"} <= set(codex.flags)
    fields = asked(agents=(Agent("local", "local"),)).fields
    assert fields[:2] == [("agent", "codex"), ("help", "exec\n--help")]
    assert ("flag", "--oss") in fields


def test_gh_is_asked_for_where_it_is_needed() -> None:
    web = "https://github.com/acme/app"
    gitlab = "https://gitlab.com/acme/app"
    assert asked(projects=(Project("app", "/srv/app.git"),)).fields == [("git-identity", "1")]
    assert asked(projects=(Project("app", f"{web}.git", web),)).forges == ("github.com",)
    assert asked(projects=(Project("app", f"{gitlab}.git", gitlab),)).forges == ()
    brings = Project("app", f"{web}.git", web, secrets=(Secret("GH_TOKEN", "GH_TOKEN"),))
    assert asked(projects=(brings,)).tokens == ("github.com",)
    assert asked(projects=(brings, Project("other", f"{web}.git", web))).tokens == ()
    assert ("gh-token", "github.com") in asked(projects=(brings,)).fields
    ghe = "https://git.example.org/acme/app"
    assert asked(projects=(Project("app", f"{ghe}.git", ghe, fork=Fork.AUTO),)).forges == ("git.example.org",)
