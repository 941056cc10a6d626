"""How many cases a requirement may have: what the text states is always kept, what techniques add is bounded by risk."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from qa_agents.plans.schema import CoverageItem, Requirement, Risk
from qa_agents.plans.wording import cut

_STATED = frozenset(
    {
        "stated-outcome",
        "stated-rule",
        "stated-transition",
        "stated-right",
        "stated-prohibition",
        "main-path",
        "alternate-path",
        "api-valid-minimal",
        "threshold-reached",
    }
)
_RANKS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (
        1,
        (
            "on-",
            "just-outside",
            "beyond-",
            "shut-out",
            "condition-not-met",
            "api-none-credentials",
            "api-missing-required",
            "api-on-",
            "api-outside-",
            "example-",
            "threshold-not",
            "output-",
            "measured",
            "within-range",
            "api-optional",
            "missing-required",
        ),
    ),
    (
        2,
        (
            "no-such-transition",
            "unlisted",
            "wrong-type",
            "api-unknown-key",
            "api-valid-full",
            "api-listed",
            "listed-value",
            "boolean-value",
            "api-wrong-type",
            "malformed",
            "breaks-pattern",
            "matches-pattern",
            "well-formed",
            "missing-combination",
            "open-cell",
            "twice-sent",
            "at-the-same-time",
            "text-blank",
            "api-invalid-credentials",
            "retried",
            "date-",
            "moment-",
            "across-",
        ),
    ),
    (
        3,
        (
            "just-inside",
            "two-transitions",
            "pair-of-values",
            "look-again",
            "optional-absent",
            "text-empty",
            "api-unlisted",
            "api-malformed",
            "api-null",
            "connection-lost",
            "page-beyond",
            "api-empty",
            "file-",
        ),
    ),
)
LAST = 4
"""The rank of whatever is not named above."""
_Group = TypeVar("_Group", bound=Sequence[CoverageItem])


@dataclass(frozen=True)
class Budget:
    """Cases per requirement beyond those for what it states itself."""

    low: int = 4
    """Risk level 1 or 2."""
    medium: int = 8
    """Risk level 3 or 4."""
    high: int = 16
    """Risk level 6 or 9."""
    per_limit: int = 2
    """More for each stated limit, list or pattern of a field, so that rich tables are not starved."""
    operation: int = 12
    """More for an API operation, whose body has many places."""
    most: int = 60
    """Of one requirement, whatever its risk."""

    def extras(self, requirement: Requirement, risk: Risk | None) -> int:
        """How many cases techniques may add to a requirement of this risk; a medium one where nobody assessed it."""
        level = risk.level if risk else 4
        share = self.high if level >= 6 else self.medium if level >= 3 else self.low
        limits = sum(
            (f.minimum is not None)
            + (f.maximum is not None)
            + (f.max_length is not None)
            + (f.min_length is not None)
            + bool(f.enum)
            + bool(f.pattern)
            for f in requirement.fields
        )
        share += self.per_limit * limits + (self.operation if requirement.data.get("method") else 0)
        return min(share, self.most)


def rank(group: Sequence[CoverageItem]) -> int:
    """How soon a case for these items is drafted: 0 for what the text states, LAST for the most remote idea."""
    return min(_rank(item.rule) for item in group)


def _rank(rule: str) -> int:
    if rule in _STATED:
        return 0
    return next((place for place, starts in _RANKS if rule.startswith(starts)), LAST)


def keep(
    requirement: Requirement, risk: Risk | None, groups: Sequence[_Group], budget: Budget
) -> tuple[list[_Group], str | None]:
    """The groups of items that become cases, in their order; and a sentence about the rest, None when nothing is left out.

    Groups that hold a stated outcome are always kept; others by rank, then by order, up to the budget.
    """
    allowed = budget.extras(requirement, risk)
    ranked = sorted(range(len(groups)), key=lambda place: (rank(groups[place]), place))
    extras = [place for place in ranked if rank(groups[place]) > 0]
    dropped = set(extras[allowed:])
    kept = [group for place, group in enumerate(groups) if place not in dropped]
    if not dropped:
        return kept, None
    counted = Counter(groups[place][0].technique.replace("_", " ") for place in sorted(dropped))
    named = ", ".join(f"{count} {name}" for name, count in counted.most_common())
    level = f"risk {risk.level} of 9" if risk else "unassessed risk"
    return kept, (
        f"{requirement.explicit_id or requirement.id} ({cut(requirement.text, 70)}): {len(dropped)} cases left out ({named}); "
        f"{level} allows {allowed} beyond what the text states."
    )
