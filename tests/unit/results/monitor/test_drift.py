"""Drift of numbers, classes and vectors: known answers, quiet on the same, loud on the changed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from qa_agents.results.monitor.drift import (
    categories_drift,
    meanings_drift,
    most_unlike,
    numbers_drift,
    stability_index,
)


def test_the_stability_index_is_its_formula() -> None:
    # Two bins, 50:50 before and 80:20 now: (0.8 - 0.5)·ln(0.8/0.5) + (0.2 - 0.5)·ln(0.2/0.5).
    before, now = np.array([0.0] * 50 + [1.0] * 50), np.array([0.0] * 80 + [1.0] * 20)
    assert stability_index(now, before) == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4))
    assert stability_index(before, before) == 0.0


def test_pearsons_test_gives_the_textbook_value() -> None:
    # 2 x 2 table 60/40 against 40/60: χ² = 8.0 with 1 degree of freedom, p = 0.00468.
    found = categories_drift(["a"] * 60 + ["b"] * 40, ["a"] * 40 + ["b"] * 60)
    assert found.p == pytest.approx(0.004678, abs=1e-5)
    assert found.effect == pytest.approx(0.2)


def test_rare_classes_are_tested_by_permutation() -> None:
    found = categories_drift(["a"] * 30 + ["x", "y"], ["a"] * 30 + ["z"])
    assert found.test == "χ² by permutation"
    assert found.p > 0.05
    assert categories_drift(["a"] * 3, ["a"] * 4).p == 1.0
    assert categories_drift(["a"] * 15 + ["x"] * 4, ["b"] * 15 + ["x"]).p < 0.01


def test_a_wider_spread_is_drift_though_the_mean_stands_still() -> None:
    random = np.random.default_rng(0)
    assert numbers_drift(random.normal(0, 2, 300), random.normal(0, 1, 300)).p < 0.001


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


@pytest.mark.parametrize("paired", [True, False])
def test_meanings_that_moved_are_found_and_others_are_not(paired: bool) -> None:
    random = np.random.default_rng(0)
    before = random.normal(size=(60, 16)) + 2
    same, moved = before + random.normal(0, 0.5, (60, 16)), before + random.normal(0, 0.5, (60, 16))
    moved[:, 0] += 2.5
    assert meanings_drift(unit(same), unit(before + random.normal(0, 0.5, (60, 16))), paired=paired).p > 0.05
    assert meanings_drift(unit(moved), unit(before), paired=paired).p <= 0.05


def test_the_texts_most_unlike_the_baseline_are_named() -> None:
    before = unit(np.array([[1.0, 0.0], [1.0, 0.1]]))
    now = unit(np.array([[1.0, 0.05], [0.0, 1.0], [1.0, 0.5]]))
    assert most_unlike(now, before, 2) == [1, 2]
