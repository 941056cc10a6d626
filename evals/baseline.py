"""The accepted score of every case, and what a new run fixed or broke.

Compact: one list of report ids, and for each measure one character a report: `1` right, `0` wrong, `-` no case. Only
what is broken beyond the paired bound counts as a regression: the mean difference on the same cases lies below zero
with its whole 95 % interval.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from evals.provenance import Provenance
from evals.report import table
from evals.stats import Interval, detectable_drop, mcnemar_exact, paired_mean
from evals.suites.triage.result import Measured
from qa_agents.errors import InvalidInputError

State = Literal["broken", "fixed", "unchanged", "not compared"]
ABSENT = "-"
MIN_CASES = 20
"""Fewer cases in common are not compared."""


class Baseline(BaseModel):
    """What was accepted, and where it is from."""

    schema_version: int = 1
    provenance: Provenance
    dataset: str
    start: str
    reports: int
    ids: str
    """Of the reports, separated by blanks."""
    measures: dict[str, str]
    """Measure to a character for each report."""

    def scores(self, measure: str) -> dict[str, float]:
        """Report to accepted score."""
        pairs = zip(self.ids.split(), self.measures[measure], strict=True)
        return {name: float(right) for name, right in pairs if right != ABSENT}


class Compared(BaseModel):
    """One measure now and then, on the cases that both have."""

    measure: str
    state: State
    n: int
    fixed: int = 0
    broken: int = 0
    difference: Interval | None = None
    p: float | None = None
    detectable: float | None = None
    """The drop that so many cases, differing so often, would have shown at 80 % power."""


def baseline_of(result: Measured) -> Baseline:
    """The scores of a run as a baseline. Cases whose id holds a blank are left out."""
    ids = list(dict.fromkeys(name for cases in result.cases.values() for name in cases if len(name.split()) == 1))
    measures = {
        measure: "".join(str(round(cases[name])) if name in cases else ABSENT for name in ids)
        for measure, cases in result.cases.items()
    }
    return Baseline(
        provenance=result.provenance,
        dataset=result.dataset,
        start=result.start,
        reports=result.reports,
        ids=" ".join(ids),
        measures=measures,
    )


def accept(result: Measured, path: Path) -> None:
    """Write a run's scores as the baseline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(baseline_of(result).model_dump_json(indent=1) + "\n", "utf-8")


def read_baseline(path: Path) -> Baseline:
    """A baseline. Raises InvalidInputError when it cannot be read."""
    try:
        return Baseline.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(
            f"The baseline {path} cannot be read ({reason}).", hint="--accept writes one."
        ) from None


def compare(measure: str, before: dict[str, float], now: dict[str, float]) -> Compared:
    """Case by case: what was wrong and is right is fixed, the reverse broken."""
    common = [name for name in before if name in now]
    if len(common) < MIN_CASES:
        return Compared(measure=measure, state="not compared", n=len(common))
    then, today = [before[name] for name in common], [now[name] for name in common]
    fixed = sum(a < b for a, b in zip(then, today, strict=True))
    broken = sum(a > b for a, b in zip(then, today, strict=True))
    difference, _ = paired_mean(today, then)
    state: State = "broken" if difference.high < 0 else "fixed" if difference.low > 0 else "unchanged"
    return Compared(
        measure=measure,
        state=state,
        n=len(common),
        fixed=fixed,
        broken=broken,
        difference=difference,
        p=mcnemar_exact(fixed, broken),
        detectable=detectable_drop(len(common), (fixed + broken) / len(common)),
    )


def compare_with(result: Measured, path: Path) -> tuple[str, bool]:
    """Every measure against a baseline file as a table, and whether any is broken beyond its bound."""
    baseline = read_baseline(path)
    found = [compare(name, baseline.scores(name), result.cases.get(name, {})) for name in baseline.measures]
    rows = (
        (c.measure, str(c.n), str(c.fixed), str(c.broken), _difference(c), _share(c.detectable), c.state) for c in found
    )
    head = ("measure", "cases in common", "fixed", "broken", "now − accepted (95 % CI)", "detectable drop", "state")
    text = f"## Against {path.name} ({baseline.provenance.commit}, {baseline.dataset})\n\n{table(head, rows)}"
    return text, any(c.state == "broken" for c in found)


def _difference(compared: Compared) -> str:
    d = compared.difference
    return "" if d is None else f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
