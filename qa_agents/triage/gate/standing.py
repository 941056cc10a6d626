"""Whether a field has earned to act: how often people kept what was proposed, among the newest decisions of the same kind."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from qa_agents.checkpoint.audits import band_of
from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.rates import at_most

EVERYONE = "all"
"""The group, where the policy does not split."""


class Judged(NamedTuple):
    """One proposed value that a person judged, by decision, blind second look, audit or later correction."""

    run_id: str
    field: str
    band: str
    """Of the proposal's calibrated probability."""
    component: str
    """The component proposed for the same report."""
    filer: str
    kept: bool
    """False as soon as anybody who judged this very value would not have kept it."""
    at: float


class Standing(BaseModel):
    """One field in one probability band (and group), beside the team's target."""

    model_config = ConfigDict(frozen=True)

    field: str
    band: str
    group: str = EVERYONE
    kept: int
    n: int
    low: float
    """With 95 % confidence people keep at least this share (exact, one-sided)."""
    target: float
    needed: int
    """Decisions without which the field does not act, whatever the rate."""

    @property
    def holds(self) -> bool:
        """Whether the field may act."""
        return self.n >= self.needed and self.low >= self.target

    @property
    def key(self) -> str:
        """Names what is demoted or returns."""
        return f"{self.field} {self.band} {self.group}"

    def __str__(self) -> str:
        where = f"in the band {self.band}" + (f", {self.group}" if self.group != EVERYONE else "")
        if self.n < self.needed:
            return f"{self.field} {where}: kept in {self.kept} of {self.n}; it takes {self.needed} decisions"
        compared = "reaches" if self.holds else "must reach"
        kept = f"kept in {self.kept} of {self.n}, so in at least {self.low:.1%}"
        return f"{self.field} {where}: {kept}; {compared} {self.target:.1%}"


def at_least(kept: int, n: int) -> float:
    """The exact one-sided 95 % lower bound of a rate; 0 without observations. Raises ValueError unless 0 <= kept <= n."""
    return 1.0 - at_most(n - kept, n)


def group_of(policy: GatePolicy, component: str, filer: str) -> str:
    """The group that a report belongs to, as the policy splits."""
    parts = {"component": component or "none", "filer": filer}
    return ", ".join(f"{name} {parts[name]}" for name in dict.fromkeys(policy.split_by)) or EVERYONE


def standing_of(
    judged: Iterable[Judged], policy: GatePolicy, field: str, probability: float | None, *, component: str, filer: str
) -> Standing:
    """Where a field stands for a proposal of this probability; `judged` is in any order, the newest `policy.last` count."""
    band, group = band_of(probability), group_of(policy, component, filer)
    same = [
        one
        for one in judged
        if one.field == field and one.band == band and group_of(policy, one.component, one.filer) == group
    ]
    return _standing(same, policy, field, band, group)


def standings(judged: Iterable[Judged], policy: GatePolicy) -> list[Standing]:
    """Every field, band and group that has been judged, by name."""
    groups: dict[tuple[str, str, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.field, one.band, group_of(policy, one.component, one.filer)), []).append(one)
    return [_standing(same, policy, *key) for key, same in sorted(groups.items())]


def _standing(same: Sequence[Judged], policy: GatePolicy, field: str, band: str, group: str) -> Standing:
    newest = sorted(same, key=lambda one: (one.at, one.run_id))[-policy.last :]
    kept = sum(one.kept for one in newest)
    return Standing(
        field=field,
        band=band,
        group=group,
        kept=kept,
        n=len(newest),
        low=at_least(kept, len(newest)),
        target=policy.target,
        needed=policy.min_decisions,
    )
