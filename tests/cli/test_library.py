"""`qa-agents library` from outside."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qa_agents.cli.app import app
from qa_agents.errors import UsageError

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
