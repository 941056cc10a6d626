"""An opened gate from end to end: what the team earned is written unseen, and no longer once it is lost."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qa_agents.checkpoint.policy import Policy
from qa_agents.checkpoint.schema import Decision
from qa_agents.incidents.schema import Incident, Report
from qa_agents.settings import Settings
from qa_agents.triage.gate.bound import CriticalBound
from qa_agents.triage.schema import Proposal, TriageState
from qa_agents.triage.steps import Steps
from qa_agents.wiring import Workspace

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"
OPEN = Policy.model_validate(
    {
        "gate": {
            "type": "live",
            "component": "shadow",
            "severity": "shadow",
            "priority": "shadow",
            "assignee": "shadow",
            "target": 0.7,
            "last": 40,
            "min_decisions": 10,
            "first_reports": 0,
            "actions": {"create": "live", "comment": "live"},
        }
    }
)
REPORT = Report(
    id="WKB-7001", summary="The kiosk list of studios is sorted by id", description="Sorted by id, not name."
)
SURE = Proposal(value="Bug", probability=0.99, kept=199, cases=200).model_dump(mode="json")
CALM = Proposal(value="Low").model_dump(mode="json")
BLANK = Proposal().model_dump(mode="json")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(Settings(home=tmp_path / "home", embedder="none")) as made:
        lines = (EXAMPLES / "incidents.jsonl").read_text("utf-8").splitlines()[:60]
        made.store.upsert([Incident.model_validate_json(line) for line in lines])
        made.__dict__["policy"] = OPEN
        yield made


def judged(workspace: Workspace, verdict: str, times: int, **given: Any) -> None:
    """People answer reviews of the same proposal."""
    for number in range(times):
        run_id = f"{verdict}-{number}"
        shown = {
            "actions": [{"kind": "set_field", "params": {"field": "type", "value": "Bug"}}],
            "proposed": [{"field": "type", "value": "Bug", "probability": 0.99}],
            "editable": ["type"],
        }
        with workspace.database.write() as connection:
            review = workspace.inbox.open(
                connection, run_id=run_id, interrupt_id="i", kind="triage", subject_id=run_id, shown=shown
            )
        answer = {
            "review_id": review.review_id,
            "verdict": verdict,
            "reviewer": "ada",
            "digest": review.digest,
            **given,
        }
        workspace.inbox.decide(Decision.model_validate(answer))


def calibrated(workspace: Workspace) -> None:
    """A bound under whose threshold every report without an alarming signal lies."""
    keeper = workspace.gatekeeper
    keeper.keep(
        CriticalBound(
            fingerprint=keeper.fingerprint(), critical=["Critical"], alpha=0.05, delta=0.05, n=100, r=2, proven=0.999
        )
    )


def at_the_gate(workspace: Workspace) -> tuple[Steps, TriageState, list[dict[str, Any]]]:
    """Triage up to the gate, with the type as the one thing proposed, and what was published there."""
    published: list[dict[str, Any]] = []

    def publish(_run_id: str, _document: bytes, **summary: Any) -> str:
        published.append(summary)
        return "0" * 64

    parts = replace(
        workspace.triage_parts,
        report_of=lambda _sha: REPORT,
        publish=publish,
        withhold=lambda *_: None,
        is_quiet=lambda: False,
    )
    steps = Steps(parts)
    state: TriageState = {
        "run_id": "run-1",
        "source": "test",
        "subject_id": REPORT.id,
        "input_sha256": "0" * 64,
        "options": {"remember": False},
    }
    for node in (steps.receive, steps.read, steps.retrieve):
        state = {**state, **node(state)}
    state["retrieval"] = {**state["retrieval"], "notes": []}  # words alone are enough here
    state["proposals"] = {"type": SURE, "component": BLANK, "priority": BLANK, "assignee": BLANK}
    state["severity"] = CALM
    state["relations"] = [{"incident_id": "WKB-1", "kind": "same-area"}]
    state["hypothesis"] = None
    return steps, state, published


def test_what_the_team_earned_goes_through_and_leaves_its_score(workspace: Workspace) -> None:
    judged(workspace, "approve", 12)
    calibrated(workspace)
    steps, state, published = at_the_gate(workspace)
    gated = steps.gate(state)
    assert gated["gate_decision"] == "auto"
    assert [action["kind"] for action in gated["actions"]] == ["create_issue", "set_field", "add_comment"]
    assert {"field": "type", "value": "Bug", "probability": 0.99} in gated["shown"]["proposed"]
    (summary,) = published
    assert 0 < summary["score"] < 0.999
    assert len(summary["scored_by"]) == 12


@pytest.mark.parametrize("missing", ["record", "bound"])
def test_without_a_record_or_a_bound_a_person_decides(workspace: Workspace, missing: str) -> None:
    if missing != "record":
        judged(workspace, "approve", 12)
    if missing != "bound":
        calibrated(workspace)
    steps, state, _ = at_the_gate(workspace)
    gated = steps.gate(state)
    assert gated["gate_decision"] == "ask"
    assert gated["shown"]["rules"] == [{"record": "demoted", "bound": "critical-bound"}[missing]]


def test_what_was_demoted_between_the_gate_and_the_write_is_held(workspace: Workspace) -> None:
    judged(workspace, "approve", 12)
    calibrated(workspace)
    steps, state, _ = at_the_gate(workspace)
    state = {**state, **steps.gate(state)}
    state["decision"] = None
    judged(workspace, "reject", 8, reason_code="wrong-cause")
    applied = steps.apply(state)
    assert applied["effects"]["status"] == "held"
    assert applied["shown"]["rules"] == ["demoted"]
    assert workspace.tracker.get(REPORT.id) is None
