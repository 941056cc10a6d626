"""The matcher: a rule that can be read, and a licence that it can fail."""

import math

import pytest

from evals.plans.matcher import GRID, Pair, balanced, licence, prepared, score, weights_of


def scored(plan: str, behaviour: str) -> float:
    weights, number = weights_of([plan, behaviour])
    return score(prepared(plan), prepared(behaviour), weights, number)


@pytest.mark.parametrize(
    ("plan", "behaviour"),
    [
        ("The list should be hidden", "should show the list"),
        ("Orders over the limit are not accepted", "orders over the limit are accepted"),
        ("When no rows exist, the footer appears", "the footer appears when rows exist"),
        ("The limit is 50", "the limit is 51"),
        ("Open `/active`", "opens `/completed`"),
    ],
)
def test_an_opposite_or_another_literal_never_matches(plan: str, behaviour: str) -> None:
    assert scored(plan, behaviour) == 0.0


def test_a_text_matches_itself_wholly() -> None:
    assert scored("Pressing enter adds the row", "pressing enter adds the row") == 1.0


def test_endings_do_not_matter() -> None:
    assert scored("The reminder gets deleted", "deleting reminders") == 1.0


def test_more_of_the_words_score_higher() -> None:
    behaviour = "the deposit is released to the card"
    assert scored("the deposit is released", behaviour) > scored("the deposit is", behaviour) > 0


def pairs(good: str, bad: str) -> list[Pair]:
    return [
        Pair(id=f"{n}-{label}", plan_text=good if label else bad, behaviour=f"place {n}: {word} grows", label=label)
        for n, word in enumerate(["amber", "birch", "cedar", "dogwood"])
        for label in (0, 1)
    ]


def test_a_matcher_that_tells_them_apart_is_licensed() -> None:
    found = licence(pairs("amber birch cedar dogwood all grow", "nothing of the kind"), rounds=50)
    assert found.passed
    assert found.balanced_accuracy.value == 1.0
    assert found.threshold in GRID


def test_a_matcher_that_sees_no_difference_is_not_licensed() -> None:
    found = licence(pairs("the same line", "the same line"), rounds=50)
    assert not found.passed
    assert found.balanced_accuracy.value <= 0.5


def test_balanced_accuracy_is_the_mean_over_both_kinds() -> None:
    assert balanced([1, 1, 1, 0], [1, 1, 0, 0]) == pytest.approx(0.75)
    assert balanced([1, 1, 1, 1], [1, 0, 0, 0]) == pytest.approx(0.5)
    assert math.isnan(balanced([1], [1]))
