"""Draws, canaries, second looks, audits and the reviewers' record, on a real database."""

import ast
import inspect
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import insert, select

from qa_agents.checkpoint.audits import Audits, band_of
from qa_agents.checkpoint.canaries import Canaries, Case, caught
from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger, entries
from qa_agents.checkpoint.oversight import SecondLooks, answers, drawn, secret_seed
from qa_agents.checkpoint.policy import Policy, Rule
from qa_agents.checkpoint.rates import wilson
from qa_agents.checkpoint.reviewers import stats
from qa_agents.checkpoint.schema import Decision, Review
from qa_agents.errors import ConflictError, NotFoundError, UsageError
from qa_agents.storage.artifacts import put_artifact
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions, decisions, incidents, reports, runs

PACKAGE = Path(__file__).resolve().parents[3] / "qa_agents"
CASE = Case.model_validate(
    {
        "report": {"id": "PAY-77", "summary": "Refund is booked twice"},
        "wrong": {"component": "Calendar"},
        "expect": ["edit", "reject"],
        "why": "Refunds are not the calendar's.",
    }
)


def shown_for(component: str = "Payments", **more: Any) -> dict[str, Any]:
    action = {"kind": "set_field", "target": "PAY-1", "params": {"field": "component", "value": component}}
    return {"summary": "It crashes", "gate": "ask", "actions": [action], "editable": ["component", "severity"], **more}


