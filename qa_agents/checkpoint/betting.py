"""Betting against a hypothesis for as long as one likes: capital over several bets, some of it spread anew before every round.

While no bet pays more than its stake in expectation, the capital of 1 ever reaches L with probability at most 1/L (Ville 1939),
so that it may be looked at after every round. The spreading is the jump of Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and
Gammerman: Retrain or not retrain: conformal test martingales for change-point detection (COPA 2021). What is bet on, and what
that pays, is the caller's.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_RICH = 1e200
"""Beyond this nobody needs to count; floats could not."""


class Jumper:
    """Capital over so many bets, at first and by `jump` (a share of it, 0 to 1) before each round spread evenly over all of them.

    `streams` of them may be played side by side, which is how simulations do it.
    """

    def __init__(self, bets: int, jump: float, streams: int = 1) -> None:
        self._jump = jump
        self._stakes = np.full((streams, bets), 1.0 / bets)

    @property
    def capital(self) -> float:
        """What 1 has become, in the first stream."""
        return float(self._stakes[0].sum())

    @property
    def capitals(self) -> NDArray[np.float64]:
        """What 1 has become in each stream."""
        found: NDArray[np.float64] = self._stakes.sum(axis=1)
        return found

    def settle(self, pays: ArrayLike) -> None:
        """One round: what each bet makes of a stake of 1, as (bets) or (streams, bets); not below 0."""
        spread = self.capitals[:, None] / self._stakes.shape[1]
        moved = (1 - self._jump) * self._stakes + self._jump * spread
        with np.errstate(over="ignore"):
            self._stakes = np.minimum(moved * np.asarray(pays, np.float64), _RICH)
