"""What a model may say in the chat: words about the evidence it was given, and nothing else."""

import pytest

from qa_agents.assistant.asking import _INTENTS, unfounded

IDS = ["WKB-1280", "WKB-1100"]


@pytest.mark.parametrize(
    "text", ["Yes, WKB-1280 was the same [1].", "Twice [1, 2].", "The evidence does not say.", "WKB-1100 is nearest."]
)
def test_an_answer_that_rests_on_its_evidence_stands(text: str) -> None:
    assert unfounded(text, IDS) is None


@pytest.mark.parametrize(
    "text",
    ["", "Yes [3].", "It is like WKB-9999 [1].", "Certainly, it is a known bug.", "See IN-401 [2].", "[0] says so"],
)
def test_an_answer_that_cites_something_else_or_nothing_is_withdrawn(text: str) -> None:
    assert unfounded(text, IDS) is not None


def test_no_model_can_name_an_intent_that_acts() -> None:
    assert set(_INTENTS.values()) <= {"waiting", "similar", "explain", "help"}
