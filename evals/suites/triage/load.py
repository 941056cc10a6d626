"""What the missed-critical bound costs: calibrated on the earlier half of the reports, tried on the later half."""

from collections.abc import Sequence

from evals.stats import wilson
from evals.suites.triage.result import SYSTEM, Curve, Line, Measured, Point

ALPHAS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
ALPHA, DELTA = 0.05, 0.05
"""What the table shows: at most 5 % of critical reports below the threshold, with 95 % confidence."""


def measure_load(into: Measured, scores: Sequence[float | None], critical: Sequence[bool]) -> None:
    """Share of non-critical reports that reach a person, and of critical ones that do not, over the promised α."""
    from qa_agents.triage.gate.bound import needed_criticals, threshold

    cases = [(score, top) for score, top in zip(scores, critical, strict=True) if score is not None]
    earlier, later = cases[: len(cases) // 2], cases[len(cases) // 2 :]
    known = [score for score, top in earlier if top]
    tops, others = [s for s, top in later if top], [s for s, top in later if not top]
    if not tops or not others:
        into.notes.append("The missed-critical bound was not tried: the later half holds no critical report.")
        return
    load, missed = [], []
    for alpha in ALPHAS:
        cut, rank = threshold(known, alpha, DELTA)
        asked, below = sum(score >= cut for score in others), sum(score < cut for score in tops)
        load.append(Point(x=alpha, y=asked / len(others)))
        missed.append(Point(x=alpha, y=below / len(tops)))
        if alpha == ALPHA:
            if not rank:
                into.notes.append(
                    f"At α = {ALPHA:.0%} nothing can be promised: {len(known)} critical reports in the earlier half, "
                    f"{needed_criticals(ALPHA, DELTA)} are needed. So every report reaches a person."
                )
            name = f"bound at α = {ALPHA:.0%}, calibrated on {len(known)} critical"
            reach = wilson(asked, len(others))
            for measure, value in (("others sent to a person", reach), ("critical missed", wilson(below, len(tops)))):
                line = Line(group="gate", measure=f"{name}: {measure}", who=SYSTEM, value=value, lower_is_better=True)
                into.lines.append(line)
    into.load = [
        Curve(name="non-critical reports that reach a person", points=load),
        Curve(name="critical reports that do not", points=missed),
        Curve(name="what is promised", points=[Point(x=a, y=a) for a in ALPHAS]),
    ]
