"""`qa-agents gate` as a person uses it, on the example product's memory."""

import json
from pathlib import Path

import pytest

from qa_agents.incidents.schema import Incident
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace
from tests.cli.terminal import Terminal

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    home = tmp_path / "home"
    lines = (EXAMPLES / "incidents.jsonl").read_text("utf-8").splitlines()[-120:]
    with Workspace(Settings(home=home, embedder="none")) as workspace:
        workspace.store.upsert([Incident.model_validate_json(line) for line in lines])
    return Terminal(home, capsys)


def test_status_says_that_nothing_is_open(terminal: Terminal) -> None:
    told = terminal.json("gate", "status")
    assert set(told["policy"]["actions"].values()) == {"gated"}
    assert (told["standings"], told["bound"]) == ([], None)
    assert "gate calibrate" in terminal("gate", "status")


def test_calibrate_says_first_what_is_feasible_and_promises_nothing_more(terminal: Terminal) -> None:
    told = terminal("gate", "calibrate", expect=1)
    assert "not feasible. It takes 59 critical reports" in told
    assert "Threshold" not in told
    assert "Nothing was calibrated" in terminal.err
    assert terminal.json("gate", "calibrate", expect=1)["feasible"]["allowed"] == -1
    assert terminal.json("gate", "status")["bound"] is None


def test_a_dry_run_calibrates_nothing(terminal: Terminal) -> None:
    told = terminal("gate", "calibrate", "--critical", "Critical,High", "--alpha", "0.3", "--dry-run")
    assert "feasible with" in told
    assert terminal.json("gate", "status")["bound"] is None


def test_calibrate_promises_and_the_status_shows_it(terminal: Terminal) -> None:
    told = terminal("gate", "calibrate", "--critical", "Critical,High", "--alpha", "0.2")
    assert "With 95% confidence, at most 20.0% of critical reports (Critical, High)" in told
    assert "AUC" in told
    status = terminal.json("gate", "status")
    assert status["unproven"] == ""
    assert status["bound"]["threshold"] == pytest.approx(status["bound"]["proven"])
    assert status["watched"]["alarm"] is False
    assert "The bound holds." in terminal("gate", "status")


def test_another_rubric_voids_the_bound(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qa_agents.triage.severity.rate import RUBRIC_PATH

    terminal("gate", "calibrate", "--critical", "Critical,High", "--alpha", "0.2")
    rubric = tmp_path / "rubric.toml"
    rubric.write_text(RUBRIC_PATH.read_text("utf-8") + "# our own\n", encoding="utf-8")
    monkeypatch.setenv("QA_AGENTS_RUBRIC", str(rubric))
    assert "has changed since" in terminal.json("gate", "status")["unproven"]


def test_no_alarm_is_nothing_to_acknowledge(terminal: Terminal) -> None:
    terminal("gate", "acknowledge", "--reason", "it is fine", expect=2)
    assert "no alarm" in terminal.err
    terminal("gate", "acknowledge", "--reason", " ", expect=2)


def test_every_correction_becomes_a_case_without_secrets(terminal: Terminal, tmp_path: Path) -> None:
    report = {
        "id": "WKB-9001",
        "summary": "Kiosk shows the wrong studio in version 2.3",
        "description": "Ask kim@studio.example, password=hunter2secret, it happens each morning.",
        "reporter": "kim",
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report), encoding="utf-8")
    terminal("triage", str(path))
    terminal("review", "edit", "WKB-9001", "--set", "component=Notifications", "--reason", "wrong-cause", "--as", "ada")
    out = tmp_path / "cases.jsonl"
    assert "1 cases written" in terminal("gate", "cases", "--out", str(out))
    (line,) = out.read_text("utf-8").splitlines()
    assert terminal("gate", "cases") == f"{line}\n"
    case = json.loads(line)
    assert case["expected"]["component"] == "Notifications"
    assert (case["group"], case["tags"][1:3]) == ("WKB-9001", ["correction", "edit"])
    assert set(case) == {"id", "input", "expected", "tags", "source", "group"}
    assert "kim" not in line.replace("kiosk", "")
    assert "hunter2secret" not in line


def test_a_case_file_that_cannot_be_written_is_one_sentence(terminal: Terminal, tmp_path: Path) -> None:
    terminal("gate", "cases", "--out", str(tmp_path / "no" / "such" / "folder.jsonl"), expect=2)
    assert "cannot be written" in terminal.err
