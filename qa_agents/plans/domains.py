"""Domain packs: what a field of business demands of a test plan beyond the text, as data, with the standard of each.

A pack adds questions, risks, cases and sign-offs, all marked as its own; it never adds a requirement. What none of the
requirements touches upon is asked about, not tested.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.plans.case_text import with_look_again
from qa_agents.plans.cases import sealed
from qa_agents.plans.schema import (
    Polarity,
    Question,
    Requirement,
    RequirementKind,
    Risk,
    SignOff,
    SmellKind,
    Step,
    TestCase,
)
from qa_agents.plans.techniques import testable
from qa_agents.plans.wording import cut, digest, flat, place_of
from qa_agents.settings import resource_dir

MOST_LINKED = 8
"""Requirements that a question names; cases are linked with the one that an area fits best."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Entry):
    """A case that the area requires, worded for any product."""

    title: str = Field(min_length=5)
    preconditions: list[str] = []
    steps: list[str] = Field(min_length=1)
    expected: str = Field(min_length=10)
    """What must be observable after the last step."""
    standard: str = Field(min_length=3)
    polarity: Polarity = "positive"
    type: RequirementKind = "functional"


class Asked(_Entry):
    """A question that the area raises, unless the text answers it."""

    text: str = Field(min_length=10)
    options: list[str] = []
    default: str = Field(min_length=10)
    standard: str = Field(min_length=3)
    answered_by: list[str] = []
    """Words that show that the text speaks of it already."""
    category: SmellKind = "open_ended"


class Area(_Entry):
    """A risk area with the words that make it apply."""

    id: str = Field(pattern=r"^[a-z][a-z-]{2,40}$")
    name: str
    triggers: list[str] = Field(min_length=1)
    """Words and phrases; `*` at the end stands for any ending."""
    impact: int = Field(ge=1, le=3)
    likelihood: int = Field(2, ge=1, le=3)
    why: str
    standard: str
    checks: list[Check] = []
    questions: list[Asked] = []


class Topic(_Entry):
    """Something that texts of this field usually settle; asked about when no requirement mentions it."""

    words: list[str] = Field(min_length=1)
    question: str = Field(min_length=10)
    default: str = Field(min_length=10)
    options: list[str] = []
    standard: str = Field(min_length=3)
    impact: int = Field(2, ge=1, le=3)


class RequiredSignOff(_Entry):
    """Who must sign; with triggers, only where they occur."""

    role: str
    why: str
    standard: str
    triggers: list[str] = []


class Pack(_Entry):
    """The knowledge of one field."""

    name: str = Field(pattern=r"^[a-z][a-z-]{2,40}$")
    title: str
    areas: list[Area] = Field(min_length=1)
    topics: list[Topic] = []
    sign_offs: list[RequiredSignOff] = []


Added = tuple[list[Question], list[Risk], list[TestCase], list[SignOff]]


def pack_names() -> list[str]:
    """The packs that ship, in alphabetical order."""
    return sorted(path.stem for path in (resource_dir("prompts") / "domains").glob("*.toml"))


