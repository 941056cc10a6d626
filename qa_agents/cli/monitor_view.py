"""A look at AI outputs as text: what was found first, then every column, then what was not looked at."""

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from qa_agents.cli.common import console
from qa_agents.cli.text import one_line
from qa_agents.results.bounds import told
from qa_agents.results.monitor.words import column_says, headline, sentences

if TYPE_CHECKING:
    from qa_agents.results.monitor.fairness import Fairness
    from qa_agents.results.monitor.monitoring import Monitoring

SHOWN = 12


def show_monitoring(found: "Monitoring") -> None:
    """Everything, the findings first."""
    out = console()
    out.print(f"[bold]{_safe(headline(found), 300)}[/bold]", soft_wrap=True)
    for sentence in sentences(found):
        out.print(f"  • {_safe(sentence, 400)}", soft_wrap=True)
    if found.columns:
        out.print(_columns(found))
    if found.watched:
        out.print(_watched(found))
    for one in found.unfair[:SHOWN]:
        out.print(_fairness(one))
    for text in found.notes:
        out.print(f"[yellow]note[/yellow]  {_safe(text, 300)}", soft_wrap=True)


def _columns(found: "Monitoring") -> Table:
    table = Table("column", "before", "now", "change (95 %)", "seen from", "p", "says", title="Against the baseline")
    for one in found.columns:
        change = one.change
        cells = (
            one.column,
            "" if one.before is None else told(one.before),
            "" if one.now is None else told(one.now),
            str(change) if change else f"{one.effect_name} {one.effect:.2f}",
            f"±{told(change.detectable)}" if change and change.detectable is not None else "",
            "" if one.p is None else f"{one.p:.2g}",
            column_says(one),
        )
        table.add_row(*(_safe(cell, 120) for cell in cells), style="bold red" if one.drifted else None)
    return table


def _watched(found: "Monitoring") -> Table:
    looks = len(found.looks) - 1
    table = Table(
        "column",
        "evidence",
        "p at every look",
        "change, valid at every look",
        "seen from",
        "alarm",
        title=f"Over {looks} looks",
    )
    for one in found.watched:
        alarm = "" if one.alarmed_at is None else f"since look {one.alarmed_at} ({found.looks[one.alarmed_at]})"
        change = str(one.change) if one.change else ""
        seen = "" if one.detectable is None else f"±{told(one.detectable)}"
        cells = one.column, f"{one.capital:,.3g}", f"{one.p:.2g}", change, seen, alarm
        table.add_row(*(_safe(cell, 120) for cell in cells), style="bold red" if alarm else None)
    return table


def _fairness(one: "Fairness") -> Table:
    table = Table(
        "group",
        "n",
        "mean",
        "gap to the others (95 %)",
        "seen from",
        "is",
        title=f"{_safe(one.score)} by {_safe(one.attribute)}",
    )
    for group in one.groups[:SHOWN]:
        gap = "" if group.gap is None else f"{group.gap:+.3f} ({group.low:+.3f} to {group.high:+.3f})"
        seen = "" if group.detectable is None else f"±{group.detectable:.2g}"
        cells = group.value, str(group.n), str(group.now), gap, seen, group.standing
        table.add_row(*(_safe(cell, 80) for cell in cells), style="bold red" if group.standing == "worse" else None)
    return table


def _safe(text: str, limit: int = 120) -> str:
    return escape(one_line(text, limit=limit))
