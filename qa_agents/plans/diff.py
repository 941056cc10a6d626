"""When the specification changes: requirements keep their ids, cases of what did not change stay the same to the byte.

Requirements are aligned by content hash, then by the author's own identifier, then by likeness under the same heading, then by
likeness anywhere. A person's edits are never overwritten: where the text moved under them, the case is marked suspect.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qa_agents.plans.differing import LIKE_ANYWHERE, Shown, differing_values, examples_of, likeness
from qa_agents.plans.schema import Changes, CoverageItem, Question, Requirement, RequirementChange, TestCase, TestPlan
from qa_agents.plans.wording import flat

LIKE_UNDER_HEADING = 0.62
"""Share of matching text (0 to 1) from which on two requirements under one heading are versions of one."""
MAX_COMPARED = 4_000_000
"""Pairs looked at; beyond that only those under the same heading are compared."""


@dataclass(frozen=True)
class Alignment:
    """The requirements of the new text under the ids they keep, and what became of each."""

    requirements: list[Requirement]
    changes: list[RequirementChange]
    """One for every requirement of either version."""

    def of(self, requirement_id: str) -> RequirementChange | None:
        """What became of the requirement with this id."""
        return next((change for change in self.changes if change.requirement_id == requirement_id), None)


def align(before: Sequence[Requirement], found: Sequence[Requirement]) -> Alignment:
    """Match two versions of the requirements, each at most once; a matched one keeps the id it had."""
    pairs = _pairs(before, found)
    old_ids = {requirement.id for requirement in before}
    shown = Shown(examples_of(before), examples_of(found))
    renamed, changes = [], []
    for requirement in found:
        old = pairs.get(requirement.id)
        if old is None:
            taken = requirement.id in old_ids
            kept = requirement.model_copy(update={"id": f"{requirement.id}-2"}) if taken else requirement
            renamed.append(kept)
            changes.append(RequirementChange(requirement_id=kept.id, change="added", after=kept.quote))
            continue
        values = differing_values(old, requirement, shown)
        # The hash leaves out where links lead; a quote that is not verbatim any more has to be renewed.
        same = old.hash == requirement.hash and flat(old.quote) == flat(requirement.quote)
        kind = "unchanged" if same else "changed" if values else "reworded"
        renamed.append(
            requirement.model_copy(update={"id": old.id, "status": "changed" if values and not same else "active"})
        )
        changes.append(
            RequirementChange.model_validate(
                {
                    "requirement_id": old.id,
                    "change": kind,
                    "before": old.quote,
                    "after": requirement.quote,
                    "values": values,
                }
            )
        )
    matched = {old.id for old in pairs.values()}
    changes += [
        RequirementChange(requirement_id=old.id, change="removed", before=old.quote)
        for old in before
        if old.id not in matched
    ]
    return Alignment(renamed, changes)


def carry_over(previous: TestPlan, plan: TestPlan, alignment: Alignment, accepted: Iterable[str] = ()) -> TestPlan:
    """The new plan with the cases of the one before: identical, relinked, redrafted, suspect or orphaned.

    `plan` was drafted from `alignment.requirements`. `accepted` names orphans that a person let go.
    """
    kinds = {change.requirement_id: change for change in alignment.changes}
    fresh = {case.id: case for case in plan.cases}
    slots, moved = _slots(plan.cases, plan.items), _by_words(plan.cases, previous.cases)
    old_slots = {case.id: _slot(case, {item.id: item for item in previous.items}) for case in previous.cases}
    used: set[str] = set()
    kept: list[TestCase] = []
    lists: dict[str, list[str]] = defaultdict(list)
    gone, known = set(accepted), {item.id for item in plan.items}
    for case in previous.cases:
        touched = [kinds[one] for one in case.requirement_ids if one in kinds and kinds[one].change != "unchanged"]
        twin = fresh.get(case.id) or moved.get(case.id) or _next_in(slots, old_slots[case.id], used)
        if twin is not None:
            used.add(twin.id)
        fate, result = _fate(case, twin, touched)
        if fate == "orphaned" and case.id in gone:
            continue
        if result is not None:
            if fate != "kept":
                result = result.model_copy(update={"item_ids": [one for one in result.item_ids if one in known]})
            kept.append(result)
            lists[fate].append(result.id)
    added = [case for case in plan.cases if case.id not in used and case.id not in {one.id for one in kept}]
    changes = Changes(
        requirements=[change for change in alignment.changes if change.change != "unchanged"],
        unchanged=sum(change.change == "unchanged" for change in alignment.changes),
        added=[case.id for case in added],
        questions=[one.id for one in plan.questions if _is_new(one, kinds)],
        **{name: lists[name] for name in ("kept", "relinked", "suspect", "redrafted", "orphaned")},
    )
    return plan.model_copy(update={"cases": [*kept, *added], "changes": changes})


def _is_new(question: Question, kinds: Mapping[str, RequirementChange]) -> bool:
    """Whether the question is about a statement that the old text had not, or not like this."""
    touched = [kinds[name].change for name in question.requirement_ids if name in kinds]
    return any(change in ("added", "changed") for change in touched)


def _fate(case: TestCase, twin: TestCase | None, touched: Sequence[RequirementChange]) -> tuple[str, TestCase | None]:
    """What becomes of one old case: the name of its list in Changes, and the case as it goes on (None: dropped)."""
    removed = [change for change in touched if change.change == "removed"]
    changed = [change for change in touched if change.change == "changed"]
    mine = case.origin != "drafted"
    if twin is not None and twin.requirement_ids != case.requirement_ids:
        return "relinked", _elsewhere(case, twin)
    if removed and len(removed) == len(case.requirement_ids):
        return "orphaned", case.model_copy(update={"suspect": f"its requirement is gone: “{_cut(removed[0].before)}”"})
    if not touched:
        # An answer that somebody gave since is no change of the text, and still changes what is expected.
        answered = twin is not None and twin.question_ids != case.question_ids and not mine
        return ("redrafted", twin) if answered else ("kept", case)
    if not changed:
        return "relinked", _relinked(case, twin, touched).model_copy(
            update={"suspect": None if not removed else case.suspect}
        )
    why = f"the text changed: {'; '.join(change.values[0] for change in changed if change.values) or 'see the requirement'}"
    if mine or twin is None:
        return "suspect", case.model_copy(update={"suspect": why[:500]})
    if _same_content(case, twin):
        return "relinked", case.model_copy(update={"hash": twin.hash})
    return "redrafted", twin.model_copy(update={"id": case.id, "suspect": why[:500]})


def _elsewhere(case: TestCase, twin: TestCase) -> TestCase:
    """The case of an example that stands beside another statement now."""
    if case.origin == "drafted":
        return twin.model_copy(update={"id": case.id})
    ground = ("requirement_ids", "item_ids", "basis_quote", "hash")
    return case.model_copy(update={name: getattr(twin, name) for name in ground})


def _relinked(case: TestCase, twin: TestCase | None, touched: Sequence[RequirementChange]) -> TestCase:
    """The case in its own words, resting on the new version: its coverage, its hash, and a quote that stands there."""
    renewed: dict[str, object] = {} if twin is None else {"hash": twin.hash, "item_ids": twin.item_ids}
    quote = flat(case.basis_quote)
    moved = next((one for one in touched if quote and quote in flat(one.before)), None)
    if moved is not None and quote not in flat(moved.after):
        found = flat(twin.basis_quote) if twin is not None else ""
        renewed["basis_quote"] = found if found and found in flat(moved.after) else flat(moved.after)
    return case.model_copy(update=renewed)


def _pairs(before: Sequence[Requirement], found: Sequence[Requirement]) -> dict[str, Requirement]:
    """New id to old requirement."""
    pairs: dict[str, Requirement] = {}
    free = {requirement.id: requirement for requirement in before}

    def take(new: Requirement, old: Requirement) -> None:
        pairs[new.id] = old
        del free[old.id]

    by_hash: dict[str, list[Requirement]] = defaultdict(list)
    for old in before:
        by_hash[old.hash].append(old)
    for new in found:
        twins = [old for old in by_hash.get(new.hash, ()) if old.id in free]
        if twins:
            take(new, next((old for old in twins if old.heading_path == new.heading_path), twins[0]))
    named = {old.explicit_id: old for old in before if old.explicit_id}
    for new in found:
        old_named = named.get(new.explicit_id) if new.explicit_id else None
        if new.id not in pairs and old_named is not None and old_named.id in free:
            take(new, old_named)
    for same_heading, floor in ((True, LIKE_UNDER_HEADING), (False, LIKE_ANYWHERE)):
        left = [new for new in found if new.id not in pairs]
        for _, new, old in _likely(left, list(free.values()), same_heading, floor):
            if new.id not in pairs and old.id in free:
                take(new, old)
    return pairs


def _likely(
    left: Sequence[Requirement], free: Sequence[Requirement], same_heading: bool, floor: float
) -> list[tuple[float, Requirement, Requirement]]:
    """Pairs that are alike enough, the most alike first."""
    if not same_heading and len(left) * len(free) > MAX_COMPARED:
        return []
    found = []
    for new in left:
        for old in free:
            if same_heading and old.heading_path[-1:] != new.heading_path[-1:]:
                continue
            alike = likeness(old.text, new.text)
            if alike >= floor:
                found.append((alike, new, old))
    return sorted(found, key=lambda one: (-one[0], abs(one[1].line - one[2].line), one[1].id, one[2].id))


def _slots(cases: Sequence[TestCase], items: Sequence[CoverageItem]) -> dict[tuple[str, ...], list[TestCase]]:
    by_id = {item.id: item for item in items}
    found: dict[tuple[str, ...], list[TestCase]] = defaultdict(list)
    for case in cases:
        found[_slot(case, by_id)].append(case)
    return found


def _by_words(cases: Sequence[TestCase], before: Sequence[TestCase]) -> dict[str, TestCase]:
    """Old case id to the one new case with its very steps, where both stand for an example: it only changed its neighbours."""
    old, new = ({case.id for case in some} for some in (before, cases))
    words: dict[str, list[TestCase]] = defaultdict(list)
    for case in cases:
        if case.technique == "syntax" and case.id not in old:
            words[_said(case)].append(case)
    found = {case.id: words[_said(case)] for case in before if case.technique == "syntax" and case.id not in new}
    return {name: twins[0] for name, twins in found.items() if len(twins) == 1}


def _said(case: TestCase) -> str:
    """What is fed in and what comes of it; a person may have worded the deed anew."""
    return "\x1f".join([case.polarity, *(f"{step.data}\x1e{step.expected}" for step in case.steps)])


def _slot(case: TestCase, items: dict[str, CoverageItem]) -> tuple[str, ...]:
    """The place a case has in its requirement, whatever the values: the same place in the next version is its successor."""
    own = [items[one] for one in case.item_ids if one in items]
    rules = ",".join(sorted(f"{item.rule}:{','.join(sorted(item.parameters))}" for item in own))
    return (",".join(case.requirement_ids), case.technique, case.polarity, case.pack or "", rules)


def _next_in(slots: dict[tuple[str, ...], list[TestCase]], slot: tuple[str, ...], used: set[str]) -> TestCase | None:
    return next((case for case in slots.get(slot, ()) if case.id not in used), None)


def _same_content(one: TestCase, other: TestCase) -> bool:
    apart = {"id", "hash", "suspect", "item_ids"}
    return one.model_dump(exclude=apart) == other.model_dump(exclude=apart)


def _cut(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:119]}…"
