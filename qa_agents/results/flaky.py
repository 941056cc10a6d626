"""Whether a test that is red broke, or flakes: a Bayesian change-point model over its own past.

A test lives in regimes, each with one rate of failure; between two runs a regime may end and another begin. A regime is of one
of three kinds, each a Beta prior over its rate: stable (hardly ever red), flaky, broken (hardly ever green). The filter keeps the
posterior over when the present regime began and of what kind it is; counts within a regime are integrated out, so it is exact
but for one simplification: a regime begins only where the outcome flips. Adams and MacKay: Bayesian Online Changepoint Detection
(arXiv 0710.3742, 2007), with a mixture of Beta-Bernoulli predictives.

So a test that broke for good is not flaky, one that was mended is no longer flaky, and one that never failed before is not
called flaky without evidence. Red and green on one commit speak for flaking: without a change, a regime seldom ends.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict


class Look(NamedTuple):
    """One run's outcome of a test, as far as it says something: skipped and missing ones are left out."""

    red: bool
    changed: bool = True
    """Whether the commit differs from that of the look before; True where commits are not known."""


class Priors(NamedTuple):
    """What is believed before anything was seen. Chosen on the earlier halves of two public histories (evals regressions)."""

    stable: tuple[float, float] = (0.3, 150.0)
    flaky: tuple[float, float] = (1.0, 4.0)
    broken: tuple[float, float] = (30.0, 0.6)
    shares: tuple[float, float, float] = (0.90, 0.05, 0.05)
    """How often a new regime is stable, flaky, broken."""
    hazard: float = 0.02
    """Probability that a regime ends between two runs of different commits."""
    hazard_same: float = 0.004
    """The same without a change of commit: machines, networks and services change too."""


class FlakeRate(BaseModel):
    """How often the test fails without being broken: the posterior of the present regime's rate, before the present failure."""

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float
    high: float
    """Limits of the central 95 % credible interval, 0 to 1."""
    red: int
    n: int
    """Failures, and runs, of the regime that the rate rests on."""
    same_commit: int = 0
    """Commits of the window on which it both passed and failed."""


class State(NamedTuple):
    """What the filter believes after the last look."""

    broken: float
    """Posterior probability that the present regime is a broken one, 0 to 1."""
    flaky: float
    stable: float
    began: int
    """Index of the look at which the likeliest present regime began."""


_Segment = tuple[bool, int, bool]
"""Outcome, how often in a row, whether the commit changed at its start."""


def judge(looks: Sequence[Look], *, odds: float = 1.0, priors: Priors = Priors()) -> State:  # noqa: B008 - immutable
    """The posterior after `looks`, oldest first. `odds` is the likelihood ratio that the newest failure's words add for "broke
    now" against "flaked" (1: they say nothing); it counts for regimes that begin with the failures at the end.

    Without looks the test is stable by its prior.
    """
    segments = _segments(looks)
    if not segments:
        return State(priors.shares[2], priors.shares[1], priors.shares[0], 0)
    weights = dict(_filtered(segments, priors))
    last = len(segments) - 1
    if segments[-1][0] and odds != 1.0:
        weights[last, 2] *= odds
    total = sum(weights.values())
    shares = [sum(weight for (_, kind), weight in weights.items() if kind == wanted) / total for wanted in range(3)]
    began, _ = max(weights, key=lambda key: weights[key])
    return State(shares[2], shares[1], shares[0], sum(length for _, length, _ in segments[:began]))


def flake_rate(looks: Sequence[Look], *, same_commit: int = 0, priors: Priors = Priors()) -> FlakeRate:  # noqa: B008
    """The rate of failure of the regime before the failures at the end of `looks`, with a 95 % credible interval.

    The regime is the likeliest of those that are not broken; its prior is the mixture's part of that kind.
    """
    segments = _segments(looks)
    if segments and segments[-1][0] and len(segments) > 1:
        segments = segments[:-1]
    weights = {key: weight for key, weight in _filtered(segments, priors) if key[1] != 2} if segments else {}
    start, kind = max(weights, key=lambda key: weights[key]) if weights else (0, 0)
    kept = segments[start:]
    red = sum(length for is_red, length, _ in kept if is_red)
    n = sum(length for _, length, _ in kept)
    a, b = (priors.stable, priors.flaky)[kind]
    low, high = _interval(a + red, b + n - red)
    mean = (a + red) / (a + b + n)
    return FlakeRate(mean=mean, low=low, high=high, red=red, n=n, same_commit=same_commit)


def _segments(looks: Sequence[Look]) -> tuple[_Segment, ...]:
    found: list[_Segment] = []
    for look in looks:
        if found and found[-1][0] == look.red:
            found[-1] = (look.red, found[-1][1] + 1, found[-1][2])
        else:
            found.append((look.red, 1, look.changed))
    return tuple(found)


@lru_cache(maxsize=50_000)
def _filtered(segments: tuple[_Segment, ...], priors: Priors) -> tuple[tuple[tuple[int, int], float], ...]:
    """Posterior weight of each (segment at which the present regime began, kind), summing to 1."""
    betas = (priors.stable, priors.flaky, priors.broken)
    logs: dict[tuple[int, int], float] = {(0, kind): log(share) for kind, share in enumerate(priors.shares)}
    counts = [0, 0]
    since: dict[int, tuple[int, int]] = {0: (0, 0)}
    for place, (is_red, length, changed) in enumerate(segments):
        hazard = priors.hazard if changed else priors.hazard_same
        if place:
            whole = log(hazard)  # the weights before sum to 1
            logs = {key: value + log1p(-hazard) for key, value in logs.items()}
            since[place] = (counts[0], counts[1])
            logs.update(((place, kind), whole + log(share)) for kind, share in enumerate(priors.shares))
        for (start, kind), value in logs.items():
            reds, greens = counts[0] - since[start][0], counts[1] - since[start][1]
            a, b = betas[kind][0] + reds, betas[kind][1] + greens
            logs[start, kind] = value + (_in_a_row(a, b, length) if is_red else _in_a_row(b, a, length))
        counts[0 if is_red else 1] += length
        top = max(logs.values())
        total = sum(exp(value - top) for value in logs.values())
        scale = top + log(total)
        logs = {key: value - scale for key, value in logs.items() if value - scale > -40}
    return tuple((key, exp(value)) for key, value in logs.items())


def _in_a_row(a: float, b: float, length: int) -> float:
    """Log probability of so many outcomes in a row of the kind that `a` counts, under Beta(a, b)."""
    if length == 1:
        return log(a / (a + b))
    return lgamma(a + length) - lgamma(a) + lgamma(a + b) - lgamma(a + b + length)


@lru_cache(maxsize=20_000)
def _interval(a: float, b: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, 0.025)), float(betaincinv(a, b, 0.975))
