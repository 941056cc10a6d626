"""The matcher: a rule that can be read, and a licence that it can fail."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from evals.plans.matcher import GRID, Pair, balanced, cosines, licence, prepared, rarity_of, score, shared, words_of
from qa_agents.incidents.minilm import Vectors


def letters(texts: Sequence[str]) -> Vectors:
    """Vectors that can be read: how often each letter occurs."""
    return np.asarray([[text.count(chr(97 + n)) for n in range(26)] for text in texts], np.float32)


def scored(plan: str, behaviour: str) -> float:
    rarity = rarity_of([plan, behaviour])
    return score(prepared(plan), prepared(behaviour), rarity, float(cosines(letters, [plan], [behaviour])[0, 0]))


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
    assert scored("Pressing enter adds the row", "pressing enter adds the row") == pytest.approx(1.0)


def test_endings_do_not_matter() -> None:
    assert words_of("the reminder gets deleted") >= words_of("deleting reminders")


def test_more_of_the_words_score_higher() -> None:
    behaviour = "the deposit is released to the card"
    assert scored("the deposit is released", behaviour) > scored("the deposit is", behaviour) > 0


def test_a_line_that_says_much_else_scores_lower() -> None:
    behaviour = "the deposit is released"
    assert scored("the deposit is released", behaviour) > scored(
        "the deposit is released, the clerk sings, lamps glow, doors open and a bell rings", behaviour
    )


def test_a_deed_in_the_outcome_counts_and_one_in_the_condition_does_not() -> None:
    behaviour = "should remove finished rows"
    assert scored("It removes finished rows", behaviour) > scored("When it removes, finished rows shine", behaviour)


def test_what_a_subordinate_clause_denies_is_no_opposite() -> None:
    assert scored("The text is trimmed so that it does not end in a blank", "the text is trimmed") > 0


def test_rare_words_weigh_more() -> None:
    rarity = {"list": 0.1, "deposit": 3.0}
    wanted = frozenset(rarity)
    assert shared(frozenset({"deposit"}), wanted, rarity) > shared(frozenset({"list"}), wanted, rarity) > 0


def pairs(good: str, bad: str) -> list[Pair]:
    return [
        Pair(id=f"{n}-{label}", plan_text=good if label else bad, behaviour=f"place {n}: {word} grows", label=label)
        for n, word in enumerate(["amber", "birch", "cedar", "dogwood", "elder", "fir"])
        for label in (0, 1)
    ]


def test_a_matcher_that_tells_them_apart_is_licensed() -> None:
    found = licence(pairs("amber birch cedar dogwood elder fir all grow", "zzz yyy xxx"), letters, rounds=50)
    assert found.passed
    assert found.balanced_accuracy.value >= 0.9
    assert found.ranking == 1.0
    assert found.threshold in GRID


def test_a_matcher_that_sees_no_difference_is_not_licensed() -> None:
    found = licence(pairs("the same line", "the same line"), letters, rounds=50)
    assert not found.passed
    assert found.balanced_accuracy.value <= 0.5


def test_balanced_accuracy_is_the_mean_over_both_kinds() -> None:
    assert balanced([1, 1, 1, 0], [1, 1, 0, 0]) == pytest.approx(0.75)
    assert balanced([1, 1, 1, 1], [1, 0, 0, 0]) == pytest.approx(0.5)
    assert math.isnan(balanced([1], [1]))
