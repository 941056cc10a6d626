"""What the README shows is what happens: its commands run in the order they stand there."""

import re
import shlex
from pathlib import Path

import pytest

from qa_agents.cli import run
from tests.acceptance.conftest import ROOT

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """Every `qa-agents …` line of the page's plain code blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [
        line.split(" #")[0].strip()
        for language, block in FENCED.findall(text)
        if not language
        for line in block.splitlines()
    ]
    return [shlex.split(line)[1:] for line in lines if line.startswith("qa-agents ")]


def test_the_readmes_commands_run(
    example_memory: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    shown = commands("README.md")
    assert len(shown) >= 10
    for arguments in shown:
        assert run(["--home", str(home), *arguments]) == 0, f"{arguments}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", ["README.md", "examples/README.md", "docs/architecture.md", "CONTRIBUTING.md"])
def test_every_command_a_page_shows_exists(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in commands(page):
        words = [word for word in arguments[:2] if word.isalpha()]
        assert run([*words, "--help"]) == 0, f"{page}: qa-agents {' '.join(words)}"


def test_the_make_tasks_the_readme_shows_exist() -> None:
    tasks = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    shown = set(re.findall(r"^make ([a-z-]+)", pages, re.MULTILINE))
    assert {"demo", "test"} <= shown <= tasks


def test_ci_calls_exactly_the_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make test"]
