"""The inflation meter: is the share of reports called severe still what this team used to call severe?

Proposals since the start of the quarter are held against the year of incidents before it. The interval of the proposed
share may be looked at after every report without being fooled: it is a confidence sequence (Robbins, "Statistical methods
related to the law of the iterated logarithm", 1970; beta-binomial mixture). Drift is said only where it and the interval
of the history (Wilson, 1927) do not touch; each has an error of 2.5 %, together 5 %.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import lgamma, log
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel
from sqlalchemy import select

from qa_agents.checkpoint.rates import wilson
from qa_agents.storage.tables import ledger
from qa_agents.triage.severity.rate import SEVERE
from qa_agents.triage.severity.rubric import Rubric

if TYPE_CHECKING:
    from qa_agents.incidents.store import IncidentStore
    from qa_agents.storage.engine import Database

ALPHA = 0.05
HISTORY = timedelta(days=365)
MIN_HISTORY = 100
MIN_REPORTS = 20
"""A reporter with fewer past reports is not held against the team."""
MAX_REPORTERS = 5
_STEPS = 60


class Share(BaseModel):
    """Severe ones among all that were rated, with the interval of their share."""

    severe: int
    rated: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share, 0 to 1."""
        return self.severe / self.rated if self.rated else 0.0

    def __str__(self) -> str:
        return f"{self.severe} of {self.rated} ({self.low:.0%} to {self.high:.0%})"


class ReporterShare(BaseModel):
    """A reporter whose reports end up severe more often than the team's."""

    reporter: str
    share: Share


class Inflation(BaseModel):
    """What the meter shows."""

    since: datetime
    proposed: Share
    undetermined: int
    history: Share
    drift: Literal["inflated", "deflated", "none", "too little to say"]
    reporters: list[ReporterShare] = []
    """Those whose own record parts from the team's, the farthest first; the error is shared among all who were looked at."""

    def told(self) -> str:
        """One sentence."""
        if self.drift == "too little to say":
            return (
                f"Too little to compare: {self.proposed.rated} proposals, {self.history.rated} rated incidents before."
            )
        said = {"inflated": "more often than", "deflated": "less often than", "none": "about as often as"}[self.drift]
        return (
            f"Since {self.since:%Y-%m-%d} reports are called severe {said} before: {self.proposed} proposals, "
            f"{self.history} incidents of the year before."
        )


class Rated(NamedTuple):
    """One past incident's rating."""

    created: datetime
    severity: str
    reporter: str | None


def measure(proposals: Iterable[str | None], incidents: Sequence[Rated], rubric: Rubric, since: datetime) -> Inflation:
    """Hold the severities proposed since `since` (None: undetermined) against the incidents of the year before."""
    words = {incident.severity for incident in incidents}
    said = list(proposals)
    levels = [rubric.level_of(word, words) for word in said if word]
    before = [i for i in incidents if since - HISTORY <= i.created < since]
    past = [(i.reporter, level) for i in before if (level := rubric.level_of(i.severity, words)) is not None]
    rated = [level for level in levels if level is not None]
    proposed = _sequence(sum(level <= SEVERE for level in rated), len(rated))
    history = _fixed(sum(level <= SEVERE for _, level in past), len(past), ALPHA / 2)
    drift: Literal["inflated", "deflated", "none", "too little to say"] = "none"
    if history.rated < MIN_HISTORY or not rated:
        drift = "too little to say"
    elif proposed.low > history.high:
        drift = "inflated"
    elif proposed.high < history.low:
        drift = "deflated"
    return Inflation(
        since=since,
        proposed=proposed,
        undetermined=said.count(None),
        history=history,
        drift=drift,
        reporters=_inflating(past, history),
    )


def read_inflation(database: "Database", store: "IncidentStore", rubric: Rubric, now: datetime) -> Inflation:
    """Measure on the ledger's verdicts since the start of the quarter and the memory's incidents."""
    since = quarter_of(now)
    query = select(ledger.c.payload).where(ledger.c.event == "triaged", ledger.c.at >= since.timestamp())
    with database.read() as connection:
        payloads = [payload for payload in connection.execute(query).scalars() if isinstance(payload, dict)]
    proposals = [payload["severity"] for payload in payloads if "severity" in payload]
    rated = [Rated(*row) for row in store.ratings(since - HISTORY)]
    return measure(proposals, rated, rubric, since)


def quarter_of(moment: datetime) -> datetime:
    """The first moment of the quarter, UTC."""
    return datetime(moment.year, 1 + 3 * ((moment.month - 1) // 3), 1, tzinfo=UTC)


def _sequence(severe: int, rated: int) -> Share:
    """The confidence sequence at 1 - ALPHA/2: every p under which the data are not 2/ALPHA times likelier in the mixture."""
    if rated == 0:
        return Share(severe=0, rated=0, low=0.0, high=1.0)
    mixture = lgamma(severe + 1) + lgamma(rated - severe + 1) - lgamma(rated + 2) + log(ALPHA / 2)

    def inside(p: float) -> bool:
        likely = (severe * log(p) if severe else 0.0) + ((rated - severe) * log(1 - p) if severe < rated else 0.0)
        return likely >= mixture

    rate, tiny = severe / rated, 1e-9
    low = 0.0 if severe == 0 else _edge(tiny, rate if severe < rated else 1 - tiny, inside)
    high = 1.0 if severe == rated else _edge(1 - tiny, rate if severe else tiny, inside)
    return Share(severe=severe, rated=rated, low=low, high=high)


def _edge(outside: float, within: float, inside: Callable[[float], bool]) -> float:
    """The border between a point outside and one inside, by bisection; the outer side of it."""
    for _ in range(_STEPS):
        middle = (outside + within) / 2
        outside, within = (outside, middle) if inside(middle) else (middle, within)
    return outside


def _fixed(severe: int, rated: int, alpha: float) -> Share:
    found = wilson(severe, rated, confidence=1 - alpha)
    return Share(severe=severe, rated=rated, low=found.low, high=found.high)


def _inflating(past: Sequence[tuple[str | None, int]], team: Share) -> list[ReporterShare]:
    """Reporters whose lower bound lies above the team's upper one (Bonferroni over those with enough reports)."""
    counts = Counter(reporter for reporter, _ in past if reporter)
    severe = Counter(reporter for reporter, level in past if reporter and level <= SEVERE)
    looked_at = [reporter for reporter, n in counts.items() if n >= MIN_REPORTS]
    shares = [
        ReporterShare(reporter=reporter, share=_fixed(severe[reporter], counts[reporter], ALPHA / len(looked_at)))
        for reporter in looked_at
    ]
    above = [one for one in shares if one.share.low > team.high]
    return sorted(above, key=lambda one: (-one.share.low, one.reporter))[:MAX_REPORTERS]
