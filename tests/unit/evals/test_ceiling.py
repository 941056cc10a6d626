"""The ceiling: what two people make of one bug, and what a missed-critical bound costs by it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.data import Dataset
from evals.suites.ceiling import MIN_PAIRS, ceiling_report, load_at, run_ceiling
from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Incident

START = datetime(2024, 1, 1, tzinfo=UTC)


def twins(labels: list[tuple[str, str]]) -> Dataset:
    """Pairs of an earlier report and its repeat, with the severity of each."""
    incidents = []
    for n, (earlier, later) in enumerate(labels):
        day = START + timedelta(days=2 * n)
        incidents.append(Incident(id=f"A-{n}", summary="a", created=day, severity=earlier))
        repeat = {"created": day + timedelta(days=1), "duplicate_of": [f"A-{n}"], "severity": later}
        incidents.append(Incident(id=f"B-{n}", summary="b", **repeat))
    return Dataset("invented", incidents, "0" * 64, "own", checked=False)


def test_people_who_always_agree_leave_room_for_a_perfect_judge() -> None:
    found = run_ceiling(twins([("Critical", "Critical"), ("Low", "Low")] * 30), START)
    (severity,) = found.agreements
    assert (severity.field, severity.agreed.n) == ("severity", 60)
    assert severity.kappa.value == pytest.approx(1.0)
    assert severity.macro_f1.value == pytest.approx(1.0)
    assert severity.shuffled_f1 == pytest.approx(0.5, abs=0.03)
    assert found.critical
    assert (found.critical.found.value, found.critical.alarms.value, found.critical.load.value) == (1.0, 0.0, 0.0)


def test_people_who_label_at_random_leave_none() -> None:
    pairs = [("Critical", "Critical"), ("Critical", "Low"), ("Low", "Critical"), ("Low", "Low")] * 15
    found = run_ceiling(twins(pairs), START)
    severity = found.agreements[0]
    assert severity.kappa.value == pytest.approx(0.0, abs=1e-9)
    assert severity.macro_f1.value == pytest.approx(severity.shuffled_f1, abs=0.03)
    assert found.critical
    assert found.critical.load.value == pytest.approx(0.95)
    assert "0.950" in ceiling_report(found)


def test_fields_that_nobody_filled_are_named_and_left_out() -> None:
    found = run_ceiling(twins([("Low", "Low")] * 30), START)
    assert any(note.startswith("component was not measured: 0 pairs") for note in found.notes)
    assert found.critical is None


def test_too_few_repeats_are_no_measurement() -> None:
    with pytest.raises(UnavailableError, match=f"{MIN_PAIRS} are needed"):
        run_ceiling(twins([("Low", "Low")] * (MIN_PAIRS - 1)), START)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 0.5))
def test_a_looser_promise_never_costs_more_and_all_is_the_most(found: float, alarms: float, alpha: float) -> None:
    load = load_at(found, alarms, alpha)
    assert alarms - 1e-12 <= load <= 1 + 1e-12
    assert load_at(found, alarms, alpha * 1.5) <= load + 1e-12
