"""`explain`, rendered: why it came out so, and why something did not happen."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qa_agents.checkpoint.chain import Entry
from qa_agents.cli.common import console
from qa_agents.cli.text import one_line
from qa_agents.operations.handling import Explanation, in_words


def show_explanation(explanation: Explanation) -> None:
    """Print an explanation: the sentences first, then what they rest on."""
    out, triage = console(), explanation.triage
    out.print(f"[bold]{_safe(triage.report_id)}[/bold]  {_safe(triage.summary, 120)}  ({explanation.account.state})")
    out.print("\n[bold]Why not[/bold]")
    for sentence in explanation.why_not:
        out.print(f"  · {_safe(sentence, 400)}")
    out.print("\n[bold]Proposals and what they rest on[/bold]")
    for name, proposal in triage.proposals.items():
        out.print(f"  {name}: [bold]{_safe(proposal.value or 'undetermined')}[/bold]")
        for mark, evidence in [("+", e) for e in proposal.evidence] + [("−", e) for e in proposal.against]:
            out.print(f"    {mark} {_safe(evidence.text, 200)}" + (f" ({_safe(evidence.ref)})" if evidence.ref else ""))
    _retrieval(out, explanation)
    out.print("\n[bold]Facts[/bold]")
    for fact in triage.facts:
        out.print(
            f"  {fact.name}: {_safe(fact.value, 60)}  “{_safe(fact.quote, 90)}” {fact.field}:{fact.start}-{fact.end}"
        )
    out.print("\n[bold]What happened[/bold]")
    made = {str(action["key"]): action for action in explanation.actions}
    for entry in explanation.history:
        when = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        out.print(f"  {when}  {entry.event} by {_safe(entry.actor)}{_detail(entry, made)}")
    for key, value in triage.provenance.items():
        out.print(f"  [dim]{_safe(key)}: {_safe(value, 160)}[/dim]")


def _detail(entry: Entry, made: dict[str, dict[str, Any]]) -> str:
    """What an entry is about; an action with the key by which it can be taken back."""
    key = str(entry.payload.get("key", ""))
    if key in made:
        return f": {_safe(in_words(made[key]), 100)}  [dim]{_safe(key[:8])}[/dim]"
    verdict = entry.payload.get("verdict") if entry.event == "decided" else None
    return f": {_safe(str(verdict), 40)}" if verdict else ""


def _retrieval(out: Console, explanation: Explanation) -> None:
    table = Table("incident", "score", "words", "meaning", "shared words", box=None, padding=(0, 2, 0, 2))
    for candidate in explanation.triage.similar[:10]:
        table.add_row(
            _safe(candidate.incident_id),
            f"{candidate.score:.3f}",
            "–" if candidate.lexical is None else f"{candidate.lexical:.2f}",
            "–" if candidate.dense is None else f"{candidate.dense:.2f}",
            _safe(", ".join(candidate.shared), 60),
        )
    out.print("\n[bold]Nearest in memory[/bold]")
    out.print(table)


def _safe(text: object, limit: int = 60) -> str:
    return escape(one_line(text, limit=limit))
