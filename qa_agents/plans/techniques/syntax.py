"""Syntax testing, ISO/IEC/IEEE 29119-4, 5.2.4: the text's own examples, and the classic slips against a stated format."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from qa_agents.plans.schema import CoverageItem, FieldSpec, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.roles import role_of
from qa_agents.plans.wording import cut

EXAMPLE_CHARS = 600
_MARK = re.compile(
    r"^(?:the following is )?(?:invalid|not valid|wrong|bad|do not do this|this will not work|not allowed)\b", re.I
)
_CUT_SHORT = re.compile(r"^[ \t]*(?:[#/;%<!-]{0,4}[ \t]*)?(?:\.\.\.|…)", re.M)
"""An example with a line of dots is an excerpt: nobody can feed it in as it stands."""
_FORMATS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "email": (
        "kim.lee@example.com",
        (("kim.lee", "without @"), ("kim@", "without a domain"), ("kim lee@example.com", "with a blank")),
    ),
    "url": (
        "https://example.com/a?b=1",
        (
            ("example", "without a scheme"),
            ("https://", "without a host"),
            ("javascript:alert(1)", "with a scheme that runs code"),
        ),
    ),
    "date": ("2028-02-29", (("2027-02-29", "with a day that does not exist"), ("2027-13-01", "with month 13"))),
    "datetime": ("2027-06-30T12:00:00Z", (("2027-06-30T25:00:00Z", "with hour 25"),)),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", (("123e4567", "cut short"),)),
}
_ALIASES = {"uri": "url", "date-time": "datetime", "timestamp": "datetime"}


def examples_of(requirement: Requirement) -> list[Mapping[str, Any]]:
    """The examples a reader found with the requirement: `{"text": …, "valid": bool, "note"?: …}`."""
    found = requirement.data.get("examples")
    return [one for one in found if isinstance(one, dict) and one.get("text")] if isinstance(found, list) else []


def syntax(requirement: Requirement) -> Iterator[CoverageItem]:
    """One item for each marked example, and for each slip against a field's format or pattern."""
    for example in examples_of(requirement):
        text = str(example["text"])[:EXAMPLE_CHARS]
        valid = example.get("valid")
        if _CUT_SHORT.search(text):
            continue
        if output := str(example.get("output") or "")[:EXAMPLE_CHARS]:
            yield make_item(
                requirement,
                "syntax",
                f"Example with its result: {cut(text, 100)}",
                rule="example-result",
                parameters={"input": text, "output": output},
                expected=f"The result is what the text shows for it: {cut(output, 120)}",
                basis="quote",
            )
            continue
        if valid is None:
            continue
        note = _reason(str(example.get("note") or ""))
        what = f"Example marked as {'valid' if valid else 'invalid'}: {cut(text, 120)}"
        yield make_item(
            requirement,
            "syntax",
            what,
            rule="example-valid" if valid else "example-invalid",
            polarity="positive" if valid else "negative",
            parameters={"input": text},
            expected="The example is accepted"
            if valid
            else f"The example is refused{f': {cut(note, 120)}' if note else ''}",
            basis="quote",
        )
    if requirement.data.get("method"):
        return
    for field in requirement.fields:
        if role_of(field, requirement) == "input":
            yield from _of_format(requirement, field)


def _reason(note: str) -> str:
    """The reason in the author's note beside an example; empty where it only says that the example is invalid."""
    said = _MARK.sub("", note).strip(" :-#")
    return "" if len(said.split()) < 3 or said.isupper() else said


def _of_format(requirement: Requirement, field: FieldSpec) -> Iterator[CoverageItem]:
    kind = (field.type or "").lower()
    known = _FORMATS.get(_ALIASES.get(kind, kind))
    if known is not None and not field.pattern:
        good, slips = known
        yield make_item(
            requirement,
            "syntax",
            f"{field.name} = {good} (well formed)",
            rule="well-formed",
            parameters={field.name: good},
            expected=f"{field.name} = {good} is accepted",
        )
        for bad, why in slips:
            yield make_item(
                requirement,
                "syntax",
                f"{field.name} = {bad} ({why})",
                rule="malformed",
                polarity="negative",
                parameters={field.name: bad},
                expected=f"{field.name} {why} is refused visibly",
            )
    if field.pattern:
        form = _Form.of(field.pattern)
        yield make_item(
            requirement,
            "syntax",
            f"{field.name} {form.held}",
            rule="matches-pattern",
            parameters={field.name: f"a value {form.held}"},
            expected=f"{field.name} {form.held} is accepted",
        )
        yield make_item(
            requirement,
            "syntax",
            f"{field.name} {form.broken}",
            rule="breaks-pattern",
            polarity="negative",
            parameters={field.name: f"a value {form.slip}"},
            expected=f"{field.name} {form.broken} is refused visibly",
        )


class _Form(NamedTuple):
    """How values that hold to a pattern, or do not, are spoken of."""

    held: str
    broken: str
    slip: str

    @classmethod
    def of(cls, pattern: str) -> "_Form":
        only, _, what = pattern.partition("only ")
        if only or not what:
            slip = f"with one character that {pattern} does not allow"
            return cls(f"of the form {pattern}", f"not of the form {pattern}", slip)
        slip = f"that holds something else than {what}"
        return cls(f"of nothing but {what}", slip, slip)
