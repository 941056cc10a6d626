"""The gatekeeper: what it reads from people's answers, and what it writes down when a field falls or reports change."""

from typing import Any

import pytest

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.checkpoint.schema import Decision
from qa_agents.errors import ConflictError
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.storage.engine import Database
from qa_agents.triage.gate.bound import CriticalBound
from qa_agents.triage.gate.gatekeeper import Gatekeeper, unfamiliar
from qa_agents.triage.gate.track_record import read_record
from qa_agents.triage.schema import Proposal, Signals
from qa_agents.triage.severity.rate import load_rubric

BOTH_ENGINES = True
POLICY = GatePolicy.model_validate(
    {"type": "live", "target": 0.85, "last": 40, "min_decisions": 10, "first_reports": 2}
)
REPORT = Report(id="WKB-1", summary="The kiosk shows the wrong studio", product="Kiosk", reporter="ada")
BOUND = CriticalBound(
    fingerprint="one",
    critical=["Critical"],
    alpha=0.05,
    delta=0.05,
    n=100,
    r=2,
    proven=0.4,
    reference=[i / 500 for i in range(300)],
    familiar=[0.3 + i / 1000 for i in range(300)],
)


class Desk:
    """A checkpoint that people answer at, without the graph around it."""

    def __init__(self, db: Database, policy: GatePolicy = POLICY) -> None:
        self.db, self.ledger, self.fingerprint, self.count = db, Ledger(), "one", 0
        self.inbox = Inbox(db, self.ledger)
        self.keeper = Gatekeeper(db, self.ledger, policy, load_rubric(), fingerprint=lambda: self.fingerprint)

    def answer(self, verdict: str, times: int = 1, probability: float | None = 0.99, **given: Any) -> None:
        for _ in range(times):
            self.count += 1
            shown = {
                "actions": [{"kind": "set_field", "params": {"field": "type", "value": "Bug"}}],
                "proposed": [{"field": "type", "value": "Bug", "probability": probability}],
                "editable": ["type", "component"],
                "filer": "other",
            }
            with self.db.write() as connection:
                review = self.inbox.open(
                    connection,
                    run_id=f"run-{self.count}",
                    interrupt_id="i",
                    kind="triage",
                    subject_id=f"S-{self.count}",
                    shown=shown,
                )
            self.inbox.decide(
                Decision.model_validate(
                    {
                        "review_id": review.review_id,
                        "verdict": verdict,
                        "reviewer": "ada",
                        "digest": review.digest,
                        **given,
                    }
                )
            )

    def score(self, *scores: float, sha: str) -> None:
        with self.db.write() as connection:
            for score in scores:
                self.count += 1
                self.ledger.append(connection, "triaged", f"S-{self.count}", score=score, scored_by=sha[:12])

    def watch(self, report: Report = REPORT, dense: float = 0.6) -> Any:
        near = [(Candidate(incident_id="A", score=1, dense=dense), Incident(id="A", summary="x", severity="Low"))]
        proposals = {"type": Proposal(value="Bug", probability=0.99), "severity": Proposal(value="Low")}
        return self.keeper.watch(report, Signals(), proposals, [], near)

    def events(self) -> list[str]:
        return [entry.event for entry in entries(self.db) if entry.event.startswith(("field_", "gate_"))]


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def test_what_people_kept_is_counted_per_field_and_band(desk: Desk) -> None:
    desk.answer("approve", 3)
    desk.answer("edit", edits={"type": "Task"}, reason_code="wrong-cause")
    desk.answer("edit", edits={"component": "Kiosk"}, reason_code="other")
    desk.answer("reject", reason_code="wrong-evidence")
    desk.answer("approve", probability=0.91)
    desk.answer("ask_reporter", questions=["Which kiosk?"])
    found = {one.band: (one.kept, one.n) for one in desk.keeper.standings()}
    assert found == {"0.98–1.00": (4, 6), "0.90–0.95": (1, 1)}


def test_a_field_acts_falls_and_returns_with_an_entry_each_time(desk: Desk) -> None:
    assert not desk.watch().standings["type"].holds
    assert desk.events() == ["field_demoted"]
    desk.answer("approve", 30)
    assert desk.watch().standings["type"].holds
    desk.watch()
    assert desk.events() == ["field_demoted", "field_acts"]
    desk.answer("reject", 5, reason_code="wrong-evidence")
    assert not desk.watch().standings["type"].holds
    desk.answer("approve", 40)
    assert desk.watch().standings["type"].holds
    assert desk.events() == ["field_demoted", "field_acts", "field_demoted", "field_acts"]
    fallen = [entry for entry in entries(desk.db, "type") if entry.event == "field_demoted"][-1]
    assert (fallen.payload["kept"], fallen.payload["n"], fallen.payload["target"]) == (30, 35, 0.85)


def test_while_nothing_is_live_nothing_is_read_or_written(desk: Desk, db: Database) -> None:
    closed = Desk(db, GatePolicy())
    assert closed.watch().standings == {}
    assert closed.events() == []


def test_a_blind_second_look_counts_against_a_kept_value(desk: Desk) -> None:
    from sqlalchemy import insert

    from qa_agents.storage.tables import decisions

    desk.answer("approve")
    with desk.db.write() as connection:
        review = desk.inbox.find("S-1")
        body = {"verdict": "edit", "edits": {"type": "Task"}, "digest": review.digest}
        connection.execute(
            insert(decisions).values(review_id=review.review_id, reviewer="linus", purpose="second", body=body, at=9e9)
        )
    assert [one.kept for one in read_record(desk.db)] == [False]


