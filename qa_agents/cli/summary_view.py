"""A summary in the terminal: what matters first, each test with its reason."""

from typing import TYPE_CHECKING, Any

from qa_agents.cli.common import console, print_json
from qa_agents.cli.text import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from qa_agents.checkpoint.schema import Review
    from qa_agents.results.cluster import Cause
    from qa_agents.results.compare import TestChange
    from qa_agents.results.summary import Summary
    from qa_agents.summarizing import Summarised

SHOWN, SHOWN_TESTS = 10, 3
_COLOURS = {"green": "green", "yellow": "yellow", "red": "red", "undecided": "yellow", "waived": "cyan"}


def show_summary(done: "Summarised") -> None:
    """Print what a run means, and what to do next."""
    summary, out = done.summary, console()
    against = f" against {_safe(summary.baseline.run_id)}" if summary.baseline else ""
    light = summary.light
    out.print(f"[bold {_COLOURS[light]}]{light.upper()}[/]  [bold]{_safe(summary.run.run_id)}[/bold]{against}")
    for sentence in summary.sentences:
        out.print(_safe(sentence, 400))
    comparison = summary.comparison
    why = {change.test_id: change for change in comparison.changes}
    for title, kinds in (("Newly broken", ("new",)), ("Failing", ("failing",)), ("Suspected", ("suspected",))):
        _causes(out, title, [cause for cause in summary.causes if cause.kind in kinds], why)
    _changes(out, "Did not run", comparison.of("missing"))
    _slower(out, summary)
    _unproven(out, summary)
    _gates(out, summary)
    _changes(out, "Still broken", comparison.of("still"), limit=SHOWN_TESTS)
    _changes(out, "Flaking, not counted as new", comparison.of("flaky"), limit=SHOWN_TESTS)
    _changes(out, "Mended", comparison.of("fixed"), limit=SHOWN_TESTS)
    _changes(out, "Skipped now", comparison.of("skipped"), limit=SHOWN_TESTS)
    for sentence in summary.notes[:SHOWN]:
        out.print(f"[dim]· {_safe(sentence, 200)}[/dim]")
    if done.review_id:
        out.print(f"\nIt waits for a signature as {done.review_id}:")
        out.print(f"  qa-agents review sign {done.review_id} --accountable NAME", markup=False)
    elif done.verdict:
        out.print(f"\nAnswered: {done.verdict}.")


def show_review(review: "Review", done: "Summarised", *, as_json: bool) -> None:
    """Print what waits of a summary, and what was answered."""
    if as_json:
        print_json({"review": review.model_dump(mode="json"), **as_json_document(done)})
        return
    show_summary(done)


def as_json_document(done: "Summarised", **more: Any) -> dict[str, Any]:
    """The one JSON document of a summary: `{summary, state, review_id, held, …}`."""
    return {
        "summary": done.summary.model_dump(mode="json"),
        "state": done.account.state,
        "review_id": done.review_id,
        "held": done.review_id is not None,
        "verdict": done.verdict,
        **more,
    }


def _causes(out: "Console", title: str, causes: "list[Cause]", why: "dict[str, TestChange]") -> None:
    if not causes:
        return
    out.print(f"\n[bold]{title}[/bold]")
    for cause in causes[:SHOWN]:
        out.print(f"  [bold]{cause.id}[/bold] {_safe(cause.title, 160)}  [dim]({cause.extent})[/dim]")
        for name in cause.tests[:SHOWN_TESTS]:
            out.print(f"     {_safe(name, 100)}: {_safe(why[name].why if name in why else '', 220)}")
        if len(cause.tests) > SHOWN_TESTS:
            out.print(f"     … {len(cause.tests) - SHOWN_TESTS} more")
        if cause.took_down:
            out.print(f"     took {len(cause.took_down)} more down with it, {_safe(cause.took_down[0], 80)} first")
        for one in cause.suspects[:SHOWN_TESTS]:
            told = f"{one.commit[:12]} {one.subject} ({one.author}): {one.why}"
            out.print(f"     suspect  {_safe(told, 200)}")
        for known in cause.related[:SHOWN_TESTS]:
            told = f"{known.relation}  {known.incident_id} ({known.state}) {known.summary}"
            out.print(f"     {_safe(told, 200)}")
        if cause.requirements:
            out.print(f"     unproven now: {_safe(', '.join(cause.requirements), 200)}")
    if len(causes) > SHOWN:
        out.print(f"  … {len(causes) - SHOWN} more causes")


def _changes(out: "Console", title: str, changes: "list[TestChange]", *, limit: int = SHOWN) -> None:
    if not changes:
        return
    out.print(f"\n[bold]{title}[/bold] ({len(changes)})")
    for change in changes[:limit]:
        out.print(f"  {_safe(change.test_id, 100)}: {_safe(change.why, 260)}")
    if len(changes) > limit:
        out.print(f"  … {len(changes) - limit} more")


def _slower(out: "Console", summary: "Summary") -> None:
    if not summary.comparison.slower:
        return
    out.print(f"\n[bold]Slower[/bold] ({len(summary.comparison.slower)})")
    for one in summary.comparison.slower[:SHOWN]:
        told = f"{one.before:.2f} s → {one.now:.2f} s (×{one.ratio:.1f}; p = {one.p:.2g} after {one.compared} tests)"
        out.print(f"  {_safe(one.test_id, 100)}: {told}")


def _unproven(out: "Console", summary: "Summary") -> None:
    found = summary.proof.unproven
    if not found:
        return
    out.print(f"\n[bold]Unproven requirements[/bold] ({len(found)} of {summary.proof.planned})")
    for one in found[:SHOWN]:
        out.print(f"  {_safe(one.requirement_id, 40)} {_safe(one.text, 120)}: {_safe(one.why, 100)}")


def _gates(out: "Console", summary: "Summary") -> None:
    if not summary.gates:
        return
    out.print("\n[bold]Quality gate[/bold]")
    for one in summary.gates:
        colour = _COLOURS[one.outcome]
        out.print(f"  [{colour}]{one.outcome:9}[/] {_safe(one.gate.name, 60)}: {_safe(one.because, 260)}")


def _safe(text: object, limit: int = 200) -> str:
    from rich.markup import escape

    return escape(one_line(text, limit=limit))
