"""Cases with the same steps under different requirements: one where these speak of the same thing, else told apart by place."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from qa_agents.plans.cases import changed
from qa_agents.plans.duplicates import key_of
from qa_agents.plans.schema import Question, Requirement, TestCase

Place = tuple[str, ...]


def told_apart(
    cases: Sequence[TestCase], requirements: Sequence[Requirement], questions: Sequence[Question]
) -> list[TestCase]:
    """The cases in order, no two with the same steps.

    Under one heading, or where a question sets their requirements against each other, they are one case that shows both;
    elsewhere the words are said of different things, and each case says of which.
    """
    by_id = {one.id: one for one in requirements}
    opposed = [frozenset(one.requirement_ids) for one in questions if one.category == "contradiction"]
    groups: dict[tuple[object, ...], list[TestCase]] = defaultdict(list)
    for case in cases:
        groups[key_of(case)[1:]].append(case)
    found: dict[str, TestCase] = {}
    for group in groups.values():
        merged = _merged(group, by_id, opposed) if len(group) > 1 else group
        for case in _placed(merged, by_id) if len(merged) > 1 else merged:
            found[case.id] = case
    return [found[case.id] for case in cases if case.id in found]


def _merged(
    group: Sequence[TestCase], by_id: Mapping[str, Requirement], opposed: Iterable[frozenset[str]]
) -> list[TestCase]:
    kept: list[TestCase] = []
    for case in group:
        same = next((at for at, one in enumerate(kept) if _is_one_thing(one, case, by_id, opposed)), None)
        if same is None:
            kept.append(case)
        else:
            kept[same] = _both(kept[same], case, by_id)
    return kept


def _is_one_thing(
    first: TestCase, second: TestCase, by_id: Mapping[str, Requirement], opposed: Iterable[frozenset[str]]
) -> bool:
    if "drafted" not in (first.origin, second.origin):
        return False
    pair = {first.requirement_ids[0], second.requirement_ids[0]}
    return _place(first, by_id) == _place(second, by_id) or any(pair <= names for names in opposed)


def _both(first: TestCase, second: TestCase, by_id: Mapping[str, Requirement]) -> TestCase:
    """The first case, which now shows the second's requirements too; it waits for whatever either waits for."""
    lists = {
        name: list(dict.fromkeys([*getattr(first, name), *getattr(second, name)]))
        for name in ("requirement_ids", "item_ids", "question_ids", "tags")
    }
    basis = second if second.expected_basis == "assumption" else first
    rule = first.basis_rule or basis.basis_rule
    return changed(first, by_id, **lists, expected_basis=basis.expected_basis, basis_rule=rule)


def _placed(group: Sequence[TestCase], by_id: Mapping[str, Requirement]) -> list[TestCase]:
    """Each case with the innermost heading by which it differs from the others."""
    places = [_place(case, by_id) for case in group]
    if len(set(places)) < len(places):
        return list(group)
    return [
        changed(case, by_id, preconditions=[f"It is about “{_telling(place, places)}”.", *case.preconditions])
        for case, place in zip(group, places, strict=True)
    ]


def _place(case: TestCase, by_id: Mapping[str, Requirement]) -> Place:
    one = by_id.get(case.requirement_ids[0]) if case.requirement_ids else None
    return (one.source_id, *one.heading_path) if one else ()


def _telling(place: Place, others: Sequence[Place]) -> str:
    """The innermost heading that no other place has at its end; several headings where one does not tell."""
    for length in range(1, len(place) + 1):
        if sum(other[-length:] == place[-length:] for other in others) == 1:
            return " > ".join(part.rstrip(" :") for part in place[-length:])
    return " > ".join(place)
