"""`qa-agents prompts` and what `doctor` says about a language model."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qa_agents.cli.app import app
from qa_agents.llm.uses import USES
from qa_agents.settings import resource_dir
from qa_agents.testing.model_server import ModelServer, Turn


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--home", str(home), *arguments])


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    (folder / "chat").mkdir(parents=True)
    text = (resource_dir("prompts") / "chat" / "intent.md").read_text(encoding="utf-8")
    (folder / "chat" / "intent.md").write_text(text.replace("You sort", "You quickly sort"), encoding="utf-8")
    monkeypatch.setenv("QA_AGENTS_PROMPTS", str(folder))
    return folder


def test_every_use_is_listed_with_whether_it_is_on_and_why(tmp_path: Path) -> None:
    listed = json.loads(run(tmp_path, "prompts", "list", "--json").stdout)
    assert [row["use"] for row in listed["uses"]] == list(USES)
    assert not listed["model"]
    assert all(row["standing"] for row in listed["uses"])
    assert "No language model is configured" in run(tmp_path, "prompts", "list").stdout


def test_a_prompt_is_shown_and_rendered_without_secrets(tmp_path: Path) -> None:
    assert "{{message}}" in run(tmp_path, "prompts", "show", "chat/intent").stdout
    result = run(
        tmp_path, "prompts", "render", "chat/intent", "-i", "message=mail ada@example.com \x1b[31mred", "--json"
    )
    rendered = json.loads(result.stdout)
    assert "ada@example.com" not in result.stdout
    assert [message["role"] for message in rendered["messages"]][-1] == "user"
    assert "\x1b" not in run(tmp_path, "prompts", "render", "chat/intent", "-i", "message=\x1b[2J").stdout


def test_an_input_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "message.txt").write_text("undo IN-77", encoding="utf-8")
    assert (
        "undo IN-77"
        in run(tmp_path, "prompts", "render", "chat/intent", "-i", f"message=@{tmp_path}/message.txt").stdout
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "chat/intent"),
        ("render", "chat/intent", "-i", "message"),
        ("render", "chat/intent", "-i", "other=x"),
        ("render", "chat/intent", "-i", "message=@/does/not/exist"),
        ("show", "../settings"),
        ("diff", "triage/none"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(arguments: tuple[str, ...], tmp_path: Path) -> None:
    from qa_agents.errors import QAAgentsError

    result = run(tmp_path, "prompts", *arguments)
    assert isinstance(result.exception, QAAgentsError)
    assert result.exception.exit_code == 2


def test_the_teams_own_words_are_marked_and_compared(own: Path, tmp_path: Path) -> None:
    changed = run(tmp_path, "prompts", "diff", "chat/intent")
    assert changed.exit_code == 1
    assert "+You quickly sort" in changed.stdout
    assert run(tmp_path, "prompts", "diff", "chat/answer").exit_code == 0
    rows = {row["use"]: row for row in json.loads(run(tmp_path, "prompts", "list", "--json").stdout)["uses"]}
    assert rows["chat.intent"]["own"]
    assert not rows["chat.answer"]["own"]


def finding(result: Result, name: str) -> dict[str, str]:
    found: dict[str, str] = next(one for one in json.loads(result.stdout) if one["name"] == name)
    return found


def test_doctor_says_that_none_is_configured(tmp_path: Path) -> None:
    found = finding(run(tmp_path, "doctor", "--json"), "language model")
    assert found["level"] == "ok"
    assert "None configured" in found["says"]


def test_doctor_asks_a_model_only_when_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer() as server:
        monkeypatch.setenv("QA_AGENTS_MODEL__BASE_URL", server.base_url)
        monkeypatch.setenv("QA_AGENTS_MODEL__FAST", "scripted")
        assert "scripted at" in finding(run(tmp_path, "doctor", "--json"), "language model")["says"]
        assert server.requests == []
        asked = run(tmp_path, "doctor", "--ask-model", "--json")
        assert "json_schema" in finding(asked, "language model, fast")["says"]
        server.answer = lambda _: Turn(status=401)
        refused = run(tmp_path, "doctor", "--ask-model", "--json")
        assert refused.exit_code == 1
        assert "does not accept the key" in finding(refused, "language model, fast")["says"]


def test_a_use_that_does_not_exist_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_AGENTS_MODEL__BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("QA_AGENTS_MODEL__FAST", "m")
    monkeypatch.setenv("QA_AGENTS_MODEL__USES", '{"triage.magic": true}')
    assert "triage.magic" in str(run(tmp_path, "prompts", "list").exception)
