"""What is bet on from look to look, and how large a change such bets find."""

from functools import lru_cache
from math import pi
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from qa_agents.checkpoint.betting import Jumper
from qa_agents.results.monitor.change import ALPHA, POWER, Numbers

JUMP = 0.05
"""Share of the capital that is spread anew over the bets before each look."""
BETS = (0.25, 0.5, 1.0, 2.0)
"""A bet e pays exp(e·z - e²/2) on the normal score z of a run's p-value, both ways: small ones find small lasting changes."""
_STREAMS, _HALVINGS = 400, 12
"""So many simulated histories say what could have been seen; so many steps of bisection."""

Ranked = Literal["cases", "all", "yes/no"]
"""Among what a value is ranked; yes/no values, of which nothing is lost by ranking, apart."""


class Bettor:
    """Bets against p-values being independent and uniform; `streams` of them side by side."""

    def __init__(self, streams: int = 1) -> None:
        self._bets = np.array([0.0, *BETS, *(-bet for bet in BETS)])
        self._purse = Jumper(self._bets.size, JUMP, streams)

    @property
    def capital(self) -> float:
        """What 1 has become, in the first stream."""
        return self._purse.capital

    @property
    def capitals(self) -> Numbers:
        """What 1 has become in each stream."""
        return self._purse.capitals

    def take(self, score: ArrayLike) -> None:
        """Settle the bets on the normal score of one p-value, or of one per stream."""
        gains = np.multiply.outer(np.atleast_1d(np.asarray(score, np.float64)), self._bets)
        self._purse.settle(np.exp(gains - self._bets**2 / 2))


@lru_cache(maxsize=64)
def reach(looks: int, began: int, columns: int, alpha: float = ALPHA, *, ranked: Ranked = "all") -> float:
    """By how many standard errors of one run's mean a column has to move with look `began` (counted from 1, after the first,
    which is the reference) and to stay there, to raise an alarm among `columns` by look `looks` with a probability of 80 %.

    By simulation of the bets themselves, a run's mean taken as normal; the same answer every time. Ranks see less of a move than
    means do: of normal values the share √(3/π), and √(t / (t + 2)) of that among t earlier values of the same case.
    """
    noise = np.random.default_rng(0).normal(size=(looks + 1, _STREAMS))
    moved = (np.arange(looks + 1) >= began).astype(np.float64)[:, None]
    before = np.arange(1, looks + 1)[:, None]
    seen = np.ones_like(before, np.float64) if ranked == "yes/no" else np.full(before.shape, (3 / pi) ** 0.5)
    seen *= (before / (before + 2)) ** 0.5 if ranked == "cases" else 1.0
    by_chance, by_move = (
        (one[1:] - np.cumsum(one, axis=0)[:-1] / before) * (before / (before + 1)) ** 0.5 for one in (noise, moved)
    )

    def power(size: float) -> float:
        bettor, highest = Bettor(_STREAMS), np.zeros(_STREAMS)
        for score in by_chance + size * seen * by_move:
            bettor.take(score)
            highest = np.maximum(highest, bettor.capitals)
        return float((highest >= columns / alpha).mean())

    low, high = 0.0, 50.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high