class Bench:
    """An inbox, what watches over it, and a clock that the test moves."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, 1_000.0
        self.ledger = Ledger(now=self.now)
        self.inbox = Inbox(db, self.ledger, now=self.now)
        self.canaries = Canaries(db, self.inbox, self.ledger, now=self.now)
        self.seconds = SecondLooks(db, self.ledger, 1.0, now=self.now)
        self.audits = Audits(db, self.ledger, now=self.now)
        self.opened = 0

    def now(self) -> float:
        return self.clock

    def open(self, **shown: Any) -> Review:
        self.opened += 1
        with self.db.write() as connection:
            return self.inbox.open(
                connection,
                run_id=f"triage-{self.opened:012d}",
                interrupt_id=f"{self.opened:032x}",
                kind="triage",
                subject_id=f"PAY-{self.opened}",
                shown=shown_for(**shown),
            )

    def answer(self, review: Review, verdict: str = "approve", by: str = "ada", **more: Any) -> Decision:
        if verdict in ("edit", "reject"):
            more.setdefault("reason_code", "wrong-cause")
        if verdict == "edit":
            more.setdefault("edits", {"component": "Billing"})
        return Decision.model_validate(
            {"review_id": review.review_id, "verdict": verdict, "reviewer": by, "digest": review.digest, **more}
        )

    def decided(self, verdict: str = "approve", by: str = "ada", **more: Any) -> Review:
        review = self.open()
        return self.inbox.decide(self.answer(review, verdict, by, **more))

    def canary(self, case: Case = CASE) -> Review:
        self.canaries.add([case])
        review = self.canaries.open(
            case, beside="rv-1", report=b"{}", document=b"{}", shown=shown_for(str(case.wrong.get("component")))
        )
        assert review is not None
        return review

    def applied(self, number: int, probability: float | None) -> str:
        """A run that wrote without asking, as the runtime records it."""
        run_id = f"triage-auto{number:08d}"
        proposal = {"value": "Payments", "probability": probability}
        document = json.dumps({"summary": f"Report {number}", "proposals": {"component": proposal}, "number": number})
        with self.db.write() as connection:
            sha = put_artifact(connection, document.encode())
            values = {
                "run_id": run_id,
                "kind": "triage",
                "source": "cli",
                "subject_id": f"AUTO-{number}",
                "options": {},
            }
            times = {"started_at": self.clock, "finished_at": self.clock}
            connection.execute(
                insert(runs).values(**values, **times, input_sha256=sha, outcome_sha256=sha, state="done")
            )
            self.ledger.append(connection, "recorded", f"AUTO-{number}", run_id=run_id, state="decided", verdict="auto")
        return run_id


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


# The draw


@settings(deadline=None, max_examples=20)
@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.sampled_from([0.02, 0.05, 0.5]))
def test_a_draw_hits_its_rate_and_depends_on_nothing_but_the_name(seed: str, rate: float) -> None:
    names = [f"rv-{number:08x}" for number in range(10_000)]
    hits = {name for name in names if drawn(seed, "canary", name, rate)}
    spread = (10_000 * rate * (1 - rate)) ** 0.5
    assert abs(len(hits) - 10_000 * rate) < 6 * spread
    random.Random(1).shuffle(names)
    assert hits == {name for name in names if drawn(seed, "canary", name, rate)}
    assert hits <= {name for name in names if drawn(seed, "canary", name, rate * 1.5)}


def test_a_draw_is_never_made_at_rate_zero_and_always_at_one() -> None:
    assert not any(drawn("s", "second", str(number), 0.0) for number in range(1000))
    assert all(drawn("s", "second", str(number), 1.0) for number in range(1000))


def test_draws_for_different_purposes_are_independent() -> None:
    names = [str(number) for number in range(10_000)]
    both = sum(drawn("s", "canary", name, 0.1) and drawn("s", "second", name, 0.1) for name in names)
    assert 50 < both < 150


def test_the_seed_is_made_once_and_differs_between_workspaces(db: Database, tmp_path: Path) -> None:
    from qa_agents.storage.engine import open_database

    other = open_database(tmp_path / "other" / "qa-agents.db")
    assert secret_seed(db) == secret_seed(db) != secret_seed(other)
    other.close()


# Canaries


def test_a_canary_waits_among_the_others_and_has_their_shape(bench: Bench) -> None:
    real = bench.inbox.find(bench.open().review_id)
    bench.clock += 1
    canary = bench.canary()
    assert [review.review_id for review in bench.inbox.waiting()] == [real.review_id, canary.review_id]
    assert canary.kind == real.kind
    assert canary.model_fields_set == real.model_fields_set
    for name in ("review_id", "run_id", "interrupt_id", "digest"):
        assert len(getattr(canary, name)) == len(getattr(real, name))
    assert "canary" not in canary.model_dump_json().lower()
    assert "seeded" not in canary.model_dump_json().lower()
    assert bench.canaries.holds(canary.review_id)
    assert not bench.canaries.holds(real.review_id)


@pytest.mark.parametrize(
    ("verdict", "more", "noticed"),
    [
        ("approve", {}, False),
        ("reject", {}, True),
        ("edit", {"edits": {"component": "Payments"}}, True),
        ("edit", {"edits": {"severity": "High"}}, False),
        ("edit", {"edits": {"component": "Calendar"}}, False),
        ("ask_reporter", {}, False),
    ],
)
def test_a_canary_is_caught_when_nothing_wrong_would_have_been_written(
    bench: Bench, verdict: str, more: dict[str, Any], noticed: bool
) -> None:
    outcome = bench.canaries.decide(bench.answer(bench.canary(), verdict, **more))
    assert outcome is not None
    assert outcome.caught is noticed
    assert "This was a canary" in str(outcome)
    assert "component = Calendar: Refunds are not the calendar's." in str(outcome)


def test_a_canary_touches_no_report_no_action_and_no_memory(bench: Bench) -> None:
    bench.canaries.decide(bench.answer(bench.canary(), "approve"))
    with bench.db.read() as connection:
        for table in (reports, actions, incidents):
            assert connection.execute(select(table)).first() is None
        assert connection.execute(select(runs.c.state)).scalar() == "done"


def test_a_deferred_canary_goes_on_waiting_and_tells_nothing(bench: Bench) -> None:
    canary = bench.canary()
    assert bench.canaries.decide(bench.answer(canary, "defer", until="2099-01-01T00:00:00+00:00")) is None
    assert bench.canaries.report_state(canary.run_id) == "waiting"
    assert bench.canaries.decide(bench.answer(canary, "reject")) is not None
    assert bench.canaries.report_state(canary.run_id) == "decided"


def test_closing_a_canary_again_after_a_crash_records_it_once(bench: Bench) -> None:
    decided = bench.inbox.decide(bench.answer(bench.canary(), "reject"))  # and the process died here
    first, again = bench.canaries.settle(decided), bench.canaries.settle(decided)
    assert first == again
    assert [entry.event for entry in entries(bench.db)].count("canary_decided") == 1


def test_a_canary_is_drawn_once_per_review_and_used_once(bench: Bench) -> None:
    other = CASE.model_copy(update={"report": {"id": "PAY-78", "summary": "Other"}})
    assert bench.canaries.add([CASE, other]) == 2
    assert bench.canaries.add([CASE]) == 0
    first = bench.canaries.due("rv-1", 1.0)
    assert first is not None
    assert bench.canaries.due("rv-1", 1.0) == first
    bench.canaries.open(first, beside="rv-1", report=b"{}", document=b"{}", shown=shown_for())
    assert bench.canaries.due("rv-1", 1.0) is None
    second = bench.canaries.due("rv-2", 1.0)
    assert second is not None
    assert second != first
    bench.canaries.open(second, beside="rv-2", report=b"{}", document=b"{}", shown=shown_for())
    assert bench.canaries.due("rv-3", 1.0) is None
    assert bench.canaries.due("rv-4", 0.0) is None


def test_opening_a_canary_twice_opens_one_review(bench: Bench) -> None:
    assert bench.canary().review_id == bench.canary().review_id
    assert len(bench.inbox.waiting()) == 1


def test_a_canary_never_stands_in_the_way_of_a_real_report(bench: Bench) -> None:
    bench.open()
    taken = CASE.model_copy(update={"report": {"id": "PAY-1", "summary": "The same id"}})
    bench.canaries.add([taken])
    assert bench.canaries.due("rv-1", 1.0) is None
    assert bench.canaries.open(taken, beside="x", report=b"{}", document=b"{}", shown=shown_for()) is None
    assert len(bench.inbox.waiting()) == 1


def test_the_overview_does_not_tell_which_review_is_a_canary(bench: Bench) -> None:
    canary = bench.canary()
    assert canary.review_id not in bench.canaries.overview().model_dump_json()
    assert bench.canaries.overview().waiting == 1
    bench.canaries.decide(bench.answer(canary, "reject"))
    overview = bench.canaries.overview()
    assert (overview.waiting, overview.unused, [outcome.caught for outcome in overview.decided]) == (0, 0, [True])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"expect": []}, "at least 1"),
        ({"expect": ["approve"]}, "edit"),
        ({"wrong": {}}, "at least 1"),
        ({"wrong": {"relation": "WKB-1"}}, "relation"),
        ({"wrong": {"component": {"incident_id": "WKB-1", "kind": "already-fixed"}}}, "relation"),
        ({"wrong": {"relation": {"incident_id": "WKB-1", "kind": "already-fixed"}}}, "expect reject"),
        ({"report": {"summary": "no id"}}, "needs an id"),
        ({"why": ""}, "at least 1"),
        ({"shell": "rm"}, "Extra inputs"),
    ],
)
def test_a_case_that_makes_no_sense_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Case.model_validate({**CASE.model_dump(mode="json"), **change})


@given(st.sampled_from(["approve", "edit", "reject", "ask_reporter", "defer"]), st.dictionaries(st.text(), st.text()))
def test_only_an_expected_answer_catches(verdict: str, edits: dict[str, str]) -> None:
    seeded = CASE.model_dump(mode="json")
    if caught(seeded, verdict, edits):
        assert verdict in CASE.expect
        assert verdict != "edit" or edits["component"] != "Calendar"


# Second looks


def test_a_second_look_is_offered_to_somebody_else_and_shows_no_decision(bench: Bench) -> None:
    review = bench.decided("reject", note="SECRET-NOTE")
    assert bench.seconds.offered("Ada ") == []
    (blind,) = bench.seconds.offered("bob")
    assert blind.review_id == review.review_id
    assert not [word for word in ("reject", "SECRET-NOTE", "wrong-cause", "ada") if word in blind.model_dump_json()]


def test_what_waits_and_what_is_a_canary_is_not_offered(bench: Bench) -> None:
    bench.open()
    bench.canaries.decide(bench.answer(bench.canary(), "reject"))
    assert bench.seconds.offered("bob") == []


def test_a_second_answer_changes_nothing_but_is_kept(bench: Bench) -> None:
    review = bench.decided("approve")
    bench.seconds.decide(bench.answer(review, "reject", "bob"))
    again = bench.inbox.find(review.review_id)
    assert again.decision is not None
    assert again.decision.verdict == "approve"
    assert bench.seconds.offered("cyd") == []
    (found,) = bench.seconds.disagreements()
    assert (found.first.reviewer, found.first.verdict) == ("ada", "approve")
    assert (found.second.reviewer, found.second.verdict) == ("bob", "reject")


def test_one_second_answer_is_enough_and_nobody_gives_it_on_their_own(bench: Bench) -> None:
    review = bench.decided("approve")
    with pytest.raises(NotFoundError, match="not offered to ADA"):
        bench.seconds.decide(bench.answer(review, "reject", "ADA"))
    bench.seconds.decide(bench.answer(review, "approve", "bob"))
    with pytest.raises(NotFoundError, match="not offered"):
        bench.seconds.decide(bench.answer(review, "approve", "cyd"))


@pytest.mark.parametrize(
    ("verdict", "more", "error"),
    [
        ("defer", {"until": "2099-01-01T00:00:00+00:00"}, UsageError),
        ("edit", {"edits": {"status": "Closed"}}, UsageError),
        ("approve", {"digest": "0" * 64}, ConflictError),
    ],
)
def test_a_second_answer_must_fit_what_was_shown(
    bench: Bench, verdict: str, more: dict[str, Any], error: type[Exception]
) -> None:
    review = bench.decided("approve")
    with pytest.raises(error):
        bench.seconds.decide(bench.answer(review, verdict, "bob", **more))
    assert len(bench.seconds.offered("bob")) == 1


def test_the_same_edit_agrees_and_another_value_does_not(bench: Bench) -> None:
    same, other = bench.decided("edit"), bench.decided("edit")
    bench.seconds.decide(bench.answer(same, "edit", "bob"))
    bench.seconds.decide(bench.answer(other, "edit", "bob", edits={"component": "Web App"}))
    assert [found.first.review_id for found in bench.seconds.disagreements()] == [other.review_id]


def test_only_the_sampled_share_is_offered_whatever_the_order(bench: Bench) -> None:
    decided = [bench.decided().review_id for _ in range(60)]
    half = SecondLooks(bench.db, bench.ledger, 0.5)
    offered = [blind.review_id for blind in half.offered("bob")]
    seed = secret_seed(bench.db)
    assert offered == [review_id for review_id in decided if drawn(seed, "second", review_id, 0.5)]
    assert 10 < len(offered) < 50
    assert SecondLooks(bench.db, bench.ledger, 0.0).offered("bob") == []


# The reviewers' record


def test_the_record_counts_decisions_apart_from_canaries_and_second_looks(bench: Bench) -> None:
    for verdict in ("approve", "approve", "edit", "reject", "ask_reporter"):
        bench.decided(verdict)
    bench.canaries.decide(bench.answer(bench.canary(), "approve"))
    bench.seconds.decide(bench.answer(bench.decided("approve", "bob"), "reject", "ada"))
    ada = next(record for record in stats(bench.db).reviewers if record.name == "ada")
    assert ada.decisions == 5
    assert {verdict: rate.events for verdict, rate in ada.verdicts.items()} == {
        "approve": 2,
        "edit": 1,
        "reject": 1,
        "ask_reporter": 1,
    }
    assert ada.override == wilson(2, 5)
    assert ada.canaries == wilson(0, 1)
    assert ada.reasons == {"wrong-cause": 2}
    assert ada.second_looks.n == 0


def test_who_approves_nearly_everything_is_pointed_out_only_with_enough_decisions(bench: Bench) -> None:
    for _ in range(49):
        bench.decided("approve")
    assert stats(bench.db).reviewers[0].warnings == []
    bench.decided("reject")
    assert "below 3%" in stats(bench.db).reviewers[0].warnings[0]
    bench.decided("edit")
    assert stats(bench.db).reviewers[0].warnings == []


def test_disagreement_beyond_chance_raises_an_alarm(bench: Bench) -> None:
    for number in range(12):
        first, second = ("approve", "reject") if number % 2 else ("reject", "approve")
        bench.seconds.decide(bench.answer(bench.decided(first), second, "bob"))
    record = next(record for record in stats(bench.db).reviewers if record.name == "ada")
    assert record.second_looks.kappa == pytest.approx(-1)
    assert any("kappa -1.00 on 12" in warning for warning in record.warnings)


def test_the_time_to_decide_is_the_median_from_opening(bench: Bench) -> None:
    for seconds in (10, 20, 90):
        review = bench.open()
        bench.clock += seconds
        bench.inbox.decide(bench.answer(review))
    assert stats(bench.db).everyone.median_seconds == 20


def test_a_proposed_value_is_kept_unless_it_was_edited_or_rejected(bench: Bench) -> None:
    bench.decided("approve")
    bench.decided("edit", edits={"severity": "High"})
    bench.decided("edit", edits={"component": "Payments"})
    bench.decided("edit", edits={"component": "Billing"})
    bench.decided("reject")
    bench.decided("ask_reporter")
    assert stats(bench.db).kept == {"component": wilson(3, 5)}


def test_a_deferral_is_no_decision(bench: Bench) -> None:
    review = bench.open()
    bench.inbox.decide(bench.answer(review, "defer", until="2099-01-01T00:00:00+00:00"))
    assert answers(bench.db) == []
    bench.inbox.decide(bench.answer(review))
    assert [answer.verdict for answer in answers(bench.db)] == ["approve"]


def test_reviews_decided_before_single_answers_were_kept_count_too(bench: Bench) -> None:
    bench.decided("reject")
    with bench.db.write() as connection:
        connection.execute(decisions.delete())
    assert [(answer.reviewer, answer.verdict) for answer in answers(bench.db)] == [("ada", "reject")]


def test_the_record_can_be_narrowed_to_a_person_and_a_time(bench: Bench) -> None:
    bench.decided("approve", "ada")
    bench.clock = 5_000
    bench.decided("reject", "bob")
    bench.decided("reject", "ada")
    assert [record.name for record in stats(bench.db, reviewer="ADA").reviewers] == ["ada"]
    assert stats(bench.db, reviewer="ada", since=2_000).everyone.decisions == 1
    assert stats(bench.db, since=9_000).reviewers == []


def test_every_vote_of_a_quorum_counts_for_its_voter(db: Database) -> None:
    listed = {name: {"roles": ["lead"], "login": name} for name in ("ada", "bob")}
    four_eyes = Rule(name="four eyes", roles=["lead"], approvals=2, proposer_may_approve=True)
    bench = Bench(db)
    bench.inbox = Inbox(
        db, bench.ledger, now=bench.now, policy=Policy.model_validate({"reviewers": listed, "rule": [four_eyes]})
    )
    from qa_agents.checkpoint.policy import Reviewer

    review = bench.open()
    for name in ("ada", "bob"):
        bench.inbox.decide(bench.answer(review, "approve", name), Reviewer(name=name, roles=("lead",), auth="os-login"))
    assert bench.inbox.find(review.review_id).state == "decided"
    assert {record.name: record.decisions for record in stats(db).reviewers} == {"ada": 1, "bob": 1}
    assert bench.seconds.offered("ada") == bench.seconds.offered("bob") == []
    assert len(bench.seconds.offered("cyd")) == 1


# Audits


def test_nothing_wrong_in_the_audit_is_still_a_bound(bench: Bench) -> None:
    for number in range(120):
        bench.applied(number, 0.97)
    for item in bench.audits.sample():
        bench.audits.record(item.run_id, "confirm", auditor="ada")
    assert str(bench.audits.bounds()[0]) == "0 wrong of 120: at most 2.5 % (95 %)"


def test_the_sample_meets_every_band_and_keeps_its_proportions(bench: Bench) -> None:
    for number in range(200):
        bench.applied(number, 0.99 if number % 4 else 0.91)
    bench.applied(999, None)
    first = bench.audits.applied()[:41]
    assert {item.band for item in first[:3]} == {"0.98–1.00", "0.90–0.95", "none"}
    assert sum(item.band == "0.90–0.95" for item in first) in (9, 10, 11)
    assert [item.run_id for item in first] == [item.run_id for item in Audits(bench.db, bench.ledger).applied()[:41]]


def test_what_a_person_decided_is_not_audited_as_automatic(bench: Bench) -> None:
    bench.decided()
    bench.canaries.decide(bench.answer(bench.canary()))
    assert bench.audits.applied() == []


def test_an_item_is_audited_once_and_only_from_the_sample(bench: Bench) -> None:
    for number in range(10):
        bench.applied(number, 0.99)
    tenth = Audits(bench.db, bench.ledger, rate=0.1)
    (item,) = tenth.sample()
    with pytest.raises(NotFoundError, match="not in the sample"):
        tenth.record(bench.audits.applied()[5].run_id, "confirm", auditor="ada")
    assert tenth.record(item.report_id, "wrong", auditor="ada", note="wrong team").finding == "wrong"
    with pytest.raises(ConflictError, match="already audited: wrong by ada"):
        tenth.record(item.run_id, "confirm", auditor="bob")
    everything = tenth.bounds()[0]
    assert (everything.applied, everything.audited, everything.wrong) == (10, 1, 1)
    assert everything.at_most == 1.0


@pytest.mark.parametrize(
    ("probability", "band"),
    [
        (None, "none"),
        (0.0, "0.00–0.90"),
        (0.9, "0.90–0.95"),
        (0.95, "0.95–0.98"),
        (0.98, "0.98–1.00"),
        (1.0, "0.98–1.00"),
    ],
)
def test_every_probability_has_a_band(probability: float | None, band: str) -> None:
    assert band_of(probability) == band


def test_what_oversight_does_is_in_the_ledger(bench: Bench) -> None:
    bench.seconds.decide(bench.answer(bench.decided(), "approve", "bob"))
    bench.canaries.decide(bench.answer(bench.canary(), "reject"))
    bench.applied(1, 0.99)
    bench.audits.record("AUTO-1", "confirm", auditor="cyd")
    events = [(entry.event, entry.actor) for entry in entries(bench.db)]
    for expected in (("second_look", "bob"), ("canary_decided", "ada"), ("audited", "cyd")):
        assert expected in events


# No bulk approval


def test_an_answer_names_exactly_one_review(capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from qa_agents.cli import review

    group: Any = typer.main.get_command(review.app)
    for name in ("approve", "edit", "reject", "ask", "defer"):
        arguments = [p for p in group.commands[name].params if p.param_type_name == "argument"]
        assert [(argument.name, argument.nargs) for argument in arguments] == [("name", 1)], name
        options = {option for p in group.commands[name].params for option in p.opts}
        assert not options & {"--all", "--batch", "--every"}, name


def test_no_code_decides_several_reviews_at_once() -> None:
    loops = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.AsyncFor)
    for path in sorted(PACKAGE.rglob("*.py")):
        for loop in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, loops)):
            for call in (node for node in ast.walk(loop) if isinstance(node, ast.Call)):
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                assert name not in ("decide", "_decide"), f"{path}:{call.lineno}: one answer, one review"


def test_the_inbox_takes_one_decision_about_one_review() -> None:
    (_, decision, *_rest) = inspect.signature(Inbox.decide).parameters.values()
    assert decision.annotation in (Decision, "Decision")
    assert Decision.model_fields["review_id"].annotation is str
