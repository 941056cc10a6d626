"""Work that a person gives up ends between two steps, is on the account, and is finished by `recover`."""

from pathlib import Path

import pytest

from qa_agents.incidents.intake import read_report
from qa_agents.operations.handling import handle, recover
from qa_agents.runtime.drain import Drain, drained_by, draining
from qa_agents.settings import load_settings
from qa_agents.wiring import Workspace

REPORT = Path(__file__).resolve().parents[3] / "examples" / "reports" / "05-vague.json"


def test_a_run_that_is_given_up_is_finished_later_and_holds_no_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    drain = Drain()
    drain.request()
    with Workspace(load_settings(tmp_path / "home")) as workspace:
        (received,) = read_report(REPORT, 1_000_000)
        with drained_by(drain):
            handled = handle(workspace, received, options={"k": 20, "remember": True})
        assert handled.triage is None
        assert handled.unavailable
        assert "given up" in (handled.account.error or "")
        assert workspace.received.unfinished(max_attempts=1) == [handled.account.run_id]
        done, failed = recover(workspace)
        assert (done, failed) == ([handled.account.run_id], {})
        assert workspace.received.balance().unaccounted == []


def test_without_somebody_who_may_give_up_nothing_is_changed() -> None:
    assert draining() == {}


def test_every_run_of_the_work_is_stopped_those_that_begin_later_too() -> None:
    drain = Drain()
    with drained_by(drain):
        first = draining()["control"]
        assert not first.drain_requested
        drain.request()
        assert first.drain_requested
        assert draining()["control"].drain_requested
    assert draining() == {}
