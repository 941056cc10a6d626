"""The measurement of the regression agent itself: it counts what it says it counts."""

import random
from pathlib import Path

import pytest

from evals.suites.regressions import HISTORIES, Regressions, equal_runs, find_seeds, load, replay, streaks
from evals.suites.regressions_report import regressions_report
from qa_agents.results.history import History
from tests.unit.results.builders import history


def past() -> History:
    lines = {
        "stable": "P" * 60,
        "flaky": ("PPPF" * 15),
        "breaks": "P" * 40 + "F" * 6 + "P" * 14,
        **{f"quiet{at}": "P" * 60 for at in range(10)},
    }
    return history(lines, messages={"flaky": "TimeoutError: too slow", "breaks": "KeyError: 'deposit'"})


def test_a_streak_is_real_when_it_stays() -> None:
    found = {(past().tests[one.row], len(one.columns)) for one in streaks(past()) if one.is_real}
    assert found == {("breaks", 6)}


def test_a_replay_counts_noise_and_real_breakages_apart() -> None:
    found = replay("made up", past(), 30)
    assert (found.real, found.first, found.third) == (1, 1, 1)
    assert (found.plain, found.plain_noise) == (9, 8)
    assert found.noise == 0
    assert found.suppressed.value == 1.0


def test_planted_regressions_are_looked_for_where_they_were_planted() -> None:
    found = find_seeds("made up", past(), "new words", 30, random.Random(0))
    assert found.n == len(past().tests)
    assert found.missed == 0


def test_equal_runs_of_a_quiet_suite_never_alarm() -> None:
    found = equal_runs(
        "made up", history({f"t{at}": "P" * 120 for at in range(5)}), 0, 20, random.Random(0), whole=True
    )
    assert (found.simulations, found.alarms, found.named, found.plain) == (20, 0, 0, 0)


def test_the_promises_are_missed_when_a_regression_is() -> None:
    seeded = find_seeds("made up", past(), "no words", 30, random.Random(0))
    result = Regressions(replayed=[replay("made up", past(), 30)], seeded=[seeded] * 5, equal=[], slowed=[])
    assert all(result.promises().values())
    worse = result.model_copy(update={"seeded": [seeded.model_copy(update={"missed": 1})] * 5})
    assert not all(worse.promises().values())
    assert "MISSED" in regressions_report(worse, "later")


@pytest.mark.parametrize("name", HISTORIES)
def test_the_public_histories_are_read_whole(name: str, shared_data: Path) -> None:
    if not (shared_data / "results" / "history").is_dir():
        pytest.skip(f"no run histories under {shared_data}")
    branches = load(name)
    assert sum(len(one.runs) for one in branches) in (1_088, 367)
    assert all(one.red.any() for one in branches)
