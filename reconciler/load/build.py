"""A document and the fleet's defaults become one of the nouns. Pure; a schema has accepted everything."""

import posixpath
from collections.abc import Mapping
from typing import Any

from reconciler.load.build_work import agent_ref, qa, secrets, start, steps, template
from reconciler.load.digest import rerun_key
from reconciler.load.documents import Document
from reconciler.load.signers import signers
from reconciler.load.units import seconds, seconds_or_never, size
from reconciler.load.urls import urls
from reconciler.model.agent import Agent
from reconciler.model.fleet import Fleet, Prune, Retention, Suspend
from reconciler.model.host import Drain, Host, Transport
from reconciler.model.project import Fork, Project
from reconciler.model.task import Priority, Retries, Task, UpdatePolicy

Defaults = Mapping[str, Any]


def fleet(document: Document) -> Fleet:
    """Take the Fleet document and return the Fleet."""
    spec = document.spec
    prune, retention = spec.get("prune", {}), spec.get("retention", {})
    return Fleet(
        name=document.name,
        id=spec["id"],
        suspend=_suspend(spec),
        interval=seconds(spec.get("interval", "30s")),
        prune=Prune(prune.get("maxPercent", Prune().max_percent), prune.get("maxCount", Prune().max_count)),
        retention=Retention(retention.get("runs", Retention().runs), seconds(retention.get("age", "30d"))),
        signers=signers(spec),
    )


def host(document: Document, defaults: Defaults) -> Host:
    """Take a Host document and the fleet's `defaults.host` and return the Host."""
    spec = {**defaults, **document.spec}
    plain = Host("")
    options = {**defaults.get("sshOptions", {}), **document.spec.get("sshOptions", {})}
    return Host(
        name=document.name,
        transport=Transport(spec.get("transport", "ssh")),
        address=spec.get("address", ""),
        user=spec.get("user", ""),
        port=spec.get("port"),
        identity_file=spec.get("identityFile", ""),
        host_keys=tuple(spec.get("hostKeys", ())),
        deadline=float(seconds(spec.get("deadline", "15s"))),
        min_free=size(spec.get("minFree", plain.min_free)),
        proxy_jump=spec.get("proxyJump", ""),
        ssh_options={name: str(value) for name, value in options.items() if not name.startswith("x-")},
        workspace_root=posixpath.normpath(spec.get("workspaceRoot", plain.workspace_root)),
        shell_prelude=spec.get("shellPrelude", plain.shell_prelude),
        slots=spec.get("slots", plain.slots),
        env=document.spec.get("env", {}),
        labels={**defaults.get("labels", {}), **document.labels},
        cordon=spec.get("cordon", False),
        drain=_drain(spec.get("drain", False)),
        gone=spec.get("gone", False),
        source=document.source,
    )


def project(document: Document) -> Project:
    """Take a Project document and return the Project, both of its addresses known."""
    spec = document.spec
    found = urls(spec)
    return Project(
        name=document.name,
        git_url=found.git,
        repo_url=found.repo,
        base_branch=spec.get("baseBranch", ""),
        fork=Fork(spec.get("fork", "never")),
        env=spec.get("env", {}),
        secrets=secrets(spec),
        setup=spec.get("setup", ""),
        qa=qa(spec),
        source=document.source,
    )


def agent(document: Document) -> Agent:
    """Take an Agent document and return the Agent."""
    spec = document.spec
    budget = spec.get("budgetUsd")
    return Agent(
        name=document.name,
        tool=spec["tool"],
        model=spec.get("model", ""),
        args=tuple(spec.get("args", ())),
        command=tuple(spec.get("command", ())),
        env=spec.get("env", {}),
        secrets=secrets(spec),
        max_concurrent=spec.get("maxConcurrent"),
        variants={name: limits["maxConcurrent"] for name, limits in spec.get("variants", {}).items()},
        fallback=tuple(spec.get("fallback", ())),
        budget_usd=None if budget is None else float(budget),
        source=document.source,
    )


def retries(document: Document, defaults: Defaults) -> dict[str, Any]:
    """Take a Task document and the fleet's `defaults.task` and return its retries as written, merged key by key."""
    return {**defaults.get("retries", {}), **document.spec.get("retries", {})}


def task(document: Document, defaults: Defaults) -> Task:
    """Take a Task document and the fleet's `defaults.task` and return the Task."""
    spec = {**defaults, **document.spec}
    again = retries(document, defaults)
    selector = spec.get("hostSelector")
    script = spec.get("run", "")
    return Task(
        name=document.name,
        steps=steps(document.name, document.spec),
        script=script,
        project=spec.get("project", ""),
        agent=None if script or "agent" not in spec else agent_ref(spec["agent"]),
        prompt=spec.get("prompt", ""),
        qa=qa(spec),
        start=start(spec),
        issue=spec.get("issue"),
        template=template(spec),
        labels=document.labels,
        title=spec.get("title", ""),
        description=spec.get("description", ""),
        closed=spec.get("state", "open") == "closed",
        suspend=_suspend(spec),
        priority=Priority[spec.get("priority", "normal").upper()],
        host=spec.get("host", ""),
        selector=None if selector is None else selector.get("matchLabels", {}),
        env=spec.get("env", {}),
        secrets=secrets(spec),
        timeout=seconds_or_never(spec.get("timeout", "24h")),
        idle_timeout=seconds_or_never(spec.get("idleTimeout", "never" if script else "1h")),
        retries=Retries(
            again.get("limit", 0), seconds(again.get("backoff", "30s")), seconds(again.get("maxBackoff", "30m"))
        ),
        replace_after=seconds_or_never(spec.get("replaceAfter", "never")),
        depends_on=tuple(spec.get("dependsOn", ())),
        rerun_key=rerun_key(document.spec),
        update_policy=UpdatePolicy(spec.get("updatePolicy", "restart")),
        source=document.source,
    )


def _suspend(spec: Mapping[str, Any]) -> Suspend:
    value = spec.get("suspend", False)
    if isinstance(value, bool):
        return Suspend.HOLD if value else Suspend.NO
    return Suspend.CANCEL if value["cancel"] else Suspend.HOLD


def _drain(value: bool | Mapping[str, Any]) -> Drain | None:
    if isinstance(value, bool):
        return Drain() if value else None
    return Drain(seconds_or_never(value.get("deadline", "1h")))
