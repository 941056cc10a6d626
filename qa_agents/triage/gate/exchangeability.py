"""Are live reports still like those the bound was calibrated on? A test that may be looked at after every report.

A conformal test martingale: under exchangeability the ranks of new scores among all before them are independent and uniform, and
betting against that cannot pay (`checkpoint.betting`). Vovk, Nouretdinov and Gammerman, "Testing exchangeability on-line" (ICML
2003); the bets are those of the Simple Jumper.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from math import inf, log

from pydantic import BaseModel, ConfigDict

from qa_agents.checkpoint.betting import Jumper

ALARM = 100.0
"""Capital at which the alarm goes off: by chance in at most 1 of 100 deployments, however long they run."""
JUMP = 0.01
"""Share of the capital that is spread anew over the bets before each report."""
BETS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""A bet e pays 1 + e(p - 1/2): negative ones win when scores rise, positive ones when they fall."""


class Watched(BaseModel):
    """Where the martingale stands."""

    model_config = ConfigDict(frozen=True)

    seen: int
    """Live reports since the calibration, or since somebody acknowledged the last alarm."""
    capital: float
    highest: float
    alarmed_at: int | None = None
    """The live report, counted from 1, at which the capital reached ALARM; the alarm stays until a person lifts it."""

    @property
    def alarm(self) -> bool:
        """Whether live reports are shown to differ from those of the calibration."""
        return self.alarmed_at is not None


class Martingale:
    """Bets against each new score being a random one among all so far. `reference` is known and not bet on."""

    def __init__(self, reference: Iterable[float]) -> None:
        self._known = sorted(reference)
        self._purse = Jumper(len(BETS), JUMP)
        self._seen = 0
        self._highest = 1.0
        self._alarmed_at: int | None = None

    def watch(self, score: float, chance: float) -> Watched:
        """Take the next live score; `chance` is its own uniform number from 0 to 1, which breaks ties."""
        p = self._p_value(score, chance)
        self._purse.settle([1 + bet * (p - 0.5) for bet in BETS])
        self._seen += 1
        capital = self._purse.capital
        self._highest = max(self._highest, capital)
        if capital >= ALARM and self._alarmed_at is None:
            self._alarmed_at = self._seen
        return self.now

    def restart(self) -> None:
        """Begin to bet anew, with everything seen so far as known: after a person acknowledged an alarm."""
        self._purse = Jumper(len(BETS), JUMP)
        self._seen, self._highest, self._alarmed_at = 0, 1.0, None

    @property
    def now(self) -> Watched:
        """Where it stands."""
        return Watched(seen=self._seen, capital=self._purse.capital, highest=self._highest, alarmed_at=self._alarmed_at)

    def _p_value(self, score: float, chance: float) -> float:
        """The share of all scores so far, this one included, that are above it; ties by `chance`. Uniform, independent."""
        insort(self._known, score)
        above = len(self._known) - bisect_right(self._known, score)
        ties = bisect_right(self._known, score) - bisect_left(self._known, score)
        return (above + chance * ties) / len(self._known)


def watched(reference: Sequence[float], live: Iterable[tuple[float, float]]) -> Watched:
    """The martingale after these live (score, chance) pairs, in their order."""
    martingale = Martingale(reference)
    for score, chance in live:
        martingale.watch(score, chance)
    return martingale.now


def growth(capital: float) -> float:
    """Evidence against exchangeability in powers of ten; -inf without capital."""
    return log(capital, 10) if capital > 0 else -inf
