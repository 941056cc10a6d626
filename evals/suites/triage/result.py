"""What a triage measurement holds: one line per measure and contender, the curves, and the score of every case."""

from pydantic import BaseModel, Field

from evals.provenance import Provenance
from evals.scorers.calibration import Bin
from evals.stats import Interval

SYSTEM = "qa-agents"


class Line(BaseModel):
    """One contender at one measure; what a peer is compared by is the system minus the peer on the same cases."""

    group: str
    measure: str
    who: str
    value: Interval
    lower_is_better: bool = False
    difference: Interval | None = None
    p: float | None = None
    p_holm: float | None = None
    """Adjusted for all comparisons of the table."""
    detectable: float | None = None
    """The smallest mean difference that these cases show at 80 % power, two-sided 5 %."""

    @property
    def key(self) -> str:
        """`group.measure`, as gates name it."""
        return f"{self.group}.{self.measure}"


class Point(BaseModel):
    """A point of a curve."""

    x: float
    y: float


class Curve(BaseModel):
    """One line of a plot."""

    name: str
    points: list[Point]


class Pair(BaseModel):
    """A report and its nearest incident, which no link connects: what an audit reads."""

    report: str
    incident: str
    score: float
    accepted: bool
    """Whether the system says that they are the same bug."""
    vetoed: bool
    """Whether it would, but for a difference."""


class Measured(BaseModel):
    """The whole measurement."""

    provenance: Provenance
    dataset: str
    start: str
    labels_known: str
    reports: int
    memory: int
    """Reports in memory before the first one that was measured."""
    duplicates: int
    """Measured reports of which an earlier report of the same cluster exists."""
    seconds: dict[str, float]
    refits: list[str]
    notes: list[str]
    lines: list[Line]
    recall: list[Curve] = Field(default_factory=list)
    """Recall at k = 1 to 20 of every contender."""
    reliability: dict[str, list[Bin]] = Field(default_factory=dict)
    """By field."""
    risk: dict[str, list[Curve]] = Field(default_factory=dict)
    """Risk over coverage, by field."""
    confusion: dict[str, dict[str, int]] = Field(default_factory=dict)
    """True severity to proposed severity to count; undetermined under the empty name."""
    load: list[Curve] = Field(default_factory=list)
    """Share of non-critical reports that reach a person, over α."""
    learning: dict[str, list[Curve]] = Field(default_factory=dict)
    """Recall over the number of duplicate links known, by measure."""
    unlinked: list[Pair] = Field(default_factory=list)
    """The likeliest pairs without a link, the highest score first."""
    cases: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Measure to report to the system's score."""

    def line(self, key: str, who: str = SYSTEM) -> Line | None:
        """The line of `group.measure`, or None."""
        return next((line for line in self.lines if line.key == key and line.who == who), None)


def with_holm(lines: list[Line]) -> list[Line]:
    """The lines with the p-values of all comparisons adjusted for one another."""
    from evals.stats import holm

    tested = [line for line in lines if line.p is not None]
    for line, adjusted in zip(tested, holm([line.p or 0.0 for line in tested]), strict=True):
        line.p_holm = adjusted
    return lines
