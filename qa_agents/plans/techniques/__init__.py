"""Test design techniques: from the structure of requirements to coverage items, by code alone."""

from collections.abc import Callable, Iterator, Sequence

from qa_agents.plans.schema import NOT_TESTED, CoverageItem, Requirement
from qa_agents.plans.techniques.api import operations
from qa_agents.plans.techniques.boundaries import boundaries
from qa_agents.plans.techniques.crud import crud
from qa_agents.plans.techniques.decision import decisions
from qa_agents.plans.techniques.equivalence import partitions
from qa_agents.plans.techniques.error_guessing import guesses
from qa_agents.plans.techniques.items import unique
from qa_agents.plans.techniques.non_functional import probes
from qa_agents.plans.techniques.open_ends import open_ends
from qa_agents.plans.techniques.pairwise import pairwise
from qa_agents.plans.techniques.permissions import permissions
from qa_agents.plans.techniques.statement import statements
from qa_agents.plans.techniques.syntax import syntax
from qa_agents.plans.techniques.transitions import transitions
from qa_agents.plans.techniques.use_case import use_cases

__all__ = ["coverage_items", "open_ends", "testable"]

_ALONE: tuple[Callable[[Requirement], Iterator[CoverageItem]], ...] = (
    statements,
    use_cases,
    partitions,
    boundaries,
    pairwise,
    syntax,
    probes,
    guesses,
)
"""Techniques that look at one requirement."""
_TOGETHER: tuple[Callable[[Sequence[Requirement]], Iterator[CoverageItem]], ...] = (
    decisions,
    transitions,
    permissions,
    crud,
    operations,
)
"""Techniques that look at all of them: tables, machines and matrices run over several statements."""


def testable(requirements: Sequence[Requirement]) -> list[Requirement]:
    """The requirements that cases are drafted for: neither removed, nor out of scope, nor rationale, nor without a word."""
    return [
        one
        for one in requirements
        if one.status != "removed" and one.kind not in NOT_TESTED and (one.data or any(map(str.isalnum, one.quote)))
    ]


def coverage_items(requirements: Sequence[Requirement]) -> list[CoverageItem]:
    """What the techniques demand to be exercised, requirement by requirement; every id once, the same for the same input."""
    tested = testable(requirements)
    found = [item for one in tested if not one.data.get("method") for technique in _ALONE for item in technique(one)]
    found += [item for technique in _TOGETHER for item in technique(tested)]
    order = {requirement.id: place for place, requirement in enumerate(tested)}
    return unique(sorted(found, key=lambda item: order[item.requirement_id]))
