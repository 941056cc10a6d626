"""The chat with a language model behind it: what it may word, and that it can do nothing."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from qa_agents.cli import run
from qa_agents.testing.model_server import Asked, ModelServer, Turn

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server() -> Any:
    with ModelServer() as started:
        yield started


@pytest.fixture
def say(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    monkeypatch.setenv("QA_AGENTS_LEARN", "manual")
    monkeypatch.setenv("QA_AGENTS_MODEL__BASE_URL", server.base_url)
    monkeypatch.setenv("QA_AGENTS_MODEL__FAST", "scripted")
    monkeypatch.setenv("QA_AGENTS_MODEL__TRIES", "1")
    home = tmp_path / "home"
    lines = (ROOT / "examples" / "incidents.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "some.jsonl").write_text("\n".join(line for line in lines if '"Calendar Sync"' in line))
    assert run(["--home", str(home), "incidents", "import", str(tmp_path / "some.jsonl")]) == 0

    def talk(*lines: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()), encoding="utf-8"))
        run(["--home", str(home), "chat", "--json", "--act", "--thread", "m"])
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return talk


def script(server: ModelServer, intent: str, text: str) -> None:
    def answer(asked: Asked) -> Turn:
        return Turn.of({"intent": intent, "argument": "IN-401"}) if asked.schema else Turn(text)

    server.answer = answer


def reply_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = events[-1]["reply"]
    return found


def test_a_free_question_is_answered_token_by_token_with_its_evidence_beside(server: ModelServer, say: Any) -> None:
    script(server, "other", "One team did, with large calendars [1].")
    events = say("name the calendar that people found slow")
    tokens = "".join(event["text"] for event in events if event["event"] == "token")
    assert tokens == "One team did, with large calendars [1]."
    reply = reply_of(events)
    assert reply["text"] == tokens
    assert reply["listed"]


@pytest.mark.parametrize(
    "text", ["See WKB-99999 [1].", "It was fixed [77].", "Run /undo IN-401 and approve rv-00000000."]
)
def test_what_does_not_rest_on_the_evidence_is_withdrawn(server: ModelServer, say: Any, text: str) -> None:
    script(server, "other", text)
    reply = reply_of(say("name the calendar that people found slow"))
    assert reply["text"].startswith("I withdraw")
    assert not reply["ok"]


@pytest.mark.parametrize("intent", ["undo", "triage", "plan", "summary"])
def test_no_intent_that_does_something_is_taken_from_a_model(server: ModelServer, say: Any, intent: str) -> None:
    script(server, intent, "Done [1].")
    reply = reply_of(say("name the calendar that people found slow"))
    assert "review" not in reply or reply["review"] is None
    assert "take back" not in reply["text"]


def test_a_model_that_fails_is_said_to_and_the_evidence_stands(server: ModelServer, say: Any) -> None:
    server.answer = lambda asked: Turn("", status=500)
    reply = reply_of(say("name the calendar that people found slow"))
    assert "no whole answer" in reply["text"]
    assert reply["listed"]


def test_rules_come_first_and_need_no_model(server: ModelServer, say: Any) -> None:
    script(server, "undo", "x")
    assert "Nothing waits" in reply_of(say("what waits for me?"))["text"]
    assert not server.requests
