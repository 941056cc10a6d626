"""What a model may add to plans: ideas and wording about numbered texts, each checked against its text.

Nothing here decides or writes. A quote that is not verbatim, a number that comes from nowhere, a link, or a text that was not
shown drops the item; a model that is absent leaves an empty list and says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from qa_agents.llm.answers import (
    Contradiction,
    Contradictions,
    Requirement,
    Requirements,
    Reworded,
    Scenario,
    Scenarios,
    Wording,
)
from qa_agents.llm.checks import has_link, numbers, place_of, untraced
from qa_agents.llm.gateway import Gateway
from qa_agents.llm.prompts import Prompts
from qa_agents.llm.redact import restore
from qa_agents.llm.uses import USES

Item = TypeVar("Item", bound=BaseModel)
Shape = TypeVar("Shape", bound=BaseModel)

SHOWN = 20
"""Numbered texts that one question is about; more are not shown."""


@dataclass(frozen=True)
class Advice(Generic[Item]):
    """What held the checks, and what it rests on."""

    items: list[Item]
    dropped: int = 0
    """What the model said and could not show."""
    absent: str = ""
    """Why there is nothing, in one sentence; empty where the model answered."""
    repaired: bool = False
    """The first answer did not fit: a person must look at every item."""
    model: str = ""
    prompt_sha256: str = ""


class Adviser:
    """Asks on behalf of one plan, by its id."""

    def __init__(self, gateway: Gateway, prompts: Prompts, subject: str) -> None:
        self._gateway, self._prompts, self._subject = gateway, prompts, subject

    def requirements(self, section: str) -> Advice[Requirement]:
        """The testable statements of a section, each quote verbatim in it."""

        def holds(one: Requirement) -> bool:
            told = (one.actor, one.action, one.condition)
            return bool(place_of(one.quote, section)) and not any(untraced(text, [section]) for text in told)

        return self._asked("plan.requirements", Requirements, lambda said: said.requirements, holds, section=section)

    def scenarios(self, requirements: Sequence[str], cases: Sequence[str]) -> Advice[Scenario]:
        """More to try about requirements (numbered from 1 in their order), each expectation resting on a quote of its own."""

        def holds(one: Scenario) -> bool:
            text = _text(requirements, one.requirement)
            return bool(place_of(one.quote, text)) and _traced([one.title, one.expectation], [text])

        shown = {"requirements": _numbered(requirements), "cases": "\n".join(f"- {case}" for case in cases) or "none"}
        return self._asked("plan.scenarios", Scenarios, lambda said: said.scenarios, holds, **shown)

    def contradictions(self, requirements: Sequence[str]) -> Advice[Contradiction]:
        """Pairs of different requirements that may not both hold, with a verbatim quote of each."""

        def holds(one: Contradiction) -> bool:
            first, second = _text(requirements, one.first), _text(requirements, one.second)
            quoted = place_of(one.first_quote, first) and place_of(one.second_quote, second)
            return bool(quoted) and one.first != one.second and _traced([one.why], [first, second])

        shown = {"requirements": _numbered(requirements)}
        return self._asked("plan.contradictions", Contradictions, lambda said: said.contradictions, holds, **shown)

    def wording(self, titles: Sequence[str]) -> Advice[Reworded]:
        """Clearer titles for cases; each keeps exactly the numbers that it had."""

        def holds(one: Reworded) -> bool:
            old = _text(titles, one.case)
            return (
                bool(old) and numbers(one.title) == numbers(old) and bool(one.title.strip()) and not has_link(one.title)
            )

        return self._asked("plan.wording", Wording, lambda said: said.cases, holds, cases=_numbered(titles))

    def _asked(
        self,
        use: str,
        shape: type[Shape],
        items: Callable[[Shape], Sequence[Item]],
        holds: Callable[[Item], bool],
        **inputs: str,
    ) -> Advice[Item]:
        """Ask, put removed words back for the checks, and keep what holds."""
        if not self._gateway.allows(use):
            return Advice([], absent="It is not asked: this use is switched off.")
        prompt = self._prompts.render(USES[use].prompt, **inputs)
        answer = self._gateway.ask(prompt, shape, role=USES[use].role, budget_key=self._subject)
        if answer.value is None:
            return Advice([], absent=answer.detail, prompt_sha256=answer.prompt_sha256)
        said = items(answer.value)
        kept = [one for one in said if holds(_restored(one, answer.placeholders))]
        return Advice(
            kept,
            dropped=len(said) - len(kept),
            repaired=answer.repaired,
            model=answer.model,
            prompt_sha256=answer.prompt_sha256,
        )


def _restored(one: Item, placeholders: dict[str, str]) -> Item:
    """With the removed words back, to be compared and then forgotten: what is kept shows the placeholders."""
    texts = {name: restore(value, placeholders) for name, value in one if isinstance(value, str)}
    return one.model_copy(update=texts)


def _numbered(texts: Sequence[str]) -> str:
    return (
        "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(texts[:SHOWN], start=1)) or "none"
    )


def _text(texts: Sequence[str], number: int) -> str:
    """The text with this number; "" where none was shown under it."""
    return texts[number - 1] if number <= min(len(texts), SHOWN) else ""


def _traced(told: Sequence[str], sources: Sequence[str]) -> bool:
    return not any(has_link(text) or untraced(text, sources) for text in told)
