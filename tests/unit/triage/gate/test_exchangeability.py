"""The alarm: quiet while nothing changes, loud when scores move, and valid however often one looks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.triage.gate.exchangeability import ALARM, BETS, JUMP, Martingale, watched

RUNS = 200


def stream(seed: int, shift: float, live: int = 300, reference: int = 300) -> int | None:
    chance = random.Random(seed)
    known = [chance.gauss(0, 1) for _ in range(reference)]
    return watched(known, [(chance.gauss(shift, 1), chance.random()) for _ in range(live)]).alarmed_at


def test_it_stays_quiet_while_nothing_changes() -> None:
    """By Ville's inequality at most 1 % ever alarm; more than 8 of 200 would be chance in 1 of 100,000 cases."""
    assert sum(stream(seed, 0.0) is not None for seed in range(RUNS)) <= 8


@pytest.mark.parametrize("shift", [1.0, -1.0])
def test_a_planted_shift_sets_it_off(shift: float) -> None:
    delays = [stream(seed, shift) for seed in range(30)]
    assert None not in delays
    assert sorted(delays)[15] < 100  # type: ignore[type-var, operator]


def test_every_bet_is_fair() -> None:
    """Over uniform p the mean payment is 1, which is what makes the capital a martingale."""
    steps = [(i + 0.5) / 1000 for i in range(1000)]
    for bet in BETS:
        payments = [1 + bet * (p - 0.5) for p in steps]
        assert min(payments) > 0
        assert sum(payments) / 1000 == pytest.approx(1.0)
    assert 0 < JUMP < 1


@given(st.lists(st.floats(0, 1), max_size=30), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_the_capital_is_positive_and_the_alarm_stays(reference: list[float], live: list[tuple[float, float]]) -> None:
    martingale = Martingale(reference)
    before = martingale.now
    for number, (score, chance) in enumerate(live, start=1):
        now = martingale.watch(score, chance)
        assert now.capital > 0
        assert now.seen == number
        assert now.highest >= max(now.capital, before.highest)
        assert now.alarm >= before.alarm
        assert now.alarm == (now.highest >= ALARM)
        before = now


def test_constant_scores_are_no_evidence_of_change() -> None:
    chance = random.Random(5)
    assert not watched([0.15] * 300, [(0.15, chance.random()) for _ in range(300)]).alarm


def test_after_an_acknowledgement_it_begins_anew_and_knows_what_it_saw() -> None:
    chance = random.Random(7)
    martingale = Martingale([chance.gauss(0, 1) for _ in range(200)])
    for _ in range(200):
        martingale.watch(chance.gauss(2, 1), chance.random())
    assert martingale.now.alarm
    martingale.restart()
    assert (martingale.now.seen, martingale.now.capital, martingale.now.alarm) == (0, pytest.approx(1.0), False)
