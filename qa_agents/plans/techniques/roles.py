"""What part a limit plays: something entered, something put out, a moment that sets something off, or a measurement."""

import re
from typing import Literal

from qa_agents.plans.requirements.measures import MEASURES
from qa_agents.plans.schema import FieldSpec, Requirement

Role = Literal["input", "output", "threshold", "measure"]
_MEASURED: frozenset[str] = frozenset({"performance", "reliability"})
_THRESHOLD = re.compile(
    r"\b(?:after|once|every|following|upon|for (?:at least|more than)|expires? (?:in|after)|older than|inactive for)\b",
    re.I,
)
_UNITS = """
    ms millisecond milliseconds s sec secs second seconds min mins minute minutes h hr hrs hour hours day
    days week weeks month months
"""
_TIME = frozenset(_UNITS.split())
_WITHIN = re.compile(
    r"\b(?:within|in (?:under|less than|at most)|response time|latency|no (?:later|longer) than|throughput)\b", re.I
)
_OUTPUT = re.compile(
    r"\b(?:displays?|shows?|shown|displayed|lists?|returns?|returned|renders?|contains? (?:up to|at most)"
    r"|retains?|retained|keeps?|kept"
    r"|sends?|sent|per page|defaults? to|at a time|results?)\b",
    re.I,
)
_INPUT = re.compile(
    r"\b(?:accepts?|accepted|enter(?:s|ed)?|input|must be|shall be|should be|has to be|between|length|long"
    r"|characters?|valid|uploads?"
    r"|requires?|required|limited to|range|exceeds?|minimum|maximum|quantity)\b",
    re.I,
)


def role_of(field: FieldSpec, requirement: Requirement) -> Role:
    """The part a field's limits play, read off the words that state them; `input` where nothing says otherwise."""
    if requirement.kind == "interface" and not requirement.data.get("method"):
        return "output"
    in_row = requirement.kind == "data" and " | " in requirement.quote
    if field.place or field.enum or field.pattern or in_row or requirement.data.get("method"):
        return "input"
    if requirement.modality == "none" and field.unit and field.unit not in MEASURES:
        return "measure"  # `it has support for over 100 languages` states a fact, and no limit of an input
    words = f"{field.quote} {requirement.quote}"
    timed = (field.unit or "").lower() in _TIME
    if requirement.kind in _MEASURED or (timed and _WITHIN.search(words)):
        return "measure"
    around = _around(field, requirement.quote)
    if _THRESHOLD.search(around):
        return "threshold"
    if timed and not _INPUT.search(around):
        return "threshold"
    if _OUTPUT.search(requirement.quote) and not _INPUT.search(field.quote or requirement.quote):
        return "output"
    return "input"


def _around(field: FieldSpec, quote: str) -> str:
    """The words that state the limit, with a few before them."""
    if not field.quote or field.quote not in quote:
        return quote
    start = quote.index(field.quote)
    return quote[max(0, start - 20) : start + len(field.quote)]
