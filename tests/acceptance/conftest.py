"""A workspace that holds the example memory, made once with the real embedder and copied for each test."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qa_agents.cli import run

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="session")
def example_memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace after `incidents import examples/incidents.jsonl`."""
    home = tmp_path_factory.mktemp("memory") / "home"
    assert run(["--home", str(home), "incidents", "import", str(EXAMPLES / "incidents.jsonl"), "--json"]) == 0
    return home


@pytest.fixture
def home(example_memory: Path, tmp_path: Path) -> Path:
    """A copy of the example workspace that the test may change."""
    return Path(shutil.copytree(example_memory, tmp_path / "home"))


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command with --json on the workspace; returns its document, or a list of them for JSON Lines."""

    def call(*arguments: str, code: int = 0, lines: bool = False) -> Any:
        capsys.readouterr()
        assert run(["--home", str(home), *arguments, "--json"]) == code, capsys.readouterr().err
        said = capsys.readouterr().out
        documents = [json.loads(line) for line in said.splitlines()]
        return documents if lines else documents[0]

    return call
