"""What a model may add to plans and summaries, after the checks."""

from collections.abc import Callable
from typing import Any

import pytest

from qa_agents.llm.advice import Adviser
from qa_agents.llm.models import Models
from qa_agents.llm.prompts import Prompts
from qa_agents.llm.uses import USES
from qa_agents.settings import resource_dir
from qa_agents.testing.model_server import ModelServer, Turn

REQUIREMENTS = [
    "If the card is declined, the slot shall stay bookable for others.",
    "A deposit is released when the client cancels at least 24 hours before.",
    "Cancelling less than 48 hours before captures the deposit. Ask ada@example.com.",
]


@pytest.fixture
def says(server: ModelServer, models_to: Callable[..., Models]) -> Callable[[Any], Adviser]:
    models = models_to(server, uses=dict.fromkeys(USES, True))
    models.probe()

    def speak(value: Any) -> Adviser:
        server.say(value if isinstance(value, Turn) else Turn.of(value))
        return Adviser(models, Prompts(resource_dir("prompts")), "plan-1")

    return speak


def scenario(**changes: Any) -> dict[str, Any]:
    idea = {
        "requirement": 1,
        "technique": "sequence",
        "title": "Card declined twice",
        "expectation": "The slot stays bookable.",
        "quote": "the slot shall stay bookable for others",
    }
    return {"scenarios": [{**idea, **changes}]}


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, 1),
        ({"requirement": 2}, 0),
        ({"requirement": 20}, 0),
        ({"quote": "the slot shall be closed"}, 0),
        ({"expectation": "The slot stays bookable for 15 minutes."}, 0),
        ({"title": "Try https://evil.example"}, 0),
    ],
)
def test_a_scenario_rests_on_a_quote_of_its_requirement(
    changes: dict[str, Any], kept: int, says: Callable[[Any], Adviser]
) -> None:
    advice = says(scenario(**changes)).scenarios(REQUIREMENTS, ["Card declined"])
    assert (len(advice.items), advice.dropped) == (kept, 1 - kept)
    assert advice.absent == ""
    assert advice.prompt_sha256


@pytest.mark.parametrize(
    ("first", "second", "why", "kept"),
    [
        (2, 3, "Between 24 and 48 hours both apply.", 1),
        (2, 3, "Between 24 and 36 hours both apply.", 0),
        (2, 2, "Between 24 and 48 hours both apply.", 0),
        (2, 9, "Between 24 and 48 hours both apply.", 0),
    ],
)
def test_a_contradiction_quotes_two_different_requirements(
    first: int, second: int, why: str, kept: int, says: Callable[[Any], Adviser]
) -> None:
    pair = {
        "first": first,
        "second": second,
        "first_quote": "released when the client cancels",
        "second_quote": "less than 48 hours before captures",
        "why": why,
    }
    assert len(says({"contradictions": [pair]}).contradictions(REQUIREMENTS).items) == kept


def test_a_quote_with_a_removed_address_holds_and_shows_the_placeholder(says: Callable[[Any], Adviser]) -> None:
    said = scenario(requirement=3, quote="captures the deposit. Ask ⟨EMAIL_1⟩.", expectation="The deposit is captured.")
    (one,) = says(said).scenarios(REQUIREMENTS, []).items
    assert "ada@example.com" not in one.quote


@pytest.mark.parametrize(
    ("case", "title", "kept"),
    [
        (1, "A deposit_percent of 51 is refused", 1),
        (1, "A deposit_percent of 52 is refused", 0),
        (1, "A deposit_percent above the limit is refused", 0),
        (2, "A declined card keeps the slot bookable", 1),
        (2, "A declined card keeps the slot bookable for 5 minutes", 0),
        (7, "Anything", 0),
        (2, "   ", 0),
    ],
)
def test_a_new_title_keeps_exactly_the_numbers(
    case: int, title: str, kept: int, says: Callable[[Any], Adviser]
) -> None:
    titles = ["deposit_percent boundary upper invalid 51", "Card declined keeps the slot bookable"]
    assert len(says({"cases": [{"case": case, "title": title}]}).wording(titles).items) == kept


@pytest.mark.parametrize(
    ("changes", "kept"), [({}, 1), ({"quote": "the slot is lost"}, 0), ({"condition": "after 3 tries"}, 0)]
)
def test_a_statement_is_one_of_the_section(changes: dict[str, str], kept: int, says: Callable[[Any], Adviser]) -> None:
    said = {"quote": "the slot shall stay bookable", "actor": "the slot", "action": "stays bookable", "condition": ""}
    assert len(says({"requirements": [{**said, **changes}]}).requirements(REQUIREMENTS[0]).items) == kept


def test_a_model_that_fails_leaves_nothing_and_says_why(says: Callable[[Any], Adviser]) -> None:
    advice = says(Turn(refusal="No.")).wording(["a title"])
    assert (advice.items, advice.absent) == ([], "The model declined to answer.")


def test_a_use_that_is_off_asks_nothing(server: ModelServer, models_to: Callable[..., Models]) -> None:
    adviser = Adviser(models_to(server), Prompts(resource_dir("prompts")), "plan-1")
    assert adviser.wording(["a title"]).absent
    assert server.requests == []
