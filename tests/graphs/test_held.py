"""What was to go through without a person is judged again before it is written: after a crash the gate may be closed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qa_agents.checkpoint.ledger import entries
from qa_agents.errors import StoppedError, UnavailableError
from qa_agents.incidents.intake import read_batch
from qa_agents.incidents.schema import Incident
from qa_agents.operations import deciding, handling, intervening
from qa_agents.settings import Settings
from qa_agents.trackers.file import FileTracker
from qa_agents.trackers.schema import Action, Applied
from qa_agents.triage.schema import Gate
from qa_agents.triage.steps import Steps
from qa_agents.wiring import Workspace
from tests.crash.history import read, violations
from tests.past import CHIMES
from tests.postgres import ENGINES, fresh_schema

REPORT = {
    "id": "WB-9",
    "summary": "Chime rings twice at stop 9",
    "description": "The bell chimes two times where one chime is expected.",
    "created": "2026-10-01T10:00:00Z",
}
OPEN = Gate(decision="auto", reasons=[])
QUIET = Gate(decision="ask", reasons=["quiet-hours: These are quiet hours; nothing is applied without a person."])


class Bench:
    """A workspace whose gate and tracker do as they are told."""

    def __init__(self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace = workspace
        self.gate = OPEN
        self.answers = 1_000
        """How many more changes the tracker makes before it is down."""
        apply = FileTracker.apply

        def limited(tracker: FileTracker, action: Action, key: str) -> Applied:
            if self.answers <= 0:
                raise UnavailableError("The tracker is down.")
            self.answers -= 1
            return apply(tracker, action, key)

        monkeypatch.setattr(FileTracker, "apply", limited)
        monkeypatch.setattr(Steps, "_judged", lambda *_: self.gate)

    def hand_in(self) -> handling.Handled:
        path = self.workspace.settings.home.parent / "report.jsonl"
        path.write_text(json.dumps(REPORT) + "\n")
        (received,) = read_batch(path, 1_000_000)
        return handling.handle(self.workspace, received, options={"k": 5, "remember": True})

    def interrupted(self, after: int) -> None:
        """Let a run go through, and die after so many changes."""
        self.answers = after
        assert self.hand_in().account.state == "failed"
        assert len(self.changes()) == after
        self.answers = 1_000

    def changes(self) -> list[dict[str, Any]]:
        file = self.workspace.settings.home / "tracker" / "WB-9.json"
        return list(json.loads(file.read_text())["history"]) if file.exists() else []

    def recover(self) -> dict[str, str]:
        return handling.recover(self.workspace)[1]

    def broken(self) -> list[str]:
        url = self.workspace.settings.database_url
        address = url.get_secret_value() if url else None
        return violations(read(self.workspace.settings.home, address))


@pytest.fixture(params=ENGINES)
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    home = tmp_path / "home"
    if request.param == "postgresql":
        with fresh_schema() as url:
            yield from made(
                Settings.model_validate({"home": home, "embedder": "none", "database_url": url}), monkeypatch
            )
    else:
        yield from made(Settings(home=home, embedder="none"), monkeypatch)


def made(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with Workspace(settings) as workspace:
        workspace.store.upsert([Incident.model_validate(row) for row in CHIMES])
        workspace.memory.catch_up()
        yield Bench(workspace, monkeypatch)


def test_an_open_gate_goes_through_and_an_interruption_goes_on_while_it_is_open(bench: Bench) -> None:
    bench.interrupted(after=1)
    assert bench.recover() == {}
    assert len(bench.changes()) > 1
    assert bench.workspace.inbox.waiting() == []
    assert bench.broken() == []


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupted_automatic_run_meets_a_closed_gate_and_stops_for_a_person(bench: Bench, after: int) -> None:
    bench.interrupted(after)
    bench.gate = QUIET
    assert bench.recover() == {}
    assert len(bench.changes()) == after
    (review,) = bench.workspace.inbox.waiting()
    assert (review.shown["gate"], review.shown["rules"]) == ("ask", ["quiet-hours"])
    held = [entry for entry in entries(bench.workspace.database) if entry.event == "held"]
    assert [entry.payload["because"] for entry in held] == [QUIET.reasons]
    deciding.decide(bench.workspace, review.review_id, reviewer="ada", verdict="approve")
    assert len(bench.changes()) == len(review.shown["actions"])
    assert bench.workspace.received.balance().unaccounted == []
    assert bench.broken() == []


def test_what_was_held_and_rejected_is_never_made(bench: Bench) -> None:
    bench.interrupted(after=0)
    bench.gate = QUIET
    bench.recover()
    deciding.decide(bench.workspace, "WB-9", reviewer="ada", verdict="reject", reason_code="other")
    assert bench.recover() == {}
    assert bench.changes() == []
    assert bench.broken() == []


def test_a_change_whose_answer_was_lost_is_found_made_when_the_rest_is_held(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = FileTracker.apply

    def lost(tracker: FileTracker, action: Action, key: str) -> Applied:
        apply(tracker, action, key)
        raise UnavailableError("The answer was lost.")

    with monkeypatch.context() as patched:
        patched.setattr(FileTracker, "apply", lost)
        assert bench.hand_in().account.state == "failed"
    assert len(bench.changes()) == 1
    bench.gate = QUIET
    assert bench.recover() == {}
    assert len(bench.changes()) == 1
    deciding.decide(bench.workspace, "WB-9", reviewer="ada", verdict="approve")
    assert bench.broken() == []


def test_an_automatic_run_waits_while_outside_effects_are_stopped_and_is_judged_again_after(bench: Bench) -> None:
    intervening.stop(bench.workspace, by="grace", reason="a test")
    assert bench.hand_in().account.state == "failed"
    assert list(bench.recover().values()) != []
    assert bench.changes() == []
    bench.gate = QUIET
    assert bench.recover() == {}  # nothing is written by asking
    (review,) = bench.workspace.inbox.waiting()
    with pytest.raises(StoppedError):
        deciding.decide(bench.workspace, review.review_id, reviewer="ada", verdict="approve")
    intervening.resume(bench.workspace, reviewer="grace", reason="safe again")
    assert bench.recover() == {}
    assert len(bench.changes()) == len(review.shown["actions"])
    assert bench.broken() == []


def test_recovery_re_routes_what_is_overdue(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[bool] = []
    monkeypatch.setattr(bench.workspace.inbox, "route_overdue", lambda: called.append(True))
    bench.recover()
    assert called == [True]
