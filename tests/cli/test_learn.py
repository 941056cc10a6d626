"""`learn` at the command line, and what an import does by itself."""

import json
from pathlib import Path

import pytest

from qa_agents.cli import run
from tests.unit.triage.proposals.conftest import invented_past


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    return str(tmp_path / "home")


def written(path: Path, count: int) -> str:
    path.write_text("".join(f"{incident.model_dump_json()}\n" for incident in invented_past(count)), "utf-8")
    return str(path)


def test_learning_says_what_was_fitted_on_how_many(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QA_AGENTS_LEARN", "manual")
    assert run(["--home", home, "incidents", "import", written(tmp_path / "past.jsonl", 200)]) == 0
    assert run(["--home", home, "doctor"]) == 0
    assert "Nothing was fitted on this memory" in capsys.readouterr().out
    assert run(["--home", home, "learn", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["outcomes"] == 185
    assert found["steps"][0] == {
        "name": "proposals",
        "state": "fitted",
        "says": "component, type, priority, assignee",
        "outcomes": 185,
    }
    assert run(["--home", home, "doctor"]) == 0
    assert "fitted on 185 outcomes" in capsys.readouterr().out


def test_an_import_fits_by_itself_when_it_is_due(home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "past.jsonl", 200)
    assert run(["--home", home, "incidents", "import", file]) == 0
    assert run(["--home", home, "doctor"]) == 0
    assert "fitted on 185 outcomes" in capsys.readouterr().out


def test_a_past_too_short_to_learn_from_is_one_sentence_and_exit_1(
    home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--home", home, "incidents", "import", written(tmp_path / "past.jsonl", 40)]) == 0
    assert run(["--home", home, "learn"]) == 1
    assert "Nothing was fitted: the memory holds 25 closed incidents." in capsys.readouterr().err
