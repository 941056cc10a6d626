"""What was promised, against what was measured: a miss is said, and what was not measured is no pass."""

from typing import Literal

from pydantic import BaseModel

from evals.suites.speed_result import AtSize, Speed

SMALLEST_IMPORT = 2_000
"""Incidents below which an import is mostly the making of the workspace."""

State = Literal["pass", "MISS", "not measured"]


class Budget(BaseModel):
    """One promise."""

    name: str
    unit: str
    at_least: bool
    """Whether the limit is a floor, else a ceiling."""
    limit: float
    value: float | None
    """None when this run did not measure it."""

    @property
    def state(self) -> State:
        """`not measured` is neither."""
        if self.value is None:
            return "not measured"
        kept = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "pass" if kept else "MISS"


def speed_budgets(speed: Speed) -> list[Budget]:
    """The promises of docs/performance.md; rates by their worst case of the run, not by their mean."""
    by_size = {at.size: at for at in speed.sizes}
    middle, large = by_size.get(30_000), by_size.get(100_000)
    whole_range = speed.growth if {10_000, 100_000} <= by_size.keys() else None
    failed = sum(at.failed for at in speed.sizes)
    large_enough = min(by_size) >= SMALLEST_IMPORT
    return [
        _floor("import without vectors, slowest", "incidents/s", 500, speed.imports.low if large_enough else None),
        _ceiling("triage of one report at 30,000, p50", "ms", 150, middle.triage.median if middle else None),
        _ceiling("triage of one report at 30,000, p95", "ms", 400, middle.triage.p95 if middle else None),
        _floor("batch at 30,000, after the start", "reports/s", 10, _sound(middle, "rate")),
        _ceiling("peak memory at 100,000", "MB", 1_500, _sound(large, "peak_mb")),
        _ceiling("cost per report ~ size^x, 10,000 to 100,000", "x", 0.999, whole_range),
        _ceiling("reports without a verdict", "reports", 0, failed),
    ]


def _sound(at: AtSize | None, name: Literal["rate", "peak_mb"]) -> float | None:
    """A figure of the batch; None where some report failed, because what failed early is fast and small."""
    return getattr(at.batch, name) if at and not at.batch.failed else None


def _floor(name: str, unit: str, limit: float, value: float | None) -> Budget:
    return Budget(name=name, unit=unit, at_least=True, limit=limit, value=value)


def _ceiling(name: str, unit: str, limit: float, value: float | None) -> Budget:
    return Budget(name=name, unit=unit, at_least=False, limit=limit, value=value)
