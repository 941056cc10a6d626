"""A linear model with a softmax: which labels speak from a report's features; fitted on sparse matrices, asked with NumPy.

Multinomial logistic regression with an L2 penalty. Own objective, because a report may carry several labels: they share its
weight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qa_agents.triage.proposals.words import Row

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Numbers = NDArray[np.float32]
ITERATIONS = 30
"""Enough: twice as many move a component's accuracy by .003."""
HISTORY = 6
"""Steps remembered by the optimiser; bounds its memory."""
ENOUGH, MAX_HALVINGS = 1e-4, 20
"""Armijo's condition, and how often a step is halved to meet it."""
TOLERANCE = 1e-5
"""A step that gains less, as a share of the loss, is the last."""

Objective = Callable[[Numbers], tuple[float, Numbers]]


@dataclass(frozen=True)
class Linear:
    """Weights (features × labels) and one bias a label."""

    weights: Numbers
    bias: Numbers

    def of_row(self, row: Row) -> Numbers:
        """Log-probability of each label for sparse features."""
        return log_softmax(row.weights @ self.weights[row.columns] + self.bias)

    def of_vectors(self, features: csr_matrix | Numbers) -> Numbers:
        """Log-probabilities, one row of labels for each row of features."""
        return log_softmax(np.asarray(features @ self.weights) + self.bias)

    def contributions(self, row: Row, label: int) -> Numbers:
        """What each of the row's features adds to `label`, compared with what it adds to the labels on average."""
        weights = self.weights[row.columns]
        added: Numbers = row.weights * (weights[:, label] - weights.mean(axis=1))
        return added


def fit_linear(
    features: csr_matrix | Numbers, targets: Numbers, weights: Numbers, *, strength: float, iterations: int = ITERATIONS
) -> Linear:
    """Fit to `targets` (rows sum to 1) with one weight a row; a higher `strength` means less penalty."""
    width = features.shape[1]
    turned = features.T.tocsr() if hasattr(features, "tocsr") else features.T
    scale = (strength * weights / max(float(weights.mean()), 1e-9))[:, None].astype(np.float32)

    def objective(model: Numbers) -> tuple[float, Numbers]:
        log_p = log_softmax(np.asarray(features @ model[:-1]) + model[-1])
        loss = -float((scale * targets * log_p).sum(dtype=np.float64)) + 0.5 * _dot(model[:-1], model[:-1])
        excess = (np.exp(log_p) - targets) * scale
        gradient = np.empty_like(model)
        gradient[:-1] = turned @ excess
        gradient[:-1] += model[:-1]
        gradient[-1] = excess.sum(axis=0)
        return loss, gradient

    start = np.zeros((width + 1, targets.shape[1]), np.float32)
    start[-1] = np.log((targets * weights[:, None]).sum(axis=0) + 0.5)
    model = minimise(objective, start, iterations)
    return Linear(model[:-1], model[-1])


def minimise(objective: Objective, start: Numbers, iterations: int) -> Numbers:
    """Limited-memory BFGS with backtracking (Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 3.1).

    In single precision and without bounds: on models of this size a fifth of the time and half the memory of SciPy's.
    `objective` gives value and gradient and is convex. Ends early when a step gains nothing.
    """
    at, (value, slope) = start, objective(start)
    past: deque[tuple[Numbers, Numbers, float]] = deque(maxlen=HISTORY)
    for _ in range(iterations):
        step = _two_loops(slope, past)
        downhill = _dot(step, slope)
        length = 1.0 if past else 1.0 / max(1.0, float(np.sqrt(_dot(slope, slope))))
        for _ in range(MAX_HALVINGS):
            there = at + np.float32(length) * step
            new_value, new_slope = objective(there)
            if new_value <= value + ENOUGH * length * downhill:
                break
            length /= 2
        else:
            return at
        moved, turned = there - at, new_slope - slope
        curved = _dot(moved, turned)
        if curved > 0:
            past.append((moved, turned, curved))
        gained = value - new_value
        at, value, slope = there, new_value, new_slope
        if gained <= TOLERANCE * abs(value):
            break
    return at


def _two_loops(slope: Numbers, past: deque[tuple[Numbers, Numbers, float]]) -> Numbers:
    """The direction of the next step."""
    step, shares = -slope, []
    for moved, turned, curved in reversed(past):
        share = _dot(moved, step) / curved
        step -= np.float32(share) * turned
        shares.append(share)
    if past:
        _, turned, curved = past[-1]
        step *= np.float32(curved / _dot(turned, turned))
    for (moved, turned, curved), share in zip(past, reversed(shares), strict=True):
        step += np.float32(share - _dot(turned, step) / curved) * moved
    return step


def _dot(left: Numbers, right: Numbers) -> float:
    return float(np.vdot(left, right))


def log_softmax(scores: Numbers) -> Numbers:
    """Scores to log-probabilities along the last axis, without overflow."""
    shifted = scores - scores.max(axis=-1, keepdims=True, initial=-np.inf) if scores.size else scores
    result: Numbers = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
