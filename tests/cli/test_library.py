"""`qa-agents library` from outside."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qa_agents.cli.app import app
from qa_agents.errors import UsageError
from qa_agents.testing.model_server import Asked, ModelServer, Turn

run = CliRunner()


def test_the_kinds_are_listed_with_what_they_combine_to() -> None:
    listed = json.loads(run.invoke(app, ["library", "list", "--json"]).stdout)
    assert [row["kind"] for row in listed] == ["adversarial", "boundary", "cultural", "bias", "injection"]
    assert all(row["inputs"] > 250 for row in listed)
    assert "injection" in run.invoke(app, ["library", "list"]).stdout


def test_inputs_come_as_lines_on_stdout_and_what_was_drawn_is_said_on_stderr() -> None:
    result = run.invoke(app, ["library", "generate", "--kind", "boundary", "--n", "7"])
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == 7
    assert "7 of" in result.stderr


def test_a_csv_file_and_the_coverage_can_be_had(tmp_path: Path) -> None:
    out = tmp_path / "inputs.csv"
    assert (
        run.invoke(app, ["library", "generate", "--kind", "bias", "--format", "csv", "--out", str(out)]).exit_code == 0
    )
    with out.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) > 20
    assert "heritage" in run.invoke(app, ["library", "generate", "--kind", "bias", "--coverage"]).stdout


@pytest.mark.parametrize("options", [["--kind", "poems"], ["--kind", "bias", "--format", "xml"]])
def test_what_there_is_not_is_refused_with_what_there_is(options: list[str]) -> None:
    result = run.invoke(app, ["library", "generate", *options])
    assert isinstance(result.exception, UsageError)
    assert "There are" in (result.exception.hint or "")


ADVERSARIAL = ("library", "generate", "--kind", "adversarial", "--n", "6", "--seed", "3")


def generated(home: Path, *more: str) -> tuple[list[dict[str, object]], str]:
    result = run.invoke(app, ["--home", str(home), *ADVERSARIAL, *more])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def with_model(monkeypatch: pytest.MonkeyPatch, server: ModelServer) -> None:
    monkeypatch.setenv("QA_AGENTS_MODEL__BASE_URL", server.base_url)
    monkeypatch.setenv("QA_AGENTS_MODEL__FAST", "scripted")
    monkeypatch.setenv("QA_AGENTS_MODEL__TRIES", "1")


def keeping(asked: Asked) -> Turn:
    """Other words around the parts that must stay, as they stand between the delimiters."""
    kept = asked.messages[-1]["content"].rpartition("<<<keep ")[2].partition(">>>\n")[2].rpartition("\n<<<end ")[0]
    return Turn("By the way: " + kept)


def test_without_a_model_rewording_says_so_and_gives_what_the_library_has(tmp_path: Path) -> None:
    plain, _ = generated(tmp_path)
    reworded, told = generated(tmp_path, "--reword")
    assert reworded == plain
    assert "No language model is configured." in told


def test_a_models_wording_is_taken_where_it_keeps_what_is_probed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = generated(tmp_path)
    with ModelServer(keeping) as server:
        with_model(monkeypatch, server)
        reworded, told = generated(tmp_path, "--reword")
    texts = {str(one["text"]) for one in reworded}
    assert any(text.startswith("By the way: ") for text in texts)
    assert all(any(part in text for text in texts) for one in plain for part in one["keeps"])  # type: ignore[attr-defined]
    assert "in other words" in told


def test_a_wording_that_drops_what_is_probed_is_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = generated(tmp_path)
    with ModelServer(lambda asked: Turn("Something else entirely.")) as server:
        with_model(monkeypatch, server)
        reworded, told = generated(tmp_path, "--reword")
    assert reworded == [one for one in reworded if one in plain or one["keeps"] == []]
    assert "were left out" in told


def test_a_model_that_fails_is_asked_once_and_the_inputs_come_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = generated(tmp_path)
    with ModelServer(lambda asked: Turn(status=500)) as server:
        with_model(monkeypatch, server)
        reworded, told = generated(tmp_path, "--reword")
        assert len(server.requests) == 1
    assert reworded == plain
    assert "The rest is as the library has it." in told
