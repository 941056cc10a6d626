"""From witnesses to one probability per label: a conditional logit (McFadden, 1974) over what each witness says of a label.

One weight a witness, the same for every label, so that labels nobody has trained on can win. Fitted by maximum likelihood
on reports that the witnesses had not seen, the scale of the probabilities (the temperature) is part of the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
UNSEEN = 0.02
"""A witness leaves so much probability to labels that it does not know."""
VOTE_FLOOR = 0.01
START = {"text": 0.35, "vectors": 0.25, "close": 0.3, "fresh": 0.7, "prior": -0.2, "product": 0.8, "reporter": 0.2}
"""Where the fit starts and what it stays near where the cases are few; from the development data."""
PULL = 1.0
"""Strength of that, as a number of cases."""


def heard(log_p: NDArray[np.float32], labels: int, known: Sequence[int]) -> Floats:
    """A witness's log-probabilities over its `known` labels, spread over all labels with UNSEEN left for the others."""
    spread = np.full((*log_p.shape[:-1], labels), UNSEEN / labels)
    spread[..., list(known)] += (1 - UNSEEN) * np.exp(log_p.astype(np.float64))
    result: Floats = np.log(spread)
    return result


def vote_evidence(shares: Floats) -> Floats:
    """Shares of a vote on the scale of the other witnesses."""
    result: Floats = np.log(shares + VOTE_FLOOR)
    return result


def fit_fusion(features: Floats, right: NDArray[np.bool_], names: Sequence[str]) -> Floats:
    """One weight a witness, from reports × labels × witnesses and which labels were right (at least one a report)."""
    from scipy.optimize import minimize

    start = np.array([START.get(name, 0.1) for name in names])
    n = len(features)

    def objective(weights: Floats) -> tuple[float, Floats]:
        p = probabilities(features, weights)
        both = p * right
        hit = both.sum(axis=1) + 1e-12
        away = weights - start
        gradient = np.einsum("nl,nlk->k", p - both / hit[:, None], features) / n
        pull = PULL / n
        return float(-np.log(hit).mean() + pull * away @ away), gradient + 2 * pull * away

    weights: Floats = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return weights


def probabilities(features: Floats, weights: Floats) -> Floats:
    """Softmax over the labels of the weighted sum of the witnesses."""
    scores = features @ weights
    scores -= scores.max(axis=-1, keepdims=True, initial=-np.inf)
    raised = np.exp(scores)
    result: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return result


class Beta(NamedTuple):
    """Beta calibration (Kull, Silva Filho and Flach, 2017): a probability's measured counterpart, monotone, three numbers."""

    rising: float = 1.0
    falling: float = 1.0
    offset: float = 0.0

    def __call__(self, p: float) -> float:
        """The calibrated probability of one that was said, 0 to 1."""
        return float(self.of(np.array([p]))[0])

    def of(self, said: Floats) -> Floats:
        """The same for many."""
        return _sigmoid(_odds(said) @ np.array(self))


def log_loss(p: Floats, hit: NDArray[np.bool_]) -> float:
    """Mean of -log of the probability that was given to what happened; 0 is best."""
    return float(-np.log(np.clip(np.where(hit, p, 1 - p), 1e-9, 1)).mean())


def fit_beta(said: Floats, hit: NDArray[np.bool_]) -> Beta:
    """Fit on what was said of reports and whether it was right; few cases leave what was said nearly as it is."""
    from scipy.optimize import minimize

    odds, right, start = _odds(said), hit.astype(np.float64), np.array(Beta())

    def objective(at: Floats) -> tuple[float, Floats]:
        p, away = np.clip(_sigmoid(odds @ at), 1e-9, 1 - 1e-9), at - start
        loss = -(right * np.log(p) + (1 - right) * np.log(1 - p)).sum() + PULL * away @ away
        return float(loss), odds.T @ (p - right) + 2 * PULL * away

    bounds = [(0.0, None), (0.0, None), (None, None)]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return Beta(*found.tolist())


def _odds(p: Floats) -> Floats:
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    return np.stack([np.log(inside), -np.log(1 - inside), np.ones(len(inside))], axis=1)


def _sigmoid(x: Floats) -> Floats:
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(x, -50, 50)))
    return result
