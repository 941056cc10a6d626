"""The review commands over one workspace, as whichever login sits there."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.policy import Policy
from qa_agents.cli import policy as policy_command
from qa_agents.cli import review as review_command
from qa_agents.incidents.intake import read_report
from qa_agents.operations import deciding, handling
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

REPORT = {"id": "WEB-1", "summary": "Checkout crashes in version 2.3.1", "description": "Every time, on Android 14."}
POLICY = Policy.model_validate(
    {
        "reviewers": {name: {"roles": ["triage"], "login": name} for name in ("ada", "linus", "grace")},
        "rule": [{"name": "two", "roles": ["triage"], "approvals": 2, "sla_hours": 8}],
    }
)
"""Everyone needs a colleague."""


class Desk:
    """The commands on one workspace, as whichever login sits there; `code` is how the last one ended."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, policy: Policy = POLICY) -> None:
        self.home, self.policy, self.login, self.code = home, policy, "ada", 0
        monkeypatch.setattr(deciding, "os_login", lambda: self.login)
        monkeypatch.setattr(review_command, "open_workspace", lambda _context: self.workspace())
        monkeypatch.setattr(policy_command, "open_workspace", lambda _context: self.workspace())
        self.app = typer.Typer()
        self.app.add_typer(review_command.app, name="review")
        self.app.add_typer(policy_command.app, name="policy")

    def workspace(self) -> Workspace:
        workspace = Workspace(Settings(home=self.home, embedder="none"))
        workspace.__dict__["inbox"] = Inbox(workspace.database, workspace.ledger, policy=self.policy)
        return workspace

    def take_in(self, report: Path) -> None:
        with self.workspace() as workspace:
            for received in read_report(report, 10_000):
                handling.handle(workspace, received, options={"k": 5})

    def run(self, *words: str, login: str = "ada", typed: str | None = None) -> str:
        self.login = login
        result = CliRunner().invoke(self.app, list(words), input=typed)
        self.code = result.exit_code
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    def json(self, *words: str, login: str = "ada") -> Any:
        return json.loads(self.run(*words, "--json", login=login))
