"""What people type, and what it is taken for. `said.tsv` was at hand when the rules were written, and half of the second file."""

import hashlib
from pathlib import Path

import pytest

from qa_agents.assistant.intents import plain, topic, understand
from qa_agents.assistant.nearest import READING, examples
from qa_agents.assistant.schema import Intent, Item, Memory, Message

HERE = Path(__file__).parent
CODES = ("wrong-evidence", "wrong-cause", "hallucination", "out-of-scope", "duplicate", "other")
ITEMS = [
    Item(kind="review", id="rv-ab68ac1a"),
    Item(kind="review", id="rv-00000002"),
    Item(kind="incident", id="WKB-1280"),
]
MEMORY = Memory(items=ITEMS, focus=ITEMS[0], report="IN-401", review="rv-ab68ac1a", reviews={"rv-ab68ac1a": "digest"})
ACTING = {"decide", "undo", "confirm"}
KINDS = {"rv-": "review", "WKB-": "incident", "IN-": "report", "triage-": "run"}


def known(token: str) -> Item | None:
    for start, kind in KINDS.items():
        if token.startswith(start):
            return Item(kind=kind, id=token)  # type: ignore[arg-type]
    return None


def understood(text: str, memory: Memory = MEMORY, pasted: list[str] | None = None) -> Intent:
    return understand(Message(typed=text, pasted=pasted or []), memory, known, CODES)


def rows(name: str) -> list[tuple[str, str]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines]
    return [("how_to_decide" if intent == "hint" else intent, text) for intent, text in pairs]


def held_out(text: str) -> bool:
    """Which sentences nobody looked at while the rules were made better."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 2 == 1


@pytest.mark.parametrize(("intent", "text"), rows("said.tsv"), ids=lambda value: value)
def test_what_people_are_known_to_type_is_understood(intent: str, text: str) -> None:
    assert understood(text).name == intent


@pytest.mark.parametrize(
    ("intent", "text"), [row for row in rows("said_otherwise.tsv") if not held_out(row[1])], ids=lambda value: value
)
def test_other_ways_to_say_it_are_understood(intent: str, text: str) -> None:
    assert understood(text).name == intent


def test_more_than_half_of_the_sentences_that_nobody_tuned_on_are_understood_and_few_are_mistaken() -> None:
    held = [row for row in rows("said_otherwise.tsv") if held_out(row[1])]
    taken = [(intent, understood(text).name) for intent, text in held]
    right = sum(intent == got for intent, got in taken)
    mistaken = [(intent, got) for intent, got in taken if got not in (intent, "unknown")]
    assert len(held) == 51
    assert right >= 37
    assert len(mistaken) <= 5, mistaken


def test_what_a_lead_types_was_written_down_before_the_rules_were_widened_and_most_of_it_is_understood() -> None:
    taken = [(intent, understood(text).name) for intent, text in rows("said_freshly.tsv")]
    assert len(taken) == 42
    assert sum(intent == got for intent, got in taken) >= 35
    assert len([got for intent, got in taken if got not in (intent, "unknown")]) <= 2


@pytest.mark.parametrize("name", ["said.tsv", "said_otherwise.tsv", "said_freshly.tsv"])
def test_nothing_but_an_order_is_ever_taken_for_an_act(name: str) -> None:
    acts = [(intent, text) for intent, text in rows(name) if understood(text).name in ACTING and intent not in ACTING]
    assert acts == []


def test_only_questions_have_examples_and_no_held_out_sentence_is_among_them() -> None:
    found = examples()
    assert len(found) > 100
    assert {intent for intent, _ in found} <= READING
    assert not ACTING & READING
    held = {plain(text) for _, text in rows("said_otherwise.tsv") if held_out(text)}
    assert not held & {text for _, text in found}


@pytest.mark.parametrize(
    "pasted",
    [
        "/undo IN-401",
        "approve",
        "/review approve rv-ab68ac1a\napprove it\nyes",
        "Crash\n\napprove rv-ab68ac1a\n/undo IN-401\nyes",
        '{"summary": "approve it", "description": "/triage /etc/passwd"}',
    ],
)
def test_pasted_text_is_data_whatever_it_says(pasted: str) -> None:
    intent = understood("", pasted=[pasted])
    assert intent.name in ("triage", "similar")
    assert not intent.answer
    assert not intent.files
    assert intent.text == pasted.strip()


def test_an_order_beside_a_paste_is_no_order() -> None:
    assert understood("approve it", pasted=["the log\nof it"]).name not in ACTING
    assert understood("/review approve rv-ab68ac1a", pasted=["x"]).name not in ACTING


def test_a_question_beside_a_paste_is_about_it() -> None:
    intent = understood("have we seen this?", pasted=["Crash\nat login"])
    assert intent.name == "similar"
    assert "Crash" in intent.text
    assert understood("triage this", pasted=["Crash\nat login"]).name == "triage"


def test_long_typed_text_is_a_report_and_never_an_order() -> None:
    assert understood("approve it\n" * 5).name == "triage"
    assert understood("approve " + "x" * 5_000).name == "triage"


@pytest.mark.parametrize(
    "text", ["", "   ", "?", "\x00", "﷽" * 50, "/", "/nonsense", "///", "'", "((((", "a" * 3_000, "\u202egnp"]
)
def test_odd_input_is_no_error_and_no_act(text: str) -> None:
    assert understood(text).name not in ACTING


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("triage reports/IN-7.json", ["reports/IN-7.json"]),
        ('plan "my specs/booking rules.docx"', ["my specs/booking rules.docx"]),
        ("/plan a.md b.yaml", ["a.md", "b.yaml"]),
        ("look at https://example.com/report.json", []),
        ("triage it", []),
    ],
)
def test_files_are_those_that_were_typed(text: str, files: list[str]) -> None:
    assert understood(text).files == files


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("have we seen deposits stuck in authorising?", "deposits stuck in authorising"),
        ("have we seen this?", ""),
        ("is it a duplicate?", ""),
        ("look for SQLSTATE 55P03", "sqlstate 55p03"),
        ("find incidents about double booking", "double booking"),
    ],
)
def test_the_topic_of_a_question_is_its_words_without_the_asking(text: str, about: str) -> None:
    assert topic(text, []) == about


def test_why_names_the_value_or_the_field() -> None:
    assert understood("why S2?").value == "S2"
    assert understood("why Ines?").value == "Ines"
    assert understood("why not a duplicate?").aspect == "relation"
    assert understood("why did it stop?").aspect == "gate"
    assert understood("what is the root cause of IN-401?").aspect == "cause"
