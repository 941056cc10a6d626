"""What a model may say in the chat: words about the evidence it was given, and nothing else."""

import pytest

from qa_agents.assistant.asking import _INTENTS, unfounded

IDS = ["WKB-1280", "WKB-1100"]


@pytest.mark.parametrize(
    "text",
    [
        "Yes, WKB-1280 was the same [1].",
        "Twice [1, 2].",
        "WKB-1280 [1] and WKB-1100 [1, 2] were fixed.",
        "Both, and 2 of them were fixed in 4.12.0 [1].",
        "The evidence does not say.",
        "Nothing in the evidence tells what it costs.",
        "WKB-1100 is nearest.",
    ],
)
def test_an_answer_that_rests_on_its_evidence_stands(text: str) -> None:
    assert unfounded(text, IDS, ["1. WKB-1280 (Fixed): Note: since 4.12.0 the row is not locked"]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yes [3].",
        "It is like WKB-9999 [1].",
        "Certainly, it is a known bug.",
        "Do not worry, it is a known bug.",
        "The evidence does not say. It was the database, though.",
        "It was fixed in 4.13.0 [1].",
        "See https://host.test/x [1].",
        "WKB-1100 [1] and WKB-1280 [2] were fixed.",
        "See IN-401 [2].",
        "[0] says so",
    ],
)
def test_an_answer_that_cites_something_else_or_nothing_is_withdrawn(text: str) -> None:
    assert unfounded(text, IDS) is not None


def test_no_model_can_name_an_intent_that_acts() -> None:
    assert set(_INTENTS.values()) <= {"waiting", "similar", "explain", "help"}
