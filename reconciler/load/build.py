"""A document and the fleet's defaults become a Fleet, a Host or a Task. Pure; a schema has accepted everything."""

import posixpath
from collections.abc import Mapping
from typing import Any

from reconciler.load.digest import digest, rerun_key
from reconciler.load.documents import Document
from reconciler.load.units import seconds, seconds_or_never, size
from reconciler.model.fleet import Fleet, Prune, Retention, Suspend
from reconciler.model.host import Drain, Host, Transport
from reconciler.model.task import Priority, Retries, Secret, Step, Task, UpdatePolicy

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


def retries(document: Document, defaults: Defaults) -> dict[str, Any]:
    """Take a Task document and the fleet's `defaults.task` and return its retries as written, merged key by key."""
    return {**defaults.get("retries", {}), **document.spec.get("retries", {})}


def task(document: Document, defaults: Defaults) -> Task:
    """Take a Task document and the fleet's `defaults.task` and return the Task."""
    spec = {**defaults, **document.spec}
    again = retries(document, defaults)
    selector = spec.get("hostSelector")
    return Task(
        name=document.name,
        steps=(Step(digest(document.spec)),),
        script=spec["run"],
        labels=document.labels,
        title=spec.get("title", ""),
        description=spec.get("description", ""),
        closed=spec.get("state", "open") == "closed",
        suspend=_suspend(spec),
        priority=Priority[spec.get("priority", "normal").upper()],
        host=spec.get("host", ""),
        selector=None if selector is None else selector.get("matchLabels", {}),
        env=spec.get("env", {}),
        secrets=tuple(_secret(item) for item in spec.get("secrets", ())),
        timeout=seconds_or_never(spec.get("timeout", "24h")),
        idle_timeout=seconds_or_never(spec.get("idleTimeout", "never")),
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


def _secret(item: str | Mapping[str, str]) -> Secret:
    if isinstance(item, str):
        return Secret(item, item)
    return Secret(item["name"], item.get("from", item["name"]))
