"""One screen for one verdict: what was found, why, what would be written, why it stopped, and how to answer."""

from pathlib import Path
from typing import TYPE_CHECKING

from qa_agents.cli.common import console, program_name
from qa_agents.cli.text import one_line, printable
from qa_agents.trackers.schema import describe
from qa_agents.triage.schema import FIELDS, Fact, Proposal, Triage

if TYPE_CHECKING:
    from rich.console import Console

FACTS_SHOWN = 6
TELLING = (
    "exception",
    "error_code",
    "stack_frame",
    "endpoint",
    "version",
    "os",
    "platform",
    "actual",
    "expected",
    "impact",
)
"""The kinds of facts, those first that tell two bugs apart."""
INCIDENTS_SHOWN = 5


def show_verdict(triage: Triage, *, answered: str | None = None, home: Path | None = None) -> None:
    """Print the verdict; `answered` stands in place of the commands once a person decided, `home` is named in them."""
    out = console()
    _title(out, triage)
    _facts(out, triage)
    _incidents(out, triage)
    _proposals(out, triage)
    if triage.hypothesis:
        _heading(out, "Hypothesis")
        out.print(f"  {_safe(triage.hypothesis.text, 600)}")
    _witness(out, triage)
    if triage.missing:
        _heading(out, "Missing")
        for text, why in _questions(triage):
            out.print(f"  · {_safe(text, 200)}" + (f"  [dim]({_safe(why, 160)})[/dim]" if why else ""))
    _hidden(out, triage)
    _writes(out, triage)
    _heading(out, "Why it went on without a person" if triage.gate.decision == "auto" else "Why it stopped")
    for reason in triage.gate.reasons or ["every rule is silent and the policy lets these fields go live"]:
        out.print(f"  · {_safe(reason, 240)}")
    if answered:
        out.print(f"\n[bold]{_safe(answered, 300)}[/bold]")
    elif triage.review_id:
        _answers(out, triage.review_id, f"{program_name()} --home {home}" if home else program_name())


def _witness(out: "Console", triage: Triage) -> None:
    """What a language model said, named as such: nothing rests on it."""
    said = triage.witness
    if said is None:
        return
    _heading(out, f"A language model's view ({_safe(', '.join(said.models) or 'no answer', 60)}); nothing rests on it")
    for line in said.told():
        out.print(f"  · {_safe(line, 600)}")


def _questions(triage: Triage) -> list[tuple[str, str]]:
    """Each question with what an answer would change, else why it is asked; "" where nothing is known of that."""
    if not triage.questions:
        return [(text, "") for text in triage.missing]
    return [(question.text, question.changes_decision or question.because) for question in triage.questions]


def _safe(text: object, limit: int) -> str:
    from rich.markup import escape

    return escape(one_line(text, limit=limit))


def _heading(out: "Console", name: str) -> None:
    out.print(f"\n[bold]{name}[/bold]")


def _title(out: "Console", triage: Triage) -> None:
    waits = f" · waits as {triage.review_id}" if triage.review_id else f" · {triage.state}"
    out.print(
        f"[bold]{_safe(triage.report_id, 60)}[/bold]  {_safe(triage.summary, 110)}  "
        f"[bold]{triage.gate.decision.upper()}[/bold]{waits}"
    )


def _facts(out: "Console", triage: Triage) -> None:
    if not triage.facts:
        return
    _heading(out, "Found in the report")
    telling = sorted((f for f in triage.facts if f.name in TELLING), key=lambda fact: TELLING.index(fact.name))
    for fact in _varied(telling)[:FACTS_SHOWN] or triage.facts[:FACTS_SHOWN]:
        out.print(f"  {fact.name.replace('_', ' '):12} {_safe(fact.value, 44)}  [dim]“{_safe(fact.quote, 70)}”[/dim]")
    if len(triage.facts) > FACTS_SHOWN:
        out.print(f"  [dim]… {len(triage.facts)} facts in all: qa-agents explain {_safe(triage.report_id, 60)}[/dim]")


def _varied(facts: list[Fact]) -> list[Fact]:
    """One fact of each kind first, then the others."""
    first = {fact.name: fact for fact in reversed(facts)}
    return [fact for fact in facts if first[fact.name] is fact] + [f for f in facts if first[f.name] is not f]


def _incidents(out: "Console", triage: Triage) -> None:
    from rich.table import Table

    _heading(out, "Past incidents like it")
    if triage.relations:
        table = Table("incident", "relation", "state", "same", "differs", box=None, padding=(0, 2, 0, 2))
        for relation in triage.relations[:INCIDENTS_SHOWN]:
            table.add_row(
                f"{_safe(relation.incident_id, 24)}  [dim]{_safe(relation.summary, 44)}[/dim]",
                relation.kind,
                _safe(relation.state, 18),
                _safe(", ".join(relation.same), 40),
                _safe("; ".join([*relation.differs, *([relation.vetoed_by] if relation.vetoed_by else [])]), 60),
            )
        out.print(table)
    elif triage.similar:
        nearest = ", ".join(f"{candidate.incident_id} ({candidate.score:.2f})" for candidate in triage.similar[:5])
        out.print(f"  none close enough to relate; nearest by score: {_safe(nearest, 160)}")
    else:
        out.print("  none")


def _proposals(out: "Console", triage: Triage) -> None:
    _heading(out, "Proposed")
    for name in FIELDS:
        proposal = triage.proposals.get(name, Proposal())
        speaking = proposal.evidence if proposal.value else proposal.against or proposal.evidence
        because = sorted(speaking, key=lambda evidence: evidence.kind not in ("rate", "rule"))[:1]
        basis = f"[dim]{_safe('; '.join(evidence.text for evidence in because), 96)}[/dim]"
        value = _safe(proposal.value, 30) if proposal.value else "undetermined"
        others = ", ".join(alternative.value for alternative in proposal.alternatives[:2])
        or_else = f" [dim](or {_safe(others, 50)})[/dim]" if others else ""
        out.print(f"  {name:10} [bold]{value}[/bold]{or_else}  {basis}")


def _hidden(out: "Console", triage: Triage) -> None:
    if triage.signals.hidden:
        _heading(out, "Hidden in the report")
        for text in triage.signals.hidden[:3]:
            out.print(f"  “{_safe(text, 160)}”")


def _writes(out: "Console", triage: Triage) -> None:
    target = triage.actions[0].target if triage.actions else triage.report_id
    _heading(out, f"Would be written to {_safe(target, 60)}")
    for action in triage.actions:
        out.print(f"  {_safe(describe(action), 160)}")
    if not triage.actions:
        out.print("  nothing")


def _answers(out: "Console", review_id: str, program: str) -> None:
    _heading(out, "Answer")
    for line in (
        f"{program} review approve {review_id}",
        f"{program} review edit {review_id} --set component=… --reason wrong-evidence",
        f"{program} review reject {review_id} --reason wrong-cause",
        f"{program} review ask {review_id}          (asks the reporter what is missing)",
        f"{program} review defer {review_id} --until 2d",
    ):
        out.print(f"  {printable(line)}")