def test_without_a_calibration_nothing_is_proven_and_nothing_scored(desk: Desk) -> None:
    watch = desk.watch()
    assert "gate calibrate" in watch.unproven
    assert watch.score is None
    assert desk.keeper.summary(watch) == {}


def test_a_bound_holds_until_what_makes_the_score_changes(desk: Desk) -> None:
    sha = desk.keeper.keep(BOUND)
    watch = desk.watch()
    assert (watch.unproven, watch.threshold) == ("", 0.4)
    assert 0 < watch.score < 0.4
    assert desk.keeper.summary(watch)["scored_by"] == sha[:12]
    desk.fingerprint = "two"
    assert "has changed since" in desk.watch().unproven
    assert desk.events()[0] == "gate_calibrated"


def test_reports_unlike_the_calibrations_set_off_an_alarm_that_a_person_lifts(desk: Desk) -> None:
    sha = desk.keeper.keep(BOUND)
    with pytest.raises(ConflictError, match="no alarm"):
        desk.keeper.acknowledge(by="ada", reason="none")
    desk.score(*[0.9 + i / 1000 for i in range(60)], sha=sha)
    assert "differ from those" in desk.watch().unproven
    assert "differ from those" in Desk(desk.db).watch().unproven
    assert desk.events().count("gate_alarm") == 1
    desk.keeper.acknowledge(by="ada", reason="A new product was released")
    assert desk.watch().unproven == ""
    assert Desk(desk.db).watch().unproven == ""
    assert desk.events()[-1] == "gate_acknowledged"


def test_scores_of_another_calibration_and_of_one_report_again_are_not_counted(desk: Desk) -> None:
    sha = desk.keeper.keep(BOUND)
    desk.score(0.9, 0.9, sha="another calibration")
    desk.score(0.2, sha=sha)
    desk.count -= 1
    desk.score(0.2, sha=sha)
    state = desk.keeper.bound_state()
    assert state.watched is not None
    assert state.watched.seen == 1


def test_a_report_far_from_everything_is_unfamiliar(desk: Desk) -> None:
    desk.keeper.keep(BOUND)
    assert desk.watch(dense=0.5).unfamiliar == ""
    assert "farther away (0.05) than that of all but 0 of 300" in desk.watch(dense=0.05).unfamiliar
    assert unfamiliar(0.0, []) == ""
    assert unfamiliar(0.0, [0.5] * 98) == ""


def test_a_product_is_counted_only_as_far_as_needed(desk: Desk) -> None:
    from qa_agents.incidents.store import IncidentStore

    store = IncidentStore(desk.db)
    assert desk.watch().product_size == 0
    store.upsert([Incident(id=f"K-{n}", summary="x", product="Kiosk") for n in range(5)])
    assert desk.watch().product_size == 2
    assert desk.watch(REPORT.model_copy(update={"product": None})).product_size is None


def alone(desk: Desk, run_id: str) -> None:
    """A run that wrote a type without a person, with the verdict it published."""
    import json

    from sqlalchemy import insert

    from qa_agents.storage.artifacts import put_artifact
    from qa_agents.storage.tables import runs

    action = {"kind": "set_field", "target": run_id, "params": {"field": "type", "value": "Bug"}}
    verdict = {
        "actions": [action],
        "proposals": {"type": {"value": "Bug", "probability": 0.99}},
        "provenance": {"filer": "other", "run_id": run_id},
    }
    with desk.db.write() as connection:
        sha = put_artifact(connection, json.dumps(verdict).encode())
        connection.execute(
            insert(runs).values(
                run_id=run_id,
                kind="triage",
                source="test",
                subject_id=run_id,
                input_sha256="0" * 64,
                outcome_sha256=sha,
                state="done",
                options={},
                started_at=1.0,
            )
        )


@pytest.mark.parametrize(("finding", "kept"), [("confirm", True), ("wrong", False)])
def test_what_went_through_alone_counts_once_it_was_audited(desk: Desk, finding: str, kept: bool) -> None:
    from sqlalchemy import insert

    from qa_agents.storage.tables import decisions

    alone(desk, "auto-1")
    assert read_record(desk.db) == []
    with desk.db.write() as connection:
        connection.execute(
            insert(decisions).values(
                review_id="auto-1", reviewer="grace", purpose="audit", body={"verdict": finding}, at=2.0
            )
        )
    (judged,) = read_record(desk.db)
    assert (judged.field, judged.band, judged.kept) == ("type", "0.98–1.00", kept)


@pytest.mark.parametrize(("value", "counted"), [("Bug", 1), ("Task", 0)])
def test_what_a_person_took_back_afterwards_was_not_kept(desk: Desk, value: str, counted: int) -> None:
    """A value that was a person's own edit says nothing of the proposal when it is taken back."""
    from sqlalchemy import insert

    from qa_agents.storage.tables import actions

    alone(desk, "auto-1")
    body = {"kind": "set_field", "target": "auto-1", "params": {"field": "type", "value": value}}
    with desk.db.write() as connection:
        connection.execute(
            insert(actions).values(
                key="k", run_id="auto-1", target="auto-1", position=0, body=body, state="undone", planned_at=1.0
            )
        )
    assert [judged.kept for judged in read_record(desk.db)] == [False] * counted