def load_pack(name: str) -> Pack:
    """A pack by its name, or from a TOML file of the team's own. Raises NotFoundError or InvalidInputError."""
    path = Path(name) if name.endswith(".toml") else resource_dir("prompts") / "domains" / f"{name}.toml"
    if not re.fullmatch(r"[a-z][a-z-]{2,40}", name) and not name.endswith(".toml"):
        raise NotFoundError(f"There is no domain pack {name!r}.", hint=f"There are: {', '.join(pack_names())}.")
    try:
        return Pack.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotFoundError(
            f"There is no domain pack {name!r}.", hint=f"There are: {', '.join(pack_names())}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"The domain pack {name} is no TOML: {error}.", hint="Correct the file.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(
            f"The domain pack {name} is wrong at {place}: {first['msg']}.", hint="Correct the file."
        ) from None


def apply(packs: Sequence[Pack], requirements: Sequence[Requirement]) -> Added:
    """What the packs add for these requirements: questions, risks, cases and sign-offs, each naming pack and standard."""
    tested = testable(requirements)
    questions: list[Question] = []
    risks: list[Risk] = []
    cases: list[TestCase] = []
    sign_offs: list[SignOff] = []
    for pack in packs:
        for area in pack.areas:
            touched = _touched(area.triggers, tested)
            if touched:
                questions += _questions(pack, area, touched, tested)
                risks += _risks(pack, area, touched)
                cases += [_case(pack, area, check, touched[0]) for check in area.checks]
        questions += [
            _about(pack, topic) for topic in pack.topics if tested and not _touched(topic.words, requirements)
        ]
        sign_offs += [
            SignOff(role=one.role, why=one.why, standard=one.standard, pack=pack.name)
            for one in pack.sign_offs
            if not one.triggers or _touched(one.triggers, tested)
        ]
    return questions, risks, cases, sign_offs


def combined(risks: Iterable[Risk], more: Iterable[Risk]) -> list[Risk]:
    """One risk a requirement: the higher figures, the reasons and incidents of both."""
    found: dict[str, Risk] = {}
    for risk in [*risks, *more]:
        own = found.get(risk.requirement_id)
        found[risk.requirement_id] = (
            risk
            if own is None
            else Risk(
                requirement_id=own.requirement_id,
                impact=max(own.impact, risk.impact),
                likelihood=max(own.likelihood, risk.likelihood),
                reasons=list(dict.fromkeys([*own.reasons, *risk.reasons])),
                incident_ids=list(dict.fromkeys([*own.incident_ids, *risk.incident_ids])),
            )
        )
    return list(found.values())


@functools.lru_cache(maxsize=512)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words, whole; `*` lets a word go on, a blank stands for blanks or a hyphen."""
    forms = []
    for word in words:
        form = re.escape(word.rstrip("*")).replace(r"\ ", r"[\s-]{1,3}")
        forms.append(form + (r"\w{0,20}" if word.endswith("*") else r"(?:s|es)?"))
    return re.compile(rf"\b(?:{'|'.join(forms)})\b", re.I)


def _touched(words: Sequence[str], requirements: Sequence[Requirement]) -> list[Requirement]:
    """Requirements whose own words hold a trigger, those with most of them first; headings alone do not count."""
    pattern = _pattern(tuple(words))
    counted = [(len({match.lower() for match in pattern.findall(one.quote)}), one) for one in requirements]
    return [one for count, one in sorted((pair for pair in counted if pair[0]), key=lambda pair: -pair[0])]


def _questions(pack: Pack, area: Area, touched: Sequence[Requirement], tested: Sequence[Requirement]) -> list[Question]:
    return [
        Question(
            id=f"Q-{digest(pack.name, area.id, asked.text)}",
            requirement_ids=[one.id for one in touched[:MOST_LINKED]],
            category=asked.category,
            text=f"{asked.text} ({asked.standard})",
            options=asked.options,
            impact=area.impact,
            uncertainty=2,
            default_assumption=asked.default,
            pack=pack.name,
        )
        for asked in area.questions
        if not (asked.answered_by and _touched(asked.answered_by, tested))
    ]


def _about(pack: Pack, topic: Topic) -> Question:
    return Question(
        id=f"Q-{digest(pack.name, topic.question)}",
        requirement_ids=[],
        category="open_ended",
        text=f"{topic.question} ({topic.standard})",
        options=topic.options,
        impact=topic.impact,
        uncertainty=3,
        default_assumption=topic.default,
        pack=pack.name,
    )


def _risks(pack: Pack, area: Area, touched: Sequence[Requirement]) -> list[Risk]:
    return [
        Risk(
            requirement_id=one.id,
            impact=area.impact,
            likelihood=area.likelihood,
            reasons=[f"{pack.title}, {area.name}: {area.why} ({area.standard})."],
        )
        for one in touched
    ]


def _case(pack: Pack, area: Area, check: Check, requirement: Requirement) -> TestCase:
    quote = flat(requirement.quote)
    place = place_of(requirement)
    steps = [Step(action=order, expected="The next step can be done.") for order in check.steps[:-1]]
    steps.append(Step(action=check.steps[-1], expected=check.expected))
    about = f"{place}: " if place else ""
    case = TestCase(
        id=f"TC-{digest(requirement.id, 'pack', pack.name, area.id, check.title)}",
        title=cut(f"{about}{check.title}"),
        objective=f"Show, for “{cut(flat(requirement.text), 140)}”, what {check.standard} asks: {check.expected}",
        requirement_ids=[requirement.id],
        technique="non_functional" if check.type not in ("functional", "data", "interface") else "error_guessing",
        polarity=check.polarity,
        type=check.type,
        priority=_priority(area),
        preconditions=check.preconditions,
        steps=with_look_again(steps),
        expected_basis="derived",
        basis_quote=quote if len(quote) <= 600 else quote[:600].rsplit(" ", 1)[0],
        basis_rule=f"pack {pack.name}, {area.id}: {check.standard}",
        tags=[f"pack-{pack.name}"],
        pack=pack.name,
    )
    return sealed(case, [requirement])


def _priority(area: Area) -> Literal["high", "medium", "low"]:
    level = area.impact * area.likelihood
    return "high" if level >= 6 else "medium" if level >= 3 else "low"
