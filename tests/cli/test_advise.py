"""`qa-agents plans advise`: a model's suggestions about a plan, checked, and the plan as it was."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qa_agents.cli.app import app
from qa_agents.errors import NotFoundError, UnavailableError
from qa_agents.testing.model_server import Asked, ModelServer, Turn, fitting

SPEC = """# Booking

- FR-1: If the card is declined, then the booking page shall show "Your card was declined." and the slot shall stay bookable.
- FR-2: The note of a service shall hold at most 280 characters.
"""
QUOTE = "the slot shall stay bookable"


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--home", str(home), *arguments])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("advise")
    (folder / "booking.md").write_text(SPEC, encoding="utf-8")
    drawn = run(folder / "home", "plan", str(folder / "booking.md"), "--name", "booking", "--no-ask", "--json")
    assert drawn.exit_code in (0, 1), drawn.output
    return folder / "home"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    with ModelServer(answered) as running:
        monkeypatch.setenv("QA_AGENTS_MODEL__BASE_URL", running.base_url)
        monkeypatch.setenv("QA_AGENTS_MODEL__FAST", "scripted")
        monkeypatch.setenv("QA_AGENTS_MODEL__USES", '{"plan.scenarios": true, "plan.wording": true}')
        yield running


def answered(asked: Asked) -> Turn:
    if "scenarios" not in (asked.schema or {}).get("properties", {}):
        return fitting(asked)
    lines = asked.messages[-1]["content"].splitlines()
    number = next(int(line.split(".")[0]) for line in lines if QUOTE in line and line[0].isdigit())
    idea: dict[str, Any] = {"requirement": number, "technique": "sequence", "title": "Declined, then another card"}
    held = {**idea, "expectation": "The slot stays bookable.", "quote": QUOTE}
    return Turn.of({"scenarios": [held, {**held, "expectation": "It is free for 99 minutes."}]})


def test_suggestions_that_hold_are_told_and_the_plan_stays_as_it_is(home: Path, server: ModelServer) -> None:
    before = json.loads(run(home, "plans", "show", "booking", "--json").stdout)
    found = json.loads(run(home, "plans", "advise", "booking", "--json").stdout)
    assert [idea["quote"] for idea in found["ideas"]] == [QUOTE]
    assert found["dropped"] == 1
    assert found["absent"] == ["plan.contradictions: It is not asked: this use is switched off."]
    assert json.loads(run(home, "plans", "show", "booking", "--json").stdout) == before
    told = run(home, "plans", "advise", "booking").stdout
    assert "Declined, then another card" in told
    assert "1 suggestions were dropped" in told


def test_a_model_that_is_down_is_said_and_nothing_is_suggested(home: Path, server: ModelServer) -> None:
    server.answer = lambda _: Turn(status=401)
    found = json.loads(run(home, "plans", "advise", "booking", "--json").stdout)
    assert (found["ideas"], found["titles"]) == ([], {})
    assert any("does not accept the key" in text for text in found["absent"])


def test_without_a_model_or_a_plan_it_is_told_in_a_sentence(home: Path) -> None:
    assert isinstance(run(home, "plans", "advise", "booking").exception, UnavailableError)
    assert isinstance(run(home, "plans", "advise", "nothing").exception, NotFoundError)
