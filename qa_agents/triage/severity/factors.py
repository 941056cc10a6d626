"""The factors of a severity, read off the report: each with the words that say it, else `unknown`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from qa_agents.incidents.schema import Report
from qa_agents.llm.redact import find_secrets
from qa_agents.triage.facts.phrases import blank_out, find_phrases, is_negated, sentence_around
from qa_agents.triage.schema import Fact, Signals
from qa_agents.triage.severity.rubric import Rubric

MAX_CHARS = 50_000
UNKNOWN = "unknown"


class Stated(NamedTuple):
    """A value of a factor and the words that say so."""

    value: str
    quote: Fact


class Factor(BaseModel):
    """One factor of the rating: its value, and the words of the report that say so; `unknown` has no quote."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: str = UNKNOWN
    quote: Fact | None = None
    also: tuple[Stated, ...] = ()
    """Other values that the report states too, each quoted, in the rubric's order."""


class _View(NamedTuple):
    """The report's texts as the rubric reads them: secrets blanked out, summary first."""

    field: Literal["summary", "description"]
    text: str


def read_factors(report: Report, signals: Signals, rubric: Rubric) -> dict[str, Factor]:
    """Impact and every factor of the rubric, each with the first words that say it, else `unknown`.

    A value that is plainly denied is not stated. What else the report states of a factor stands in `also`.
    """
    views = [_view(report, "summary"), _view(report, "description")]
    found = {"impact": _factor("impact", _impacts(views, signals, rubric))}
    for name, values in rubric.factors.items():
        stated = ((value, _first(views, rule.pattern, value)) for value, rule in values.items())
        found[name] = _factor(name, [Stated(value, quote) for value, quote in stated if quote])
    return found


def with_value(factors: Mapping[str, Factor], name: str, value: str) -> dict[str, Factor]:
    """The same factors, one of them taken to have another value."""
    return {**factors, name: factors[name].model_copy(update={"value": value})}


def level_of_factors(factors: Mapping[str, Factor], rubric: Rubric, regressed: bool = False) -> tuple[int, str]:
    """The level and the sum that led to it, in words. The impact must be known.

    `regressed`: something that had been fixed is back; it shifts instead of what the report says of a regression, unless
    that weighs more.
    """
    impact = next(rule for rule in rubric.impact if rule.name == factors["impact"].value)
    total, parts = float(impact.level), [f"impact {impact.name} is {rubric.levels[impact.level - 1].name}"]
    for name, factor in factors.items():
        rule = rubric.factors.get(name, {}).get(factor.value)
        shift = rule.shift if rule else 0.0
        said = f"{name} {factor.value}"
        if regressed and name == "regression" and rubric.opinion.regression_of_fixed <= shift:
            shift, said = rubric.opinion.regression_of_fixed, "a fixed bug is back"
        if shift:
            total += shift
            parts.append(f"{said} {shift:+g}")
    lowest = impact.floor or len(rubric.levels)
    # Halves go to the more severe level: a person lowers a severity more easily than they notice it is too low.
    return max(1, min(lowest, -int(-(total - 0.5) // 1))), ", ".join(parts)


def _factor(name: str, stated: Sequence[Stated]) -> Factor:
    if not stated:
        return Factor(name=name)
    first, *others = stated
    also = tuple(other for other in others if other.value != first.value)
    return Factor(name=name, value=first.value, quote=first.quote, also=also)


def _impacts(views: Sequence[_View], signals: Signals, rubric: Rubric) -> list[Stated]:
    """What the report says happens: signals first, then the summary, then the description; each impact once."""
    found: dict[str, Stated] = {}
    for rule in rubric.impact:
        if rule.signal and (quotes := getattr(signals, rule.signal)):
            found.setdefault(rule.name, Stated(rule.name, quotes[0]))
    for view in views:
        for rule in rubric.impact:
            if rule.pattern and rule.name not in found and (quote := _first([view], rule.pattern, rule.name)):
                found[rule.name] = Stated(rule.name, quote)
    return list(found.values())


def _first(views: Sequence[_View], pattern: re.Pattern[str], value: str) -> Fact | None:
    return next(_stated(views, pattern, value), None)


def _stated(views: Sequence[_View], pattern: re.Pattern[str], value: str) -> Iterator[Fact]:
    for field, text in views:
        for match in find_phrases(pattern, text):
            if match.group().startswith(_NEGATIONS) or not is_negated(text, *match.span()):
                start, end = sentence_around(text, *match.span())
                yield Fact(name="impact", value=value, quote=text[start:end], field=field, start=start, end=end)


_NEGATIONS = ("no ", "not ", "without ", "cannot", "can't", "nobody", "unable")
"""Phrases that are denials themselves: `no workaround`."""


def _view(report: Report, field: Literal["summary", "description"]) -> _View:
    text: str = getattr(report, field)[:MAX_CHARS]
    code = [match.span() for match in _CODE_BLOCK.finditer(text)]
    return _View(field, blank_out(text, [*code, *((span.start, span.end) for span in find_secrets(text))]))


_CODE_BLOCK = re.compile(
    r"\{code(?::[^}\n]{0,60})?\}(?:(?!\{code\})[\s\S]){0,20000}+\{code\}"
    r"|```(?:(?!```)[\s\S]){0,20000}+```"
)
