"""When the specification changes: requirements keep their ids, cases of what did not change stay the same to the byte.

Requirements are aligned by content hash, then by the author's own identifier, then by likeness under the same heading, then by
likeness anywhere. A person's edits are never overwritten: where the text moved under them, the case is marked suspect.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qa_agents.plans.schema import Changes, CoverageItem, Requirement, RequirementChange, TestCase, TestPlan
from qa_agents.plans.wording import flat

LIKE_UNDER_HEADING, LIKE_ANYWHERE = 0.62, 0.80
"""Share of matching text (0 to 1) from which on two requirements are versions of one."""
MAX_COMPARED = 4_000_000
"""Pairs looked at; beyond that only those under the same heading are compared."""
_VALUE = re.compile(r"[-+]?\d[\d.,:/_-]*\d|\d|\"[^\"\n]{1,80}\"|`[^`\n]{1,80}`|“[^”\n]{1,80}”|'[^'\s][^'\n]{0,60}'")
_CODE = re.compile(r"`[^`\n]{1,80}`")
_REMARK = re.compile(r"(?:^|\s)(?:#|//|--|;)(?:\s[^\"'`\n]*)?\Z")
_QUOTED = re.compile(r"(\"[^\"\n]*\"|'[^'\n]*')")
_AROUND_MARKS = re.compile(r"\s*([^\w\s])\s*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|can't|won't|mustn't|invalid|forbidden|without|neither|nor)\b", re.IGNORECASE
)


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
    renamed, changes = [], []
    for requirement in found:
        old = pairs.get(requirement.id)
        if old is None:
            taken = requirement.id in old_ids
            kept = requirement.model_copy(update={"id": f"{requirement.id}-2"}) if taken else requirement
            renamed.append(kept)
            changes.append(RequirementChange(requirement_id=kept.id, change="added", after=kept.quote))
            continue
        values = differing_values(old, requirement)
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


def differing_values(old: Requirement, new: Requirement) -> list[str]:
    """What a case could rest on and that differs: limits, numbers, quoted words, strength, negation, structure."""
    found = _differing_fields(old, new)
    before, after = (set(_VALUE.findall(one.text)) | set(_CODE.findall(one.quote)) for one in (old, new))
    gone, come = sorted(before - after), sorted(after - before)
    if gone or come:
        found.append(f"{', '.join(gone) or 'nothing'} → {', '.join(come) or 'nothing'}")
    if old.negated != new.negated or len(_NEGATION.findall(old.text)) % 2 != len(_NEGATION.findall(new.text)) % 2:
        found.append("what was demanded is forbidden now, or the reverse")
    if {old.modality, new.modality} & {"must"} and old.modality != new.modality:
        found.append(f"strength: {old.modality} → {new.modality}")
    for name in ("rules", "transitions", "permissions", "kind"):
        mine, theirs = _structure(old, name), _structure(new, name)
        if mine != theirs:
            found.append(f"{name} differ")
    found += _differing_data(old.data, new.data)
    if not found and _words(old) != _words(new) and _likeness(old.text, new.text) < LIKE_ANYWHERE:
        found.append("the wording differs so much that the behaviour may")
    return found


def carry_over(previous: TestPlan, plan: TestPlan, alignment: Alignment, accepted: Iterable[str] = ()) -> TestPlan:
    """The new plan with the cases of the one before: identical, relinked, redrafted, suspect or orphaned.

    `plan` was drafted from `alignment.requirements`. `accepted` names orphans that a person let go.
    """
    kinds = {change.requirement_id: change for change in alignment.changes}
    fresh = {case.id: case for case in plan.cases}
    slots = _slots(plan.cases, plan.items)
    old_slots = {case.id: _slot(case, {item.id: item for item in previous.items}) for case in previous.cases}
    used: set[str] = set()
    kept: list[TestCase] = []
    lists: dict[str, list[str]] = defaultdict(list)
    gone, known = set(accepted), {item.id for item in plan.items}
    for case in previous.cases:
        touched = [kinds[one] for one in case.requirement_ids if one in kinds and kinds[one].change != "unchanged"]
        twin = fresh.get(case.id) or _next_in(slots, old_slots[case.id], used)
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
        **{name: lists[name] for name in ("kept", "relinked", "suspect", "redrafted", "orphaned")},
    )
    return plan.model_copy(update={"cases": [*kept, *added], "changes": changes})


def _fate(case: TestCase, twin: TestCase | None, touched: Sequence[RequirementChange]) -> tuple[str, TestCase | None]:
    """What becomes of one old case: the name of its list in Changes, and the case as it goes on (None: dropped)."""
    removed = [change for change in touched if change.change == "removed"]
    changed = [change for change in touched if change.change == "changed"]
    mine = case.origin != "drafted"
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
            alike = _likeness(old.text, new.text)
            if alike >= floor:
                found.append((alike, new, old))
    return sorted(found, key=lambda one: (-one[0], abs(one[1].line - one[2].line), one[1].id, one[2].id))


def _likeness(one: str, other: str) -> float:
    from rapidfuzz import fuzz

    return float(fuzz.ratio(one.casefold(), other.casefold())) / 100


def _differing_fields(old: Requirement, new: Requirement) -> list[str]:
    found = []
    theirs = {field.name: field for field in new.fields}
    for field in old.fields:
        other = theirs.get(field.name)
        if other is None:
            found.append(f"{field.name} is gone")
            continue
        for name in type(field).model_fields:
            was, now = getattr(field, name), getattr(other, name)
            if name not in ("quote", "name") and was != now:
                found.append(f"{name} of {field.name}: {_value(was)} → {_value(now)}")
    known = {field.name for field in old.fields}
    return found + [f"{field.name} is new" for field in new.fields if field.name not in known]


def _differing_data(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """An operation or structure that is another one, examples that show something else; their blanks and comments say nothing."""
    rest_of_old, rest_of_new = (
        {key: one[key] for key in one if key not in ("examples", "places")} for one in (old, new)
    )
    found = []
    if rest_of_old != rest_of_new:
        found.append("the described operation differs" if "method" in {*old, *new} else "what it describes differs")
    if _shown(old) != _shown(new):
        found.append("an example differs")
    return found


def _shown(data: Mapping[str, object]) -> set[tuple[str, str]]:
    """The examples without blanks and comments, each with whether it is valid."""
    examples = data.get("examples")
    if not isinstance(examples, list):
        return set()
    return {
        (_bare(str(one.get("text", ""))), str(one.get("valid"))) if isinstance(one, dict) else (str(one), "")
        for one in examples
    }


def _bare(code: str) -> str:
    lines = (_REMARK.sub("", line.strip()) for line in code.split("\n"))
    return "\n".join(
        "".join(
            part if number % 2 else _AROUND_MARKS.sub(r"\1", " ".join(part.split()))
            for number, part in enumerate(_QUOTED.split(line))
        )
        for line in lines
        if line
    )


def _structure(requirement: Requirement, name: str) -> object:
    value = getattr(requirement, name)
    if not isinstance(value, list):
        return value
    return [part.model_dump(exclude={"quote"}) for part in value]


def _words(requirement: Requirement) -> list[str]:
    return re.findall(r"\w+", requirement.text.casefold())


def _slots(cases: Sequence[TestCase], items: Sequence[CoverageItem]) -> dict[tuple[str, ...], list[TestCase]]:
    by_id = {item.id: item for item in items}
    found: dict[tuple[str, ...], list[TestCase]] = defaultdict(list)
    for case in cases:
        found[_slot(case, by_id)].append(case)
    return found


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


def _value(value: object) -> str:
    return "not stated" if value in (None, [], "") else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:119]}…"
