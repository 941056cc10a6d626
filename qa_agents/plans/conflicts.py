"""Requirements that cannot both hold: other limits for the same field, allowed and forbidden, one condition with two outcomes.

A false alarm holds up the cases of two requirements, so two statements are only set against each other when they speak of
the same thing under the same condition.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from qa_agents.plans.opposites import excluded
from qa_agents.plans.read.parsed import word_set
from qa_agents.plans.requirements.rules import EVERYBODY_ELSE
from qa_agents.plans.schema import NOT_TESTED, FieldSpec, Requirement

MOST_OF_A_KIND = 60
"""Requirements that share a key are compared in pairs; more of them than this are not told apart by it."""
LIKE = 0.8
"""Share of common words at which two statements speak of the same."""
WORD = re.compile(r"[a-z][a-z0-9-]{2,}|\d+(?:\.\d+)?", re.IGNORECASE)
EMPTY = word_set(
    "the and for are was has have its that this with from into when while must shall should may "
    "can cannot not never "
    "will does only been being any all each every than then there their they them also always "
    "never be able allowed "
    "permitted forbidden no longer make sure ensure which who "
)
GENERIC = word_set(
    "name title description amount value id code type status date length number time text field "
    "key values item items "
    "order body message size limit user users price data page list state password-field input string integer float "
    "array object comment note notes label tag tags file count system "
)
SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "days": 86_400.0, "weeks": 604_800.0}
SIZES = {"bytes": 1.0, "kB": 1e3, "KiB": 1024.0, "MB": 1e6, "MiB": 1024.0**2, "GB": 1e9, "GiB": 1024.0**3}
NEGATED = re.compile(
    r"\b(?:not|never|cannot|can't|no|without|forbidden|prohibited|disallowed|invalid)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Conflict:
    """Two requirements that contradict each other, and in what; `first` comes first in the text."""

    first: Requirement
    second: Requirement
    what: str


def find_conflicts(requirements: Sequence[Requirement]) -> list[Conflict]:
    """Every pair that cannot hold together, once, in the order of the text."""
    active = [one for one in requirements if one.kind not in NOT_TESTED and one.status != "removed"]
    order = {one.id: number for number, one in enumerate(active)}
    found: dict[tuple[object, object], Conflict] = {}
    for conflict in [
        *_limits(active),
        *_permissions(active),
        *_rules(active),
        *_statements(active),
        *_opposites(active),
    ]:
        first, second = sorted((conflict.first, conflict.second), key=lambda one: order[one.id])
        # Two statements of one sentence that contradict a third ask one thing.
        found.setdefault((_sentence(first), _sentence(second)), Conflict(first, second, conflict.what))
    return sorted(found.values(), key=lambda one: (order[one.first.id], order[one.second.id]))


def _sentence(one: Requirement) -> tuple[object, ...]:
    return (one.source_id, one.line, *one.block_ids) if one.kind != "interface" else (one.id,)


def _pairs(groups: Iterable[list[Requirement]]) -> Iterator[tuple[Requirement, Requirement]]:
    for group in groups:
        if len(group) <= MOST_OF_A_KIND:
            for number, first in enumerate(group):
                for second in group[number + 1 :]:
                    if first.id != second.id:
                        yield first, second


def _under_one_condition(first: Requirement, second: Requirement) -> bool:
    """Neither has a condition, or both have the same; an event is one, a rule's conditions are."""
    return _words(f"{first.trigger or ''} {first.precondition or ''}") == _words(
        f"{second.trigger or ''} {second.precondition or ''}"
    )


