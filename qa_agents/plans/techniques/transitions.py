"""State transition testing, ISO/IEC/IEEE 29119-4, 5.2.8: single transitions, pairs of them, and events out of place."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from qa_agents.plans.schema import CoverageItem, Requirement, Transition
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.wording import normal

MOST_PAIRS = 60
MOST_INVALID = 40
"""Of one machine; a larger one is walked along its stated transitions only."""
Edge = tuple[Requirement, Transition]


def transitions(requirements: Sequence[Requirement]) -> Iterator[CoverageItem]:
    """0-switch, 1-switch and invalid transitions of every machine that the requirements of a source describe together."""
    for machine in _machines(requirements):
        yield from (_single(requirement, edge) for requirement, edge in machine)
        yield from _pairs(machine)
        yield from _invalid(machine)


def _machines(requirements: Sequence[Requirement]) -> list[list[Edge]]:
    """Transitions of one source that hang together through their states."""
    by_source: dict[str, list[Edge]] = defaultdict(list)
    for requirement in requirements:
        for edge in requirement.transitions:
            by_source[requirement.source_id].append((requirement, edge))
    machines: list[list[Edge]] = []
    for edges in by_source.values():
        parent: dict[str, str] = {}

        def root(state: str, parent: dict[str, str] = parent) -> str:
            while parent.setdefault(state, state) != state:
                state = parent[state]
            return state

        for _, edge in edges:
            parent[root(normal(edge.before))] = root(normal(edge.after))
        grouped: dict[str, list[Edge]] = defaultdict(list)
        seen: set[tuple[str, ...]] = set()
        for requirement, edge in edges:
            key = (normal(edge.before), normal(edge.event), normal(edge.after), normal(edge.guard or ""))
            if key not in seen:
                seen.add(key)
                grouped[root(normal(edge.before))].append((requirement, edge))
        machines += grouped.values()
    return machines


def _event(edge: Transition) -> str:
    return f"{edge.event} [{edge.guard}]" if edge.guard else edge.event


def _single(requirement: Requirement, edge: Transition) -> CoverageItem:
    return make_item(
        requirement,
        "state0",
        f"{edge.before} – {_event(edge)} → {edge.after}",
        rule="stated-transition",
        parameters={"state": edge.before, "event": _event(edge)},
        expected=f"The state is {edge.after}",
        basis="quote",
    )


def _pairs(machine: list[Edge]) -> Iterator[CoverageItem]:
    """Every two transitions of which one begins where the other ends (1-switch, Chow 1978)."""
    count = 0
    for _, first in machine:
        for requirement, second in machine:
            if normal(first.after) != normal(second.before) or count >= MOST_PAIRS:
                continue
            count += 1
            yield make_item(
                requirement,
                "state1",
                f"{first.before} – {_event(first)} → {first.after} – {_event(second)} → {second.after}",
                rule="two-transitions",
                parameters={
                    "state": first.before,
                    "event": _event(first),
                    "then": _event(second),
                    "between": first.after,
                },
                expected=f"The state is {second.after}",
            )


def _invalid(machine: list[Edge]) -> Iterator[CoverageItem]:
    """Every event in every state that has no transition for it: the state stays."""
    states = {normal(state): state for _, edge in machine for state in (edge.before, edge.after)}
    events: dict[str, tuple[Requirement, str]] = {}
    for requirement, edge in machine:
        events.setdefault(normal(edge.event), (requirement, edge.event))
    known = {(normal(edge.before), normal(edge.event)) for _, edge in machine}
    count = 0
    for state, shown in states.items():
        for event, (requirement, words) in events.items():
            if (state, event) in known or count >= MOST_INVALID:
                continue
            count += 1
            yield make_item(
                requirement,
                "state_invalid",
                f"{words} in state {shown} (no transition is stated)",
                rule="no-such-transition",
                polarity="negative",
                parameters={"state": shown, "event": words},
                expected=f"The state is still {shown}",
            )
