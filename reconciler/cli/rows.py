"""Rows of every kind that `get` and `describe` know, as a table and as JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from reconciler.cli.context import Context
from reconciler.model.rows import AgentRow, HostRow, ProjectRow, RunRow, TaskRow

if TYPE_CHECKING:
    from reconciler.record.ledger import Ledger
    from reconciler.show.document import Value

Row: TypeAlias = TaskRow | RunRow | HostRow | ProjectRow | AgentRow


def rows_of(kind: str, ledger: "Ledger", *, cleaned: bool = False) -> list[Row]:
    """All rows of a kind; of runs those that left their host too, with `cleaned`."""
    match kind:
        case "task":
            return list(ledger.task_rows())
        case "run":
            return list(ledger.run_rows(include_cleaned=cleaned))
        case "host":
            return list(ledger.host_rows())
    from reconciler.cli.declared import agent_rows, project_rows

    return list(project_rows(ledger)) if kind == "project" else list(agent_rows(ledger))


def items(kind: str, rows: Sequence[Any], ledger: "Ledger") -> "list[Value]":
    """Rows of one kind as the `items` of JSON."""
    from reconciler.show import items as show

    match kind:
        case "task":
            return show.task_items(rows)
        case "run":
            return show.run_items(rows, {task.name: task for task in ledger.task_rows()})
        case "host":
            return show.host_items(rows)
    return show.project_items(rows) if kind == "project" else show.agent_items(rows)


def table(context: Context, kind: str, rows: Sequence[Any], output: str) -> list[str]:
    """Rows of one kind as the lines of a table, the heading first."""
    from reconciler.cli.printing import paper
    from reconciler.clock import now
    from reconciler.show import tables

    wide, sheet, at = output == "wide", paper(context), now()
    match kind:
        case "task":
            return tables.task_table(rows, at, sheet, wide=wide)
        case "run":
            return tables.run_table(rows, at, sheet, wide=wide)
        case "host":
            return tables.host_table(rows, at, sheet, wide=wide)
    shown = tables.project_table if kind == "project" else tables.agent_table
    return shown(rows, at, sheet, wide=wide)
