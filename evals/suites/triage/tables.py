"""A triage measurement as one table, the system beside every peer, and the sentences that belong to it."""

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from evals.report import origin, table
from evals.stats import Interval
from evals.suites.triage.learning import Learning
from evals.suites.triage.result import SYSTEM, Line, Measured

if TYPE_CHECKING:  # a suite that cannot be loaded must not take this one with it
    from evals.suites.severity import Severity

HEAD = ("measure", "who", "n", "value (95 % CI)", f"{SYSTEM} − peer (95 % CI)", "p, Holm", "detectable")


def triage_report(result: Measured) -> str:
    """Everything a triage run found, as Markdown."""
    known = "from the day after filing" if result.labels_known == "filed" else "once a report was closed"
    parts = [
        "## Triage",
        origin(result.provenance, sum(seconds for name, seconds in result.seconds.items() if "triage" not in name)),
        f"{result.reports:,} reports of {result.dataset} filed from {result.start} on, replayed in time order; "
        f"{result.memory:,} were in memory before, {result.duplicates} have an earlier duplicate. "
        f"Labels of earlier reports are known {known}; assignee, outcome and links only once a report was closed.",
        table(HEAD, _rows(result.lines)),
        "Rates: Wilson. Others: bootstrap of the cases. Compared on the same cases by the paired bootstrap, p adjusted "
        "for all comparisons of the table (Holm); detectable: the smallest difference that would be seen at 80 % power. "
        "Duplicate links are incomplete, so recall and precision against them are lower bounds. Arrows: ↓ lower is "
        "better. A guess for a field counts even where the system leaves it undetermined and only shows alternatives; "
        "the share it answers stands beside.",
        "\n".join([*(f"- fitted {fitted}" for fitted in result.refits), *(f"- {note}" for note in result.notes)]),
        "Seconds: " + ", ".join(f"{name} {seconds:,.0f}" for name, seconds in result.seconds.items()) + ".",
    ]
    return "\n\n".join(part for part in parts if part)


def _rows(lines: Iterable[Line]) -> Iterable[tuple[str, ...]]:
    """One row a line; the measure is named once."""
    for key, group in groupby(sorted_lines(lines), key=lambda line: line.key):
        name = key.replace(".", ": ", 1)
        for line in group:
            down = " ↓" if line.lower_is_better else ""
            yield f"{name}{down}", line.who, f"{line.value.n:,}", str(line.value), *compared(line)
            name, down = "", ""


def sorted_lines(lines: Iterable[Line]) -> list[Line]:
    """Lines of one measure together, measures in the order of their first line, the system first."""
    lines = list(lines)
    first: dict[str, int] = {}
    for n, line in enumerate(lines):
        first.setdefault(line.key, n)
    return sorted(lines, key=lambda line: (first[line.key], line.who != SYSTEM))


def compared(line: Line) -> tuple[str, str, str]:
    """System minus peer, adjusted p, smallest detectable difference; empty where nothing was compared."""
    if line.difference is None:
        return "", "", ""
    p = "" if line.p_holm is None else f"{line.p_holm:.3f}" if line.p_holm >= 0.001 else "<0.001"
    return _signed(line.difference), p, "" if line.detectable is None else f"{line.detectable:.3f}"


def _signed(difference: Interval) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def learning_report(found: Learning) -> str:
    """Everything a learning run found, as Markdown."""
    rows = (
        (
            f"{step.links:,}",
            *(str(interval) for interval in step.recall.values()),
            str(step.mrr),
            _signed(step.gain) if step.gain else "",
            "; ".join(step.fitted),
        )
        for step in found.steps
    )
    cuts = [f"recall@{cut}" for cut in found.steps[0].recall] if found.steps else []
    head = ("known links", *cuts, "MRR@20", "recall@10 − first row", "fitted")
    parts = [
        "## Learning",
        origin(found.provenance, found.seconds),
        f"{found.queries} duplicates, looked for with so many links of earlier duplicates known.",
        table(head, rows),
        "\n".join(f"- {note}" for note in found.notes),
    ]
    return "\n\n".join(part for part in parts if part)


def severity_report(found: "Severity") -> str:
    """Everything a severity run found, as Markdown."""
    quality = ((who, str(named.macro_f1), str(named.accuracy)) for who, named in found.quality.items())
    rates = {
        f"macro-F1 by that of {found.best_peer}": found.ratio,
        "calibration error of the second opinion": found.ece,
        "left to a person": found.undetermined,
        "impact unknown": found.unknown_impact,
        "right where a level was named": found.right_when_named,
        "at most one level off there": found.within_one_when_named,
        "hypotheses": found.hypotheses,
        "closed incidents whose note tells a cause": found.cause_known,
        "reports with a question": found.asked,
        "of these, one that changes the severity": found.changing,
    }
    parts = [
        "## Severity",
        origin(found.provenance, found.seconds),
        f"{found.n:,} reports with a severity from {found.start} on; labels known once {found.labels}.",
        table(("who", "macro-F1", "accuracy"), quality),
        table(("what", "n", "value (95 % CI)"), ((name, f"{rate.n:,}", str(rate)) for name, rate in rates.items())),
        "\n".join(f"- {note}" for note in found.notes),
    ]
    return "\n\n".join(part for part in parts if part)
