"""A host's report → Seen or Unseen. Pure: `now` is the controller's clock when the answer came.

Times on hosts become ages there (host's now − record's time) and controller times here, so that two clocks are never
compared. One bad record makes its run bad, never the host; a report whose frame is bad makes the host unseen.
"""

import re
from collections.abc import Mapping

from reconciler.model.host import Facts
from reconciler.model.observed import LeaseMark, Seen, Unseen
from reconciler.observe.records import (
    NUMBER,
    Clock,
    Garbled,
    number,
    parse_result,
    read_living,
    read_records,
    run_name,
    whole,
)

__all__ = ["parse_facts", "parse_report", "parse_result", "run_name"]

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
LATEST = 1e11  # seconds since the epoch; a clock beyond is none


def parse_report(
    frames: Mapping[str, bytes], *, fleet_id: str, now: float, asked_at: float, taken: int = 0
) -> Seen | Unseen:
    """The report in an answer as Seen; Unseen when it cannot be trusted or the workspace is not ours.

    `now`: when the answer came; `asked_at`: when the call began; `taken`: our lease number that it was made under.
    """
    try:
        workspace = _pairs(frames["workspace"])
        fleet = workspace.get("fleet", "")
        if fleet and fleet.partition(";")[0] != fleet_id:
            owner = fleet.partition(";")[2] or fleet
            why = f"its workspace belongs to fleet {owner}: set a workspaceRoot of this fleet's own on the Host"
            return Unseen(why, answered=True)
        host_now = float(workspace["now"])
        if not 0 <= host_now <= LATEST:
            raise Garbled(f"its clock says {workspace['now']}")
        revision = workspace.get("revision", "")
        if revision and not _COMMIT.match(revision):
            raise Garbled(f"{revision} is no commit id")
        runs, worktrees = read_records(frames["records"], Clock(now, host_now))
        read_living(runs, frames["live"])
        return Seen(
            workspace_id=workspace.get("id", ""),
            host_name=workspace.get("name", ""),
            lease=_lease(workspace.get("lease", "")),
            revision=revision,
            holder=workspace.get("holder", ""),
            taken=taken,
            asked_at=asked_at,
            facts=parse_facts(frames["facts"]),
            runs={str(draft.name): draft.report() for draft in runs.values()},
            worktrees=worktrees,
            trash=whole(frames.get("trash", b"").decode().strip()) or 0,
            stuck=tuple(sorted(str(draft.name) for draft in runs.values() if "stuck" in draft.records)),
        )
    except (Garbled, KeyError, ValueError, UnicodeDecodeError) as problem:
        said = f"it has no {problem}" if isinstance(problem, KeyError) else str(problem)
        return Unseen(f"its report is garbled ({said[:120]})")


def parse_facts(frame: bytes) -> Facts:
    """`key=value` lines as Facts; what is missing or no number is None."""
    pairs = _pairs(frame)
    return Facts(
        boot_id=pairs.get("boot_id", ""),
        hostname=pairs.get("hostname", ""),
        uptime=number(pairs.get("uptime")),
        load1=number(pairs.get("load1")),
        memory_free=whole(pairs.get("memory_free")),
        swap_free=whole(pairs.get("swap_free")),
        disk_free=whole(pairs.get("disk_free")),
        inodes_free=whole(pairs.get("inodes_free")),
        tools={key[5:]: value for key, value in pairs.items() if key.startswith("tool.")},
        programs={key[8:]: value == "1" for key, value in pairs.items() if key.startswith("program.")},
    )


def _lease(text: str) -> LeaseMark | None:
    if not text:
        return None
    claimed, _, ledger = text.partition(";")
    if not ledger or not NUMBER.match(claimed):
        raise Garbled(text)
    return LeaseMark(int(claimed), ledger)


def _pairs(frame: bytes) -> dict[str, str]:
    lines = frame.decode("utf-8", "replace").split("\n")
    return dict(line.split("=", 1) for line in lines if "=" in line)
