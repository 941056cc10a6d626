"""`stop`, `resume` and `undo` on a real workspace, through the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from qa_agents.checkpoint.ledger import entries
from qa_agents.cli.stop import resume, stop
from qa_agents.cli.triage import explain, recover, triage
from qa_agents.cli.undo import undo
from qa_agents.errors import FindingsError, NotAllowedError, NotFoundError, QAAgentsError, UnavailableError, UsageError
from qa_agents.incidents.schema import Incident
from qa_agents.operations.deciding import decide
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace
from tests.crash.history import read, violations
from tests.past import REFUNDS

REPORT = {
    "id": "PAY-900",
    "summary": "Refund fails with E_REFUND_409 after the upgrade",
    "description": "Version 4.12.0 on Android 14. Expected: refunded. Actual: E_REFUND_409.",
    "created": "2026-10-01T10:00:00Z",
}


class Bench:
    """A workspace with one triaged report that waits, and the commands over it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = Settings(home=home, embedder="none")
        with self.workspace() as workspace:
            workspace.store.upsert([Incident.model_validate(row) for row in REFUNDS])
            workspace.memory.catch_up()
        self.app = typer.Typer()
        self.app.callback()(self.root)
        for command in (stop, resume, undo, explain, triage, recover):
            self.app.command(command.__name__)(command)
        report = home.parent / "report.json"
        report.write_text(json.dumps(REPORT))
        assert self.run("triage", str(report)).exit_code == 0

    def root(self, context: typer.Context) -> None:
        context.obj = self.home

    def workspace(self) -> Workspace:
        return Workspace(self.settings)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(self.app, list(words))

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json").stdout)

    def refused(self, *words: str) -> str:
        error = self.run(*words).exception
        assert isinstance(error, QAAgentsError)
        return str(error)

    def approve(self) -> None:
        with self.workspace() as workspace:
            decide(workspace, "PAY-900", reviewer="ada", verdict="approve")

    def issue(self) -> dict[str, Any] | None:
        file = self.home / "tracker" / "PAY-900.json"
        found: dict[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
        return found

    def state(self) -> str:
        with self.workspace() as workspace:
            account = workspace.received.find("PAY-900")
            assert account is not None
            return account.state


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    monkeypatch.setenv("NO_COLOR", "1")
    return Bench(tmp_path / "home")


def test_a_decision_during_a_stop_is_kept_and_carried_out_after_resuming(bench: Bench) -> None:
    said = bench.run("stop", "--reason", "Wrong labels", "--as", "ada").stdout
    assert said.startswith("Outside effects are stopped by ada since")
    with pytest.raises(UnavailableError, match=r"stopped by ada since .* UTC: Wrong labels\."):
        bench.approve()
    assert bench.issue() is None
    assert bench.state() == "failed"
    assert isinstance(bench.run("recover").exception, FindingsError)
    assert bench.issue() is None
    lifted = bench.json("resume", "--reason", "Labels corrected", "--as", "bob")
    assert (lifted["lifted"]["by"], lifted["unfinished"]) == ("ada", 1)
    assert bench.run("recover").exit_code == 0
    issue = bench.issue()
    assert issue is not None
    assert issue["fields"]["component"] == "Payments"
    assert bench.state() == "decided"
    with bench.workspace() as workspace:
        events = [entry.event for entry in entries(workspace.database)]
        assert workspace.received.balance().unaccounted == []
    assert events.index("stopped") < events.index("decided") < events.index("resumed") < events.index("action_done")


def test_who_is_not_recognised_may_stop_and_is_recorded_as_that(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from qa_agents.operations import intervening

    def unknown(*_: object) -> None:
        raise NotAllowedError("Nobody knows this person.")

    monkeypatch.setattr(intervening, "recognise", unknown)
    monkeypatch.setattr(intervening, "os_login", lambda: "eve")
    assert bench.run("stop", "--as", "ada").stdout.startswith(
        "Outside effects are stopped by eve (says to be ada) since"
    )


def test_stopping_twice_and_resuming_without_cause_say_so(bench: Bench) -> None:
    bench.run("stop")
    assert "stopped before; nothing was changed" in bench.run("stop", "--reason", "again").stdout
    assert bench.json("stop")["fresh"] is False
    assert bench.run("resume").exit_code == 2
    assert "needs a reason" in bench.refused("resume", "--reason", " ")
    assert bench.run("resume", "--reason", "fine").stdout.startswith("Outside effects are allowed again. 0 runs were")
    assert "not stopped" in bench.refused("resume", "--reason", "fine")


def test_a_report_is_undone_and_a_persons_later_change_is_left_and_exits_1(bench: Bench) -> None:
    bench.approve()
    file = bench.home / "tracker" / "PAY-900.json"
    issue = json.loads(file.read_text())
    issue["fields"]["severity"] = "Low [bold]\x1b[31m"
    file.write_text(json.dumps(issue))
    dry = bench.run("undo", "PAY-900", "--dry-run")
    assert (dry.exit_code, json.loads(file.read_text())) == (1, issue)
    assert "would be undone: PAY-900: component = Payments" in dry.stdout
    done = bench.run("undo", "PAY-900", "--as", "ada")
    assert done.exit_code == 1
    assert "undone: PAY-900: component = Payments" in done.stdout
    assert "left as it is: PAY-900: severity = " in done.stdout
    assert "now:  Low [bold]" in done.stdout
    assert "\x1b" not in done.stdout
    assert json.loads(file.read_text())["fields"].get("component") is None
    assert bench.json("undo", "PAY-900")["undone"] == []
    with bench.workspace() as workspace:
        assert workspace.received.balance().unaccounted == []


def test_explain_names_the_key_by_which_one_action_alone_is_undone(bench: Bench) -> None:
    bench.approve()
    [line] = [one for one in bench.run("explain", "PAY-900").stdout.splitlines() if "component = Payments  " in one]
    assert bench.run("undo", line.split()[-1], "--as", "ada").exit_code == 0
    issue = bench.issue()
    assert issue is not None
    assert (issue["fields"].get("component"), bool(issue["fields"].get("severity"))) == (None, True)


def test_undoing_is_stopped_like_any_other_effect_unless_a_person_says_so(bench: Bench) -> None:
    bench.approve()
    before = bench.issue()
    bench.run("stop", "--reason", "Wrong labels", "--as", "ada")
    said = bench.refused("undo", "PAY-900")
    assert "stopped by ada" in said
    assert "--while-stopped" in said
    assert bench.issue() == before
    assert bench.run("undo", "PAY-900", "--dry-run").exit_code == 0
    assert bench.issue() == before
    assert bench.run("undo", "PAY-900", "--while-stopped", "--as", "bob").exit_code == 0
    issue = bench.issue()
    assert issue is not None
    assert issue["fields"]["status"] == "Withdrawn"
    with bench.workspace() as workspace:
        undone = [entry for entry in entries(workspace.database) if entry.event == "action_undone"]
        assert workspace.switch.in_force() is not None
    assert all(entry.actor == "bob" and entry.payload["while_stopped"] for entry in undone)
    assert violations(read(bench.home)) == []


def test_everything_since_a_moment_is_undone(bench: Bench) -> None:
    bench.approve()
    assert bench.json("undo", "--since", "2999-01-01")["undone"] == []
    result = bench.run("undo", "--since", "2h")
    assert result.exit_code == 0
    assert ", 0 changed by somebody else since" in result.stdout
    issue = bench.issue()
    assert issue is not None
    assert issue["fields"]["status"] == "Withdrawn"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["undo"], UsageError),
        (["undo", "PAY-1"], NotFoundError),
        (["undo", "--since", "yesterday"], UsageError),
        (["undo", "--since", "9" * 200_000], UsageError),
        (["undo", "x" * 100_000], NotFoundError),
    ],
)
def test_a_senseless_undo_is_refused_in_one_sentence(bench: Bench, words: list[str], error: type[Exception]) -> None:
    assert isinstance(bench.run(*words).exception, error)
