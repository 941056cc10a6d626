"""The gate's suite: its simulations say what the theory says, and it runs on a small tracker from end to end."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evals.data import load_examples
from evals.suites.gate import alarms, gate_report, main, needed_separation, permuted_alarms, run_gate, simulate


def test_simulated_calibrations_hold_the_bound() -> None:
    found = simulate(93, 300, seed=1)
    assert found.violated.low <= 0.05
    assert not found.asks_all
    assert simulate(30, 20).asks_all


def test_the_alarm_is_quiet_without_change_and_loud_with_it() -> None:
    assert alarms("calm", 40, live=100, reference=100).alarmed.value <= 0.05
    moved = alarms("moved", 20, live=150, reference=200, shift=1.5)
    assert moved.alarmed.value == 1
    assert moved.delay is not None
    assert moved.delay < 100
    assert permuted_alarms("mixed", [i / 200 for i in range(200)], 100, 20).alarmed.value <= 0.1


def test_the_separation_that_a_share_takes_is_that_of_two_normals() -> None:
    assert needed_separation(0.95) == pytest.approx(0.5)
    assert needed_separation(0.35) == pytest.approx(0.924, abs=0.002)


def test_it_runs_on_a_tracker_and_reports_every_number_with_n(tmp_path: Path) -> None:
    whole = load_examples()
    examples = replace(whole, incidents=whole.incidents[-90:])
    found = run_gate(examples, examples.incidents[60].created or datetime.now(UTC), tmp_path, None, simulations=4)
    assert found.tracker is not None
    assert found.tracker.r == 0, "the examples hold too few critical reports for a promise at 5 %"
    assert found.tracker.others_escalated.value == 1
    report = gate_report(found)
    assert "critical reports missed" in report
    assert "in random order" in report


def test_the_quick_run_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--json", str(tmp_path / "gate.json")]) == 0
    assert "nothing changes" in capsys.readouterr().out
    assert (tmp_path / "gate.json").stat().st_size > 0
