"""What differs between two versions of one statement, as far as a case could rest on it."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from qa_agents.plans.schema import Requirement

LIKE_ANYWHERE = 0.80
"""Share of matching text (0 to 1) from which on two requirements anywhere are versions of one."""
_VALUE = re.compile(r"[-+]?\d[\d.,:/_-]*\d|\d|\"[^\"\n]{1,80}\"|`[^`\n]{1,80}`|“[^”\n]{1,80}”|'[^'\s][^'\n]{0,60}'")
_CODE = re.compile(r"`[^`\n]{1,80}`")
_REMARK = re.compile(r"(?:^|\s)(?:#|//|--|;)(?:\s[^\"'`\n]*)?\Z")
_QUOTED = re.compile(r"(\"[^\"\n]*\"|'[^'\n]*')")
_AROUND_MARKS = re.compile(r"\s*([^\w\s])\s*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|can't|won't|mustn't|invalid|forbidden|without|neither|nor)\b", re.IGNORECASE
)


class Shown(NamedTuple):
    """Every example of the old text and of the new one, each with whether it is valid."""

    before: frozenset[tuple[str, str]] = frozenset()
    after: frozenset[tuple[str, str]] = frozenset()


def differing_values(old: Requirement, new: Requirement, shown: Shown | None = None) -> list[str]:
    """What a case could rest on and that differs: limits, numbers, quoted words, strength, negation, structure, examples.

    With `shown`, an example that only stands beside another statement now is no difference.
    """
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
    found += _differing_data(old.data, new.data, shown or Shown())
    if not found and _words(old) != _words(new) and likeness(old.text, new.text) < LIKE_ANYWHERE:
        found.append("the wording differs so much that the behaviour may")
    return found


def likeness(one: str, other: str) -> float:
    """How much of two texts is alike, capitals apart: 0 to 1."""
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


def examples_of(requirements: Sequence[Requirement]) -> frozenset[tuple[str, str]]:
    """Every example beside the statements, without blanks and comments, with whether it is valid."""
    return frozenset(example for one in requirements for example in _shown(one.data))


def _differing_data(old: Mapping[str, object], new: Mapping[str, object], shown: Shown) -> list[str]:
    """An operation or structure that is another one, examples that show something else; their blanks and comments say nothing."""
    rest_of_old, rest_of_new = (
        {key: one[key] for key in one if key not in ("examples", "places")} for one in (old, new)
    )
    found = []
    if rest_of_old != rest_of_new:
        found.append("the described operation differs" if "method" in {*old, *new} else "what it describes differs")
    if _shown(old) - _shown(new) - shown.after or _shown(new) - _shown(old) - shown.before:
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


def _value(value: object) -> str:
    return "not stated" if value in (None, [], "") else str(value)