def _limits(requirements: Sequence[Requirement]) -> Iterator[Conflict]:
    groups: dict[str, list[Requirement]] = defaultdict(list)
    for one in requirements:
        if one.data.get("method") or one.data.get("operation"):
            continue
        for name in {_name(field) for field in one.fields}:
            key = (
                name
                if (name not in GENERIC and " " not in name) or len(name.split()) > 1
                else f"{name} / {' / '.join(one.heading_path).lower()}"
            )
            groups[key].append(one)
    for first, second in _pairs(groups.values()):
        if not _under_one_condition(first, second):
            continue
        for left in first.fields:
            for right in second.fields:
                if _name(left) == _name(right) and (said := _differ(left, right)):
                    yield Conflict(first, second, said)


def _name(field: FieldSpec) -> str:
    name = re.sub(r"[^a-z0-9 ]", " ", field.name.lower())
    words = [
        word[:-1] if word.endswith("s") and not word.endswith("ss") else word
        for word in name.split()
        if word not in ("new", "your", "their", "valid", "every", "user", "s")
    ]
    return " ".join(words) or name.strip()


def _differ(left: FieldSpec, right: FieldSpec) -> str:
    name = left.name
    for key, label in (
        ("minimum", "minimum"),
        ("maximum", "maximum"),
        ("min_length", "minimum length"),
        ("max_length", "maximum length"),
    ):
        a, b = getattr(left, key), getattr(right, key)
        if a is None or b is None:
            continue
        in_base = _in_base(float(a), left.unit), _in_base(float(b), right.unit)
        if in_base[0][1] == in_base[1][1] and abs(in_base[0][0] - in_base[1][0]) > 1e-9:
            return f"{label} of {name}: {_told(a, left.unit)} and {_told(b, right.unit)}"
    if left.min_length is not None and right.max_length is not None and left.min_length > right.max_length:
        return f"length of {name}: at least {left.min_length} and at most {right.max_length}"
    if right.min_length is not None and left.max_length is not None and right.min_length > left.max_length:
        return f"length of {name}: at least {right.min_length} and at most {left.max_length}"
    if left.required is not None and right.required is not None and left.required != right.required:
        return f"{name}: required and not required"
    if left.default is not None and right.default is not None and left.default.lower() != right.default.lower():
        return f"default of {name}: {left.default} and {right.default}"
    return ""


def _in_base(value: float, unit: str | None) -> tuple[float, str | None]:
    for table, base in ((SECONDS, "s"), (SIZES, "bytes")):
        if unit in table:
            return value * table[unit], base
    return value, unit


def _told(value: float, unit: str | None) -> str:
    return f"{value:g} {unit}" if unit else f"{value:g}"


def _permissions(requirements: Sequence[Requirement]) -> Iterator[Conflict]:
    groups: dict[str, list[Requirement]] = defaultdict(list)
    for one in requirements:
        for permission in one.permissions:
            groups[f"{permission.action} {' '.join(sorted(_words(permission.resource or '')))}"].append(one)
    for first, second in _pairs(groups.values()):
        for left in first.permissions:
            for right in second.permissions:
                same = left.action == right.action and _words(left.resource or "") == _words(right.resource or "")
                if same and left.allowed != right.allowed and _role(left.role) == _role(right.role):
                    yield Conflict(
                        first, second, f"{left.role}: may and may not {left.action} {left.resource or ''}".strip()
                    )
                elif same and _everybody_else(left, right, first):
                    yield Conflict(
                        first,
                        second,
                        f"{right.role} may {right.action} {right.resource or ''}, and only others may".strip(),
                    )
                elif same and _everybody_else(right, left, second):
                    yield Conflict(
                        first,
                        second,
                        f"{left.role} may {left.action} {left.resource or ''}, and only others may".strip(),
                    )


def _everybody_else(other: object, named: object, requirement: Requirement) -> bool:
    """Whether one statement keeps everybody else out and the other lets a role in that the first does not name."""
    role, allowed = getattr(named, "role", ""), getattr(named, "allowed", False)
    if getattr(other, "role", "") != EVERYBODY_ELSE or getattr(other, "allowed", True) or not allowed:
        return False
    words = set(_role(role).split())
    return not any(words & set(_role(one.role).split()) for one in requirement.permissions if one.allowed)


