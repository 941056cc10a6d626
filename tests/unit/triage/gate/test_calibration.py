"""Calibrating the bound: what is chosen, what is left out, and what the result says."""

from datetime import UTC, datetime, timedelta

import pytest

from qa_agents.checkpoint.gate_policy import Costs
from qa_agents.incidents.schema import Incident
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned
from qa_agents.triage.following import WINDOW
from qa_agents.triage.gate.calibration import Chosen, Scored, base_rate, calibrate_bound, choose, score_fingerprint
from qa_agents.triage.severity.rate import load_rubric

START = datetime(2026, 1, 1, tzinfo=UTC)


def incident(number: int, severity: str | None = "Low", **fields: object) -> Incident:
    created = START + timedelta(days=number)
    return Incident.model_validate(
        {"id": f"WKB-{number}", "summary": "x", "severity": severity, "created": created, **fields}
    )


def no_cluster(one: Incident) -> str:
    return one.id


def test_the_newest_are_chosen_in_the_order_of_filing() -> None:
    known = [incident(n, "Critical" if n % 2 else "Low") for n in range(20)]
    chosen = choose(known[::-1], ["critical"], no_cluster, reference=4, most=3)
    assert [one.id for one in chosen.critical] == ["WKB-15", "WKB-17", "WKB-19"]
    assert [one.id for one in chosen.reference] == ["WKB-16", "WKB-17", "WKB-18", "WKB-19"]
    assert base_rate(chosen, ["Critical"]) == 0.5
    assert base_rate(Chosen([], []), ["Critical"]) == 0.0


def test_of_a_duplicate_cluster_only_the_first_counts() -> None:
    known = [incident(n, "Critical") for n in range(6)]
    chosen = choose(known, ["Critical"], lambda one: "cluster" if one.id in ("WKB-1", "WKB-4") else one.id)
    assert [one.id for one in chosen.critical] == ["WKB-0", "WKB-1", "WKB-2", "WKB-3", "WKB-5"]


def test_what_is_not_rated_not_dated_or_was_labelled_at_our_checkpoint_is_left_out() -> None:
    known = [
        incident(1, None),
        incident(2, "Critical", created=None),
        incident(3, "Critical", labelled_by="ada"),
        incident(4, None, priority="Critical"),
    ]
    chosen = choose(known, ["Critical"], no_cluster)
    assert [one.id for one in chosen.critical] == ["WKB-4"]
    assert [one.id for one in chosen.reference] == ["WKB-4"]


def scored(one: Incident) -> Scored:
    number = int(one.id.partition("-")[2])
    return Scored(score=number / 1000 + (0.5 if one.severity == "Critical" else 0.0), near=number / 1000)


def test_the_result_says_what_it_rests_on_and_what_it_costs() -> None:
    known = [incident(n, "Critical" if n % 4 == 0 else "Low", reporter=f"person {n % 7}") for n in range(400)]
    chosen = choose(known, ["Critical"], no_cluster)
    bound = calibrate_bound(chosen, scored, ["Critical"], alpha=0.05, delta=0.05, fingerprint="f", at=1.0, by="ada")
    assert (bound.n, bound.r, bound.proven) == (100, 2, pytest.approx(0.504))
    assert (bound.others, bound.others_escalated, bound.separation) == (300, 0, 1.0)
    assert (bound.reporters, bound.base_rate) == (7, 0.25)
    assert (bound.first, bound.last) == ("2026-01-01", "2027-02-01")
    assert bound.familiar == sorted(bound.familiar)
    assert len(bound.reference) == 400
    assert bound.reference[4] > bound.reference[5], "the order of filing, not of scores"


def test_costs_can_lower_the_threshold_and_never_raise_it() -> None:
    known = [incident(n, "Critical" if n % 4 == 0 else "Low") for n in range(400)]
    chosen = choose(known, ["Critical"], no_cluster)
    common = {"alpha": 0.05, "delta": 0.05, "fingerprint": "f"}

    def overlapping(one: Incident) -> Scored:
        return Scored(score=int(one.id.partition("-")[2]) / 1000, near=0.5)

    dear = calibrate_bound(chosen, overlapping, ["Critical"], costs=Costs(review=1, miss=1e9), **common)  # type: ignore[arg-type]
    cheap = calibrate_bound(chosen, overlapping, ["Critical"], costs=Costs(review=1, miss=1), **common)  # type: ignore[arg-type]
    assert dear.threshold < cheap.threshold == cheap.proven
    assert cheap.worth is None
    assert dear.others_escalated == dear.others
    assert dear.worth_probability == pytest.approx(1e-9)


def test_too_few_critical_reports_promise_nothing() -> None:
    chosen = choose([incident(n, "Critical") for n in range(58)], ["Critical"], no_cluster)
    bound = calibrate_bound(chosen, scored, ["Critical"], alpha=0.05, delta=0.05, fingerprint="f")
    assert (bound.r, bound.threshold) == (0, 0.0)
    assert "every report is escalated" in bound.guarantee()


def test_a_new_model_voids_a_calibration_and_probabilities_that_follow_outcomes_do_not(db: Database) -> None:
    def fingerprint() -> str:
        return score_fingerprint(db, "memory", load_rubric(), 1_000)

    def keep(name: str, body: bytes) -> None:
        with db.write() as connection:
            keep_learned(connection, name, body)

    keep("severity", b"one")
    before = fingerprint()
    keep(WINDOW, b"of today")
    assert fingerprint() == before
    keep("severity", b"two")
    assert fingerprint() != before
