"""The permission matrix: every stated right and prohibition, the other side of "only", and the cells nobody filled."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from qa_agents.plans.requirements.rules import EVERYBODY_ELSE
from qa_agents.plans.schema import CoverageItem, Permission, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.wording import flat, normal

MOST_OPEN_CELLS = 30
_ONLY = re.compile(r"\b(?:only|exclusively|solely|no one (?:but|except)|nobody (?:but|except))\b", re.I)


def permissions(requirements: Sequence[Requirement]) -> Iterator[CoverageItem]:
    """Items for stated cells, for the roles that "only" shuts out, and for cells of the matrix that the text leaves empty."""
    by_source: dict[str, list[tuple[Requirement, Permission]]] = defaultdict(list)
    for requirement in requirements:
        for permission in requirement.permissions:
            by_source[requirement.source_id].append((requirement, permission))
    for cells in by_source.values():
        yield from (_stated(requirement, permission) for requirement, permission in cells)
        yield from _others(cells)


def _one_of(role: str) -> str:
    """`Managers` and `manager` are one role."""
    return normal(role).removesuffix("s")


def _deed(permission: Permission) -> str:
    return flat(" ".join(part for part in (permission.action, permission.resource or "") if part))


def _stated(requirement: Requirement, permission: Permission) -> CoverageItem:
    deed = _deed(permission)
    verb = "can" if permission.allowed else "cannot"
    return make_item(
        requirement,
        "permission",
        f"{permission.role} {verb} {deed}",
        rule="stated-right" if permission.allowed else "stated-prohibition",
        polarity="positive" if permission.allowed else "negative",
        parameters={"role": permission.role, "action": deed},
        expected=f"{permission.role} {verb} {deed}",
        basis="quote",
    )


def _others(cells: Sequence[tuple[Requirement, Permission]]) -> Iterator[CoverageItem]:
    """Roles that a deed says nothing about: shut out where the text says "only", open otherwise."""
    roles = {_one_of(permission.role): permission.role for _, permission in cells}
    deeds: dict[str, list[tuple[Requirement, Permission]]] = defaultdict(list)
    for requirement, permission in cells:
        deeds[normal(_deed(permission))].append((requirement, permission))
    open_cells = 0
    for stated in deeds.values():
        spoken = {_one_of(permission.role) for _, permission in stated}
        requirement, permission = stated[0]
        deed = _deed(permission)
        allowed = [p.role for _, p in stated if p.allowed]
        exclusive = next((r for r, p in stated if p.allowed and _ONLY.search(p.quote or r.quote)), None)
        others = [roles[role] for role in roles if role not in spoken]
        if exclusive is not None:
            if EVERYBODY_ELSE in spoken:
                others = [role for role in others if role != EVERYBODY_ELSE]
            for role in others if others or EVERYBODY_ELSE in spoken else [f"user who is not {' nor '.join(allowed)}"]:
                yield make_item(
                    exclusive,
                    "permission",
                    f"{role} cannot {deed} (only {', '.join(allowed)})",
                    rule="shut-out-by-only",
                    polarity="negative",
                    parameters={"role": role, "action": deed},
                    expected=f"{role} cannot {deed}: it is refused",
                )
            continue
        for role in others:
            if open_cells < MOST_OPEN_CELLS and len(deeds) > 1:
                open_cells += 1
                yield make_item(
                    requirement,
                    "permission",
                    f"{role} tries to {deed} (the text does not say)",
                    rule="open-cell",
                    polarity="negative",
                    parameters={"role": role, "action": deed},
                    basis="assumption",
                )
