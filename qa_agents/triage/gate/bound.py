"""The missed-critical bound: below which score a report may pass unseen, proven for any score whatever its quality.

Learn then Test for a monotone rule, which is Wilks' tolerance limit: Wilks, "Determination of sample sizes for setting tolerance
limits" (1941); Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: calibrating predictive algorithms to achieve risk
control" (arXiv 2110.01052). Exact binomial, no large-sample approximation.
"""

from collections.abc import Sequence
from math import exp, fsum, lgamma, log, log1p

from pydantic import BaseModel, ConfigDict, Field

from qa_agents.checkpoint.gate_policy import Costs

ASK_ALL = 0.0
"""The threshold at which every report is escalated: no score lies below it."""
MOST_CRITICALS = 10_000_000
"""Where looking for a sufficient number ends."""


class Feasible(BaseModel):
    """What `n` known critical reports can promise, before anything is calibrated."""

    model_config = ConfigDict(frozen=True)

    n: int
    alpha: float
    delta: float
    allowed: int
    """How many of the `n` may score below the threshold; -1 when nothing can be promised."""
    needed: int
    """The fewest critical reports that can promise anything at this alpha and delta."""
    best_alpha: float | None
    """The smallest alpha that `n` can promise, with no miss allowed; None without critical reports."""

    def __str__(self) -> str:
        wanted = f"at most {self.alpha:.1%} missed with {1 - self.delta:.0%} confidence"
        if self.allowed < 0:
            instead = (
                f" With none of them below the threshold they can promise {self.best_alpha:.2%}."
                if self.best_alpha is not None
                else ""
            )
            return f"{wanted}: not feasible. It takes {self.needed} critical reports; there are {self.n}.{instead}"
        return (
            f"{wanted}: feasible with {self.n} critical reports ({self.needed} are the fewest), "
            f"{self.allowed} of them below the threshold."
        )


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p), summed term by term in logarithms. Raises ValueError unless 0 <= p <= 1 and n >= 0."""
    if not 0 <= p <= 1 or n < 0:
        raise ValueError(f"Binomial({n}, {p}) is no distribution")
    if k < 0:
        return 0.0
    if k >= n or p == 0:
        return 1.0
    if p == 1:
        return 0.0
    odds, rest = log(p), log1p(-p)
    whole = lgamma(n + 1)
    return min(
        1.0, fsum(exp(whole - lgamma(i + 1) - lgamma(n - i + 1) + i * odds + (n - i) * rest) for i in range(k + 1))
    )


def rank_of(n: int, alpha: float, delta: float) -> int:
    """The largest r with BinomialCDF(r - 1; n, alpha) <= delta; 0 when even r = 1 is not proven. Raises ValueError.

    With t the r-th smallest score of n critical reports, P(share of critical reports below t is at most alpha) >= 1 - delta.
    """
    _check(alpha, delta)
    low, high = 0, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if binomial_cdf(middle - 1, n, alpha) <= delta else (low, middle)
    return low


def needed_criticals(alpha: float, delta: float, misses: int = 0) -> int:
    """The fewest critical reports with which `misses` of them may lie below the threshold. Raises ValueError."""
    _check(alpha, delta)
    low, high = 0, 1
    while rank_of(high, alpha, delta) <= misses and high < MOST_CRITICALS:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if rank_of(middle, alpha, delta) <= misses else (low, middle)
    return high


def feasible(n: int, alpha: float, delta: float) -> Feasible:
    """What `n` critical reports can promise. Raises ValueError unless 0 < alpha, delta < 1."""
    return Feasible(
        n=n,
        alpha=alpha,
        delta=delta,
        allowed=rank_of(n, alpha, delta) - 1,
        needed=needed_criticals(alpha, delta),
        best_alpha=1 - delta ** (1 / n) if n else None,
    )


def threshold(scores: Sequence[float], alpha: float, delta: float) -> tuple[float, int]:
    """(t, r): a report is escalated when its score is at least t. r = 0 asks for everything. Raises ValueError."""
    r = rank_of(len(scores), alpha, delta)
    return (sorted(scores)[r - 1], r) if r else (ASK_ALL, 0)


def worth_looking(costs: Costs) -> float:
    """The probability of being critical from which a look is worth its cost; 1 at most.

    A look costs `review`; not looking costs `miss` where the report is critical and a person would have seen it.
    """
    return min(1.0, costs.review / (costs.miss * costs.caught))


class CriticalBound(BaseModel):
    """A threshold with everything it rests on; kept, and void when its fingerprint is no longer the scores'."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    fingerprint: str
    """Of everything that makes the score."""
    critical: list[str] = Field(min_length=1)
    """The words for severity or priority that count as critical."""
    alpha: float
    delta: float
    n: int
    """Critical reports it rests on, one per duplicate cluster."""
    r: int
    proven: float
    """The threshold of the exact rule; 0 escalates all."""
    worth: float | None = None
    """The score from which a look is worth its cost, where the policy names costs."""
    worth_probability: float | None = None
    first: str = ""
    last: str = ""
    """The dates between which the reports were filed."""
    others: int = 0
    others_escalated: int = 0
    """Reports that were not critical in the reference sample, and how many of them reach a person at this threshold."""
    reference: list[float] = Field(default_factory=list)
    """Scores of the newest reports, critical or not, in the order of filing: what live scores are compared with."""
    base_rate: float = 0.0
    """The share of critical ones among the reference sample."""
    familiar: list[float] = Field(default_factory=list)
    """How near the nearest incident was to each report of the reference sample, ascending."""
    reporters: int = 0
    """By how many different people the critical reports were filed."""
    separation: float | None = None
    """P(a critical report scores above another): AUC, ties half. What limits the threshold."""
    calibrated_at: float = 0.0
    calibrated_by: str = ""

    @property
    def threshold(self) -> float:
        """From this score on a report is escalated: the lower of what is proven and what is worth its cost."""
        return min(self.proven, self.worth) if self.worth is not None else self.proven

    def guarantee(self) -> str:
        """What is promised, in one sentence."""
        if not self.r:
            return "Nothing can be promised: every report is escalated."
        return (
            f"With {1 - self.delta:.0%} confidence, at most {self.alpha:.1%} of critical reports ({', '.join(self.critical)}) "
            f"score below {self.threshold:.4f} and may pass unseen, as long as new reports are like the {self.n} critical ones "
            f"it rests on."
        )


def auc(critical: Sequence[float], others: Sequence[float]) -> float | None:
    """P(a critical score is above another one), ties counting half; None where a side is empty. Mann and Whitney 1947."""
    if not critical or not others:
        return None
    ordered = sorted([(score, 0) for score in others] + [(score, 1) for score in critical])
    at, rank_sum = 0, 0.0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        rank_sum += (at + end + 1) / 2 * sum(is_critical for _, is_critical in ordered[at:end])
        at = end
    n = len(critical)
    return (rank_sum - n * (n + 1) / 2) / (n * len(others))


def _check(alpha: float, delta: float) -> None:
    if not (0 < alpha < 1 and 0 < delta < 1):
        raise ValueError("alpha and delta must lie between 0 and 1")
