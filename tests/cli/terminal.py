"""The command line over one workspace, as a person types at it."""

import json
from pathlib import Path
from typing import Any

import pytest

from qa_agents.cli import run


class Terminal:
    """Runs commands in a workspace, all of the group `command`; each must end with the exit code that is expected of it."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], command: str = "") -> None:
        self.home, self._capsys, self.err = home, capsys, ""
        self._words = ["--home", str(home), *command.split()]

    def __call__(self, *words: object, expect: int = 0) -> str:
        """What the command printed; `err` is what it said beside."""
        self._capsys.readouterr()
        assert run([*self._words, *map(str, words)]) == expect
        captured = self._capsys.readouterr()
        self.err = captured.err
        return captured.out

    def json(self, *words: object, expect: int = 0) -> Any:
        """What the command printed with --json."""
        return json.loads(self(*words, "--json", expect=expect))