def _role(text: str) -> str:
    text = re.sub(r"\b(?:an?|the|all|any|only)\b", "", text.lower()).strip()
    return re.sub(r"istrators?\b", "", text[:-1] if text.endswith("s") else text)


def _rules(requirements: Sequence[Requirement]) -> Iterator[Conflict]:
    groups: dict[str, list[Requirement]] = defaultdict(list)
    for one in requirements:
        for rule in one.rules:
            groups[_conditions(rule.conditions)].append(one)
    for first, second in _pairs(groups.values()):
        in_table = first.heading_path == second.heading_path and " | " in first.quote and " | " in second.quote
        for left in first.rules:
            for right in second.rules:
                if _conditions(left.conditions) != _conditions(right.conditions) or not left.conditions:
                    continue
                a, b = _words(left.outcome), _words(right.outcome)
                alike = len(a & b) / max(len(a | b), 1)
                numbers = {word for word in a ^ b if word[0].isdigit()}
                turned = bool(NEGATED.search(left.outcome)) != bool(NEGATED.search(right.outcome))
                if (in_table and a != b) or (alike >= 0.5 and (numbers or (turned and alike >= LIKE))):
                    yield Conflict(
                        first,
                        second,
                        f"same condition, other outcome: “{left.outcome[:80]}” and “{right.outcome[:80]}”",
                    )


def _conditions(conditions: Sequence[object]) -> str:
    told = sorted(f"{getattr(one, 'name', '')}={getattr(one, 'value', '')}".lower() for one in conditions)
    return "; ".join(re.sub(r"\b(?:the|an?)\b|[^a-z0-9=<>. ]", "", item).strip() for item in told)


def _statements(requirements: Sequence[Requirement]) -> Iterator[Conflict]:
    """A statement and its negation: the same words, one of them turned round, under the same condition."""
    words = {one.id: _words(one.text[:400]) for one in requirements}
    seen: dict[str, int] = defaultdict(int)
    for bag in words.values():
        for word in bag:
            seen[word] += 1
    groups: dict[str, list[Requirement]] = defaultdict(list)
    for one in requirements:
        if one.data.get("method") or one.rules or len(words[one.id]) < 2:
            continue
        for word in sorted(words[one.id], key=lambda item: (seen[item], item))[:2]:
            groups[word].append(one)
    for first, second in _pairs(groups.values()):
        a, b = words[first.id], words[second.id]
        if (
            first.negated != second.negated
            and len(a & b) / len(a | b) >= LIKE
            and _under_one_condition(first, second)
            and _same_side(first, second)
        ):
            yield Conflict(first, second, "one says that it must be, the other that it must not be")


def _opposites(requirements: Sequence[Requirement]) -> Iterator[Conflict]:
    """What the meaning of words sets against each other; statements are compared that share one of their rarer words."""
    seen: dict[str, list[Requirement]] = defaultdict(list)
    for one in requirements:
        if not one.data.get("method"):
            for word in _words(one.text[:400]):
                seen[word].append(one)
    for first, second in _pairs(group for group in seen.values() if 1 < len(group) <= MOST_OF_A_KIND // 2):
        if said := excluded(first, second, _words):
            yield Conflict(first, second, said)


def _same_side(first: Requirement, second: Requirement) -> bool:
    """`may` and `need not` do not contradict each other, `must` or `may` and `must not` do."""
    positive, negative = (second, first) if first.negated else (first, second)
    return (
        positive.modality != "none" and negative.modality == "must"
    ) or negative.modality == positive.modality == "should"


def _words(text: str) -> frozenset[str]:
    found = (word.lower() for word in WORD.findall(text))
    return frozenset(
        re.sub(r"(?:ing|ed|es|s)$", "", word) if len(word) > 4 else word for word in found if word not in EMPTY
    )
