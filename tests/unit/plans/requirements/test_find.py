"""From documents to requirements: quotes that match, ids that last, context that is carried, scope that is told."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read import Document
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.requirements.drafts import Draft, finished
from tests.unit.plans.requirements.documents import document, found, only

SENTENCES = [
    "The bell must ring twice.",
    "When the rope is pulled, the lamp lights.",
    "Only managers can tune bells.",
    "The title must be between 3 and 20 characters.",
    "If the door is open, the bell is silent; otherwise it rings.",
    "Guests cannot see prices.",
    "An order moves from Draft to Placed when the customer pays.",
]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *SENTENCES,
                "# A\n",
                "## Out of scope\n",
                "- ",
                "1. ",
                "FR-1: ",
                "must:\n\n",
                "| a | Result |\n|---|---|\n| 1 | 2 |\n",
                "```\nx # INVALID\n```\n",
                "Given a\n",
                "Then b\n",
                "As a clerk, I want x.",
                "\n\n",
                "Otherwise, ",
                "`",
                "(",
                "a; b",
            ]
        )
        | st.text(max_size=15),
        max_size=25,
    ).map(" ".join),
    st.sampled_from(["a.md", "a.txt", "a.html", "a.feature", "a.yaml"]),
)
def test_every_quote_of_any_text_is_verbatim_and_every_id_its_own(text: str, name: str) -> None:
    try:
        one = document(text, name)
    except InvalidInputError:  # a format of its own may refuse the text
        return
    requirements = find_requirements([one])
    for requirement in requirements:
        assert one.text[requirement.start : requirement.end] == requirement.quote
        assert requirement.text.strip()
        assert requirement.block_ids
        assert one.text.count("\n", 0, requirement.start) + 1 == requirement.line
    assert len({requirement.id for requirement in requirements}) == len(requirements)


@given(st.permutations(SENTENCES), st.sampled_from([" ", "\n", "  \n"]))
def test_ids_and_hashes_survive_reordering_and_white_space(sentences: list[str], gap: str) -> None:
    plain = {(one.id, one.hash) for one in found("# Bells\n\n" + "\n\n".join(SENTENCES))}
    spaced = {
        (one.id, one.hash)
        for one in found("# Bells\n\n" + "\n\n".join(text.replace(" ", gap, 1) for text in sentences))
    }
    assert plain == spaced
    assert len(plain) == len(SENTENCES)


def test_a_changed_number_changes_the_hash() -> None:
    old, new = only("FR-1: Names must have at most 9 characters."), only("FR-1: Names must have at most 8 characters.")
    assert old.id == new.id == "FR-1"
    assert old.hash != new.hash


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FR-12: The bell must ring.", "FR-12"),
        ("**AC3** – The bell must ring.", "AC3"),
        ("[REQ_7] The bell must ring.", "REQ_7"),
        ("3.2.1: The bell must ring.", "3.2.1"),
        ("NFR-1.2. The bell must ring.", "NFR-1.2"),
    ],
)
def test_the_authors_ids_are_kept(text: str, name: str) -> None:
    one = only(text)
    assert (one.id, one.explicit_id, one.quote) == (name, name, "The bell must ring.")


@pytest.mark.parametrize(
    "text", ["UTF-8: all files must use it.", "RFC 3339: dates must follow it.", "Version 2: the bell must ring."]
)
def test_names_of_standards_are_no_ids(text: str) -> None:
    assert only(text).explicit_id is None


def test_one_id_used_twice_stays_unique() -> None:
    first, second = found("FR-1: The bell must ring.\n\nFR-1: The lamp must light.\n")
    assert first.id == "FR-1"
    assert re.fullmatch(r"FR-1-[0-9a-f]{4}", second.id)


def test_context_is_carried_into_the_text_and_never_into_the_quote() -> None:
    text = (
        "# Page\n\nThe page must:\n\n- show the price\n- hide the clapper\n\n"
        "## Counter\n\nDisplays the number of bells.\n"
    )
    show, _, counter = found(text)
    assert (show.text, show.quote, show.modality) == ("The page must show the price", "show the price", "must")
    assert (counter.text, counter.quote) == ("Counter: Displays the number of bells.", "Displays the number of bells.")


def test_names_under_one_of_the_following_are_one_enumeration() -> None:
    one = only("A bell must have one of the following types:\n\n- hand bell\n- tower bell\n")
    assert one.fields[0].enum == ["hand bell", "tower bell"]
    assert one.quote.endswith("tower bell")


def test_a_user_story_and_its_criteria() -> None:
    story, item, scenario, prose = found(
        "As a bell keeper, I want to mute a bell so that people sleep.\n\n"
        "### Acceptance criteria\n\n- Muted bells turn grey on the map\n"
        "- Given a muted bell, when I pull the rope, then nothing sounds.\n\n"
        "Given a bell\nWhen I mute it\nThen it is grey\nAnd it is silent\n"
    )
    assert (story.actor, story.data["story"]["why"]) == ("bell keeper", "people sleep")
    assert item.kind == "functional"
    assert (scenario.precondition, scenario.trigger, scenario.response) == (
        "a muted bell",
        "I pull the rope",
        "nothing sounds",
    )
    assert prose.response == "it is grey and it is silent"


def test_steps_spread_over_items_are_one_scenario() -> None:
    one = only("- Given a bell\n- When I ring it\n- Then it sounds\n")
    assert (one.precondition, one.trigger, one.response) == ("a bell", "I ring it", "it sounds")
    assert len(one.block_ids) == 3


def test_a_flow_has_its_steps_and_its_alternates() -> None:
    one = only(
        "## Main flow\n\n1. The keeper opens the tower.\n2. The keeper pulls the rope.\n3. The bell rings.\n\n"
        "## Alternate flow 2: no rope\n\n1. The keeper calls for help.\n2. The bell rests.\n"
    )
    assert len(one.data["steps"]) == 3
    assert one.data["alternates"] == [{"at": 2, "steps": ["The keeper calls for help.", "The bell rests."]}]


def test_a_scenario_outline_gives_rules() -> None:
    one = only(
        "Feature: Bells\n  Scenario Outline: Ring\n    When I ring <n> times\n"
        "    Then it sounds <n> times in <place>\n    Examples:\n      | n |"
        " where | place |\n      | 1 | a | b |\n",
        "a.feature",
    )
    assert one.rules[0].outcome == "it sounds 1 times in b"
    assert [condition.name for condition in one.rules[0].conditions] == ["where"]


def test_out_of_scope_and_reasons_are_kept_and_marked() -> None:
    kinds = [
        one.kind
        for one in found(
            "## Out of scope\n\n- Ringing by phone\n\n## Background\n\n"
            "People want bells.\n\n## Bells\n\nBells must ring.\n"
        )
    ]
    assert kinds == ["out_of_scope", "rationale", "functional"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The page must load within 2 seconds.", "performance"),
        ("Passwords must be encrypted.", "security"),
        ("The page must work with a screen reader.", "accessibility"),
        ("All texts must be translated.", "internationalisation"),
        ("Personal data must be deleted after a year.", "privacy"),
        ("The bell must ring when the rope is pulled.", "functional"),
        ("The name must have at most 9 characters.", "data"),
        ("The app must work in Firefox.", "compatibility"),
    ],
)
def test_kinds(text: str, kind: str) -> None:
    assert only(text).kind == kind


def test_a_time_in_the_condition_is_no_demand_of_speed() -> None:
    late = only("If the tower does not answer within 10 seconds, then the page shall show a bell.")
    fast = only("When the rope is pulled, the bell shall answer within 10 seconds.")
    assert (late.kind, fast.kind) == ("functional", "performance")


def test_references_are_named() -> None:
    assert only("The bell must ring as FR-3 and section 4.2 say, see [ropes](#ropes).").references == [
        "FR-3",
        "4.2",
        "ropes",
    ]


def test_a_quote_that_does_not_match_is_rejected_not_repaired() -> None:
    one: Document = document("The bell must ring.")
    block = one.blocks[0]
    assert finished([Draft(one, [block], 0, 8, "The bell")])
    assert finished([Draft(one, [block], 0, 800, "The bell")]) == []
    assert finished([Draft(one, [block], 5, 5, "The bell")]) == []
    assert finished([Draft(one, [], 0, 8, "The bell")]) == []


@pytest.mark.parametrize(
    "text",
    [
        "If a, " * 4_000,
        "the the " * 8_000,
        "a; b must " * 4_000,
        "must: `" * 8_000,
        "Given " * 8_000,
        "1 to 2 " * 8_000,
        "As a " * 8_000,
        "(" * 40_000,
        "A. " * 15_000,
    ],
)
def test_long_repetitive_text_costs_no_more_than_its_length(text: str) -> None:
    """A rule that backtracks without bound would not end here within the suite's time limit."""
    assert isinstance(found(text), list)


@pytest.mark.parametrize("literal", ["_bells.yml", "_", "*", "<strong>", "A-Za-z0-9_-", "__init__", "[a](b)"])
@pytest.mark.parametrize(
    "text",
    ["The total must be written as `{}` in the ledger.", "| Rule |\n|---|\n| The total must be written as `{}` |"],
)
def test_what_stands_in_backticks_is_kept_letter_by_letter(text: str, literal: str) -> None:
    requirement = only(text.format(literal))
    assert f" {literal}" in requirement.text
    assert f" {literal}" in (requirement.response or "")
