"""Broke or flakes: the change-point model on histories whose answer a person would agree on."""

import itertools
from math import comb, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.results.flaky import Look, Priors, flake_rate, judge


def looks(line: str) -> list[Look]:
    return [Look(letter == "F") for letter in line]


@pytest.mark.parametrize(
    ("line", "least"),
    [("P" * 100 + "F", 0.3), ("P" * 100 + "FF", 0.9), ("PPPPPP" + "FF", 0.5), ("P" * 50 + "F" * 20, 0.99), ("F", 0.5)],
)
def test_a_test_that_never_failed_before_is_believed_broken(line: str, least: float) -> None:
    assert judge(looks(line)).broken >= least


@pytest.mark.parametrize("line", ["PPPFPPPFPPFPPPPF", "PF" * 20, "PPFFPFPPFFPPFPFF", "P" * 30 + "FPPPPF" * 5])
def test_a_test_that_fails_every_few_runs_is_flaky_when_it_fails_again(line: str) -> None:
    found = judge(looks(line))
    assert found.broken < 0.1
    assert found.flaky + found.stable > 0.9


def test_a_flaky_test_that_breaks_for_good_is_recognised_in_time() -> None:
    beliefs = [judge(looks("PPPFPPPFPPFPPPPFPPPFPP" + "F" * n)).broken for n in range(1, 9)]
    assert beliefs == sorted(beliefs)
    assert beliefs[0] < 0.1
    assert beliefs[-1] > 0.9


def test_a_test_that_was_mended_is_not_flaky_any_more() -> None:
    before = "PFPFFPPFPFPFFPPF"
    assert judge(looks(before + "P" * 60 + "FF")).broken > 0.5
    assert flake_rate(looks(before + "P" * 60)).mean < 0.05 < flake_rate(looks(before)).mean


def test_a_long_breakage_that_was_mended_leaves_no_flake_rate_behind() -> None:
    rate = flake_rate(looks("P" * 50 + "F" * 15 + "P" * 50))
    assert rate.red == 0
    assert rate.high < 0.05


def test_red_and_green_on_one_commit_speak_for_flaking() -> None:
    green = [Look(False)] * 40
    other = judge([*green, Look(True, changed=True)])
    same = judge([*green, Look(True, changed=False)])
    assert same.broken < other.broken / 2


def test_words_tip_the_scale_and_do_not_decide_alone() -> None:
    line = looks("P" * 60 + "F")
    assert judge(line, odds=0.05).broken < judge(line).broken < judge(line, odds=20).broken
    assert judge(looks("PF" * 20 + "F"), odds=20).broken < 0.5


def test_the_regime_begins_where_the_breakage_began() -> None:
    assert judge(looks("P" * 30 + "F" * 6)).began == 30


def test_nothing_known_is_the_prior() -> None:
    assert judge([]).broken == Priors().shares[2]


def test_the_filter_agrees_with_adding_up_every_possible_past() -> None:
    """Against brute force over all change-points and kinds, for short histories."""
    priors = Priors(hazard=0.1, hazard_same=0.1)
    for line in ("PPFF", "PFPF", "FFPP", "PPPFF"):
        assert isclose(judge(looks(line), priors=priors).broken, _brute(line, priors), rel_tol=1e-9)


def _brute(line: str, priors: Priors) -> float:
    flips = [at for at in range(1, len(line)) if line[at] != line[at - 1]]
    betas = (priors.stable, priors.flaky, priors.broken)
    weights = [0.0, 0.0, 0.0]
    for chosen in itertools.product((False, True), repeat=len(flips)):
        cuts = [0, *(at for at, cut in zip(flips, chosen, strict=True) if cut), len(line)]
        weight = 1.0
        for cut in chosen:
            weight *= priors.hazard if cut else 1 - priors.hazard
        for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
            parts = [
                share * _likelihood(line[start:stop], *beta) for share, beta in zip(priors.shares, betas, strict=True)
            ]
            if number == len(cuts) - 2:
                for kind, part in enumerate(parts):
                    weights[kind] += weight * part
            else:
                weight *= sum(parts)
    return weights[2] / sum(weights)


def _likelihood(line: str, a: float, b: float) -> float:
    likelihood = 1.0
    for letter in line:
        likelihood *= (a if letter == "F" else b) / (a + b)
        a, b = a + (letter == "F"), b + (letter == "P")
    return likelihood


def test_the_credible_interval_is_that_of_the_beta_posterior() -> None:
    rate = flake_rate(looks("PPPPFPPPPF" * 4 + "P"))
    a, b = 1 + rate.red, 4 + rate.n - rate.red
    n = a + b - 1
    below = sum(comb(n, k) * rate.low**k * (1 - rate.low) ** (n - k) for k in range(a, n + 1))
    assert (rate.red, rate.n) == (8, 41)
    assert isclose(below, 0.025, rel_tol=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80))
def test_beliefs_are_probabilities_whatever_happened(past: list[tuple[bool, bool]]) -> None:
    found = judge([Look(*one) for one in past])
    assert isclose(found.broken + found.flaky + found.stable, 1, abs_tol=1e-9)
    rate = flake_rate([Look(*one) for one in past])
    assert 0 <= rate.low <= rate.mean <= rate.high <= 1
