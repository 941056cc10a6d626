"""The simulations behind monitoring and gates: they notice what does not hold, and are told as tables."""

from evals.stats import wilson
from evals.suites.monitor import Covered, Fired, MonitorResult, _stream, coverage, monitor_report
from qa_agents.results.monitor.sequential import watch


def test_intervals_cover_and_are_told() -> None:
    found = MonitorResult(covered=coverage(30), daily=[], single=[], seconds=1.0)
    assert len(found.covered) == 17
    assert found.holds
    assert "Every promise holds." in monitor_report(found)


def test_a_promise_that_is_not_kept_is_refuted() -> None:
    short = Covered(what="short", promised=0.95, found=wilson(800, 1_000))
    noisy = Fired(what="noisy", at_most=0.05, found=wilson(100, 1_000))
    assert not short.holds
    assert not noisy.holds
    assert "REFUTED" in monitor_report(MonitorResult(covered=[short], daily=[noisy], single=[], seconds=1.0))
    assert Fired(what="planted", at_most=None, found=wilson(1_000, 1_000)).holds


def test_a_planted_change_is_found_in_the_column_it_was_planted_in() -> None:
    found = {one.column: one.alarmed_at for one in watch(_stream(1, {"score": 0.5}, same=True), True)}
    assert found["score"] is not None
    assert found["passed"] is None
