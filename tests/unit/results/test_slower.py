"""Slower tests: real slow-downs are found, busy machines and noise are not."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from qa_agents.results.history import PASSED, History
from qa_agents.results.schema import RunInfo
from qa_agents.results.slower import mann_whitney, slower, weather


def timed(seconds: np.ndarray) -> History:  # type: ignore[type-arg]
    rows, columns = seconds.shape
    return History(
        tuple(f"t{row}" for row in range(rows)),
        tuple(RunInfo(run_id=f"r{column}") for column in range(columns)),
        np.full(seconds.shape, PASSED, np.uint8),
        np.zeros(seconds.shape, np.bool_),
        seconds.astype(np.float32),
    )


def noise(rows: int = 40, columns: int = 60, seed: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    return (0.5 + rng.exponential(1.0, (rows, 1))) * rng.lognormal(0, 0.1, (rows, columns))


def test_a_test_that_takes_twice_as_long_is_found_after_five_runs() -> None:
    seconds = noise()
    seconds[3, -5:] *= 2
    found = slower(timed(seconds), 59)
    assert [one.test_id for one in found] == ["t3"]
    assert 1.7 < found[0].ratio < 2.3
    assert (found[0].compared, found[0].n_now) == (40, 5)


def test_a_busy_machine_slows_no_test() -> None:
    seconds = noise()
    seconds[:, -5:] *= 3
    past = timed(seconds)
    assert slower(past, 59) == []
    assert weather(past, 59) == pytest.approx(3, rel=0.15)


def test_a_small_or_short_slow_down_is_not_worth_a_persons_time() -> None:
    seconds = noise()
    seconds[3, -5:] *= 1.2
    seconds[4] = 0.001
    seconds[4, -5:] = 0.004
    assert slower(timed(seconds), 59) == []


def test_equal_runs_are_called_slower_in_at_most_five_of_a_hundred_histories() -> None:
    assert sum(bool(slower(timed(noise(seed=seed)), 59)) for seed in range(100)) <= 5


def test_a_short_history_says_nothing() -> None:
    assert slower(timed(noise(columns=14)), 13) == []
    assert weather(timed(noise(columns=5)), 4) is None


@pytest.mark.parametrize(("m", "n"), [(50, 5), (10, 5), (3, 2), (20, 20)])
def test_the_rank_test_agrees_with_scipy(m: int, n: int) -> None:
    rng = np.random.default_rng(m)
    before, now = rng.normal(size=m), rng.normal(0.7, size=n)
    exact = mannwhitneyu(now, before, alternative="greater", method="exact").pvalue
    assert mann_whitney(before, now) == pytest.approx(exact, rel=1e-9)
    tied = np.round(before, 1), np.round(now, 1)
    if len(np.unique(np.concatenate(tied))) < m + n:
        approximate = mannwhitneyu(tied[1], tied[0], alternative="greater", method="asymptotic").pvalue
        assert mann_whitney(*tied) == pytest.approx(approximate, rel=1e-6)


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        mann_whitney([], [1.0])
