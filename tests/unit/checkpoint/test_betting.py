"""Capital over several bets: fair bets keep its expectation, a bet that wins makes it grow, one that lost can come back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.checkpoint.betting import Jumper

PAYS = st.just(0.0) | st.floats(1e-9, 10)
"""Down to where thirty rounds in a row are still far from the smallest number there is."""


@given(st.lists(st.tuples(PAYS, PAYS), max_size=30), st.floats(0, 1))
def test_capital_is_what_the_stakes_made_of_it_and_never_negative(
    rounds: list[tuple[float, float]], jump: float
) -> None:
    purse = Jumper(2, jump)
    for pays in rounds:
        before = purse.capital
        purse.settle(pays)
        assert min(pays) * before * (1 - 1e-9) <= purse.capital <= max(pays) * before * (1 + 1e-9)


def test_fair_bets_leave_the_expectation_at_one() -> None:
    scores = np.random.default_rng(0).normal(size=(10, 20_000))
    purse = Jumper(2, 0.1, 20_000)
    for score in scores:
        purse.settle(np.stack([np.exp(0.3 * score - 0.045), np.exp(-0.3 * score - 0.045)], axis=1))
    error = purse.capitals.std() / 20_000**0.5
    assert abs(purse.capitals.mean() - 1) < 4 * error


def test_a_bet_that_lost_for_long_can_still_win() -> None:
    jumping, stubborn = Jumper(2, 0.05), Jumper(2, 0.0)
    for purse in (jumping, stubborn):
        for pays in [(2.0, 0.1)] * 40 + [(0.1, 2.0)] * 40:
            purse.settle(pays)
    assert jumping.capital > 1e6 * stubborn.capital


def test_riches_stay_a_number() -> None:
    purse = Jumper(1, 0.0)
    for _ in range(3):
        purse.settle([1e150])
    assert purse.capital == pytest.approx(1e200)
