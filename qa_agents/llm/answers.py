"""The shapes that models answer in: enums, bounded integers and short texts. What they claim is checked by whoever asks.

Candidates are numbered in the prompt and named by number, so that nothing outside of what was shown can be named.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Short = Annotated[str, Field(max_length=200)]
Sentence = Annotated[str, Field(min_length=1, max_length=400)]
Quote = Annotated[str, Field(min_length=1, max_length=300)]
"""Copied verbatim; looked up in the text by code."""
Number = Annotated[int, Field(ge=1, le=20)]
"""The number a candidate, requirement or failure has in the prompt."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FoundFact(_Shape):
    """One thing that the report says in prose."""

    name: Literal["version", "platform", "error_code", "steps", "expected", "actual", "impact"]
    quote: Quote


class FoundFacts(_Shape):
    """Facts with their words; none is a good answer."""

    facts: list[FoundFact] = Field(max_length=8)


class Judgement(_Shape):
    """Whether one fix would resolve the report and one past incident."""

    candidate: Number
    same_fix: Literal["yes", "no", "unclear"]
    rests_on: Literal["error", "stack", "steps", "symptom", "version", "component", "nothing"]
    quote: Quote
    """From the candidate."""


class Judgements(_Shape):
    """One judgement a candidate."""

    judgements: list[Judgement] = Field(max_length=5)


class Claim(_Shape):
    """One sentence of a hypothesis and what it rests on."""

    text: Sentence
    candidate: Number
    quote: Quote
    """From the candidate's text or resolution note."""


class RootCause(_Shape):
    """A likely root cause; no claims where nothing supports one."""

    claims: list[Claim] = Field(max_length=3)


class Asked(_Shape):
    """One question to the reporter."""

    asks_for: Number
    text: Sentence


class AskedQuestions(_Shape):
    """At most three."""

    questions: list[Asked] = Field(max_length=3)


class PlainSummary(_Shape):
    """What happened, to whom, in plain words."""

    text: Annotated[str, Field(min_length=1, max_length=500)]


Choice = Annotated[int, Field(ge=0, le=20)]
"""The number of a choice in the prompt; 0 chooses none."""


class FieldViews(_Shape):
    """A report's component and severity as the model sees them, each with the report's own words."""

    component: Choice
    component_quote: Annotated[str, Field(max_length=300)]
    severity: Choice
    severity_quote: Annotated[str, Field(max_length=300)]


class Requirement(_Shape):
    """One statement of a specification, taken apart."""

    quote: Quote
    actor: Short
    action: Short
    condition: Short


class Requirements(_Shape):
    """The statements that can be tested."""

    requirements: list[Requirement] = Field(max_length=15)


class Scenario(_Shape):
    """One more thing to try."""

    requirement: Number
    technique: Literal[
        "boundary", "equivalence", "decision", "state", "pairwise", "error-guessing", "sequence", "misuse"
    ]
    title: Short
    expectation: Sentence
    quote: Quote
    """From the requirement that the expectation rests on."""


class Scenarios(_Shape):
    """Ideas beyond the listed cases."""

    scenarios: list[Scenario] = Field(max_length=8)


class Contradiction(_Shape):
    """Two statements that cannot both hold."""

    first: Number
    second: Number
    first_quote: Quote
    second_quote: Quote
    why: Sentence


class Contradictions(_Shape):
    """None is a good answer."""

    contradictions: list[Contradiction] = Field(max_length=6)


class Reworded(_Shape):
    """A better wording of a case's title."""

    case: Number
    title: Short


class Wording(_Shape):
    """Only those that can be said better."""

    cases: list[Reworded] = Field(max_length=15)


class Told(_Shape):
    """One sentence about a test run and the numbered findings that it rests on."""

    text: Sentence
    findings: list[Number] = Field(min_length=1, max_length=6)


class Narration(_Shape):
    """What a run means, for somebody who was not there."""

    sentences: list[Told] = Field(min_length=1, max_length=6)


class Intent(_Shape):
    """What a chat message asks for, and the part of it that says of what."""

    intent: Literal["triage", "plan", "summary", "review", "incidents", "explain", "undo", "help", "other"]
    argument: Short
    """Copied from the message; empty where it names nothing."""


SHAPES: dict[str, type[BaseModel]] = {
    shape.__name__: shape
    for shape in (
        FoundFacts,
        Judgements,
        RootCause,
        AskedQuestions,
        PlainSummary,
        FieldViews,
        Requirements,
        Scenarios,
        Contradictions,
        Wording,
        Narration,
        Intent,
    )
}
"""What a prompt's `output` may name, beside `text`."""
