"""What the pages show of a test run's summary: what must be decided first, then the promises, the causes and the rest. Pure."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qa_agents.checkpoint.markup import Markup, Writer

if TYPE_CHECKING:
    from qa_agents.results.cluster import Cause
    from qa_agents.results.compare import Kind, TestChange
    from qa_agents.results.gates import Judged
    from qa_agents.results.summary import Figure, Summary

SHOWN_CAUSES, SHOWN_TESTS, SHOWN_CHANGES, SHOWN_NOTES = 20, 5, 30, 20
_OTHERS: "dict[Kind, str]" = {
    "missing": "Did not run",
    "still": "Broken before already",
    "flaky": "Flaking, not counted as new",
    "skipped": "Skipped now",
    "fixed": "Mended",
    "added": "Added",
}


def summary_view(summary: "Summary", mask: Callable[[str], str]) -> dict[str, Any]:
    """Everything that somebody needs who takes accountability for this run, as plain values for the template."""
    write = Writer(mask)
    why = {change.test_id: change for change in summary.comparison.changes}
    return {
        "run": write.text(summary.run.run_id),
        "light": summary.light,
        "about": [
            write.text(text)
            for text in (
                f"{summary.run.at:%Y-%m-%d %H:%M}" if summary.run.at else "",
                summary.run.branch,
                summary.run.environment,
                summary.run.commit[:12],
                f"against {summary.baseline.run_id}" if summary.baseline else "with nothing to compare with",
            )
            if text
        ],
        "sentences": [write.text(text) for text in summary.sentences],
        "decide": [write.text(one.question) for one in summary.decide],
        "figures": [_figure(one, write) for one in summary.figures if one.value or one.before],
        "promises": [_promise(one, write) for one in summary.gates],
        "causes": [_cause(one, why, write) for one in summary.causes[:SHOWN_CAUSES]],
        "more_causes": max(0, len(summary.causes) - SHOWN_CAUSES),
        "others": [
            {
                "title": title,
                "count": len(changes),
                "tests": [_test(one, write) for one in changes[:SHOWN_CHANGES]],
                "more": max(0, len(changes) - SHOWN_CHANGES),
            }
            for kind, title in _OTHERS.items()
            if (changes := summary.comparison.of(kind))
        ],
        "slower": [
            write.text(f"{one.test_id}: {one.before:.2f} s before, {one.now:.2f} s now")
            for one in summary.comparison.slower[:SHOWN_CHANGES]
        ],
        "planned": summary.proof.planned,
        "unproven": [
            {"id": write.text(one.requirement_id), "text": write.text(one.text), "why": write.text(one.why)}
            for one in summary.proof.unproven[:SHOWN_CHANGES]
        ],
        "notes": [write.text(text) for text in summary.notes[:SHOWN_NOTES]],
    }


def _figure(figure: "Figure", write: Writer) -> dict[str, Any]:
    """A number with what was counted for it."""
    before = figure.before is not None and figure.before != figure.value
    return {
        "label": write.text(figure.label),
        "value": f"{figure.value:,.4g}" if figure.value < 1e4 else f"{figure.value:,.0f}",
        "unit": figure.unit,
        "before": f"{figure.before:,.4g}" if before else "",
        "source": write.text(figure.source),
    }


def _promise(one: "Judged", write: Writer) -> dict[str, Any]:
    return {
        "name": write.text(one.gate.name),
        "promise": write.text(one.gate.promise),
        "outcome": one.outcome,
        "because": write.text(one.because),
        "why": write.text(one.gate.why),
        "owner": write.text(one.gate.owner),
        "source": write.text(one.source),
    }


def _cause(one: "Cause", why: "dict[str, TestChange]", write: Writer) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "title": write.text(one.title),
        "size": one.size,
        "tests": [
            {"id": write.text(name), "why": write.text(why[name].why if name in why else "")}
            for name in one.tests[:SHOWN_TESTS]
        ],
        "more_tests": max(0, len(one.tests) - SHOWN_TESTS),
        "took_down": len(one.took_down),
        "message": write.text(one.message),
        "details": write.text(one.details),
        "suspects": _lines(
            (f"{who.commit[:12]} {who.subject} ({who.author}): {who.why}" for who in one.suspects[:SHOWN_TESTS]), write
        ),
        "related": [
            {
                "id": write.text(known.incident_id),
                "relation": known.relation,
                "state": write.text(known.state),
                "summary": write.text(known.summary),
            }
            for known in one.related
        ],
        "requirements": [write.text(name) for name in one.requirements],
    }


def _test(one: "TestChange", write: Writer) -> dict[str, Markup]:
    return {"id": write.text(one.test_id), "why": write.text(one.why)}


def _lines(texts: Any, write: Writer) -> Sequence[Markup]:
    return [write.text(text) for text in texts]
