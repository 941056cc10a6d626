"""Looks every day: no alarm without a change, an alarm with one, the same answer every time."""

from collections.abc import Sequence

import numpy as np
import pytest

from qa_agents.results.monitor.bets import reach
from qa_agents.results.monitor.sequential import Look, indicator_columns, spent, watch


def stream(
    seed: int, *, days: int = 20, n: int = 40, shift: float = 0.0, after: int = 5, same: bool = True
) -> list[Look]:
    random = np.random.default_rng(seed)
    cases = random.normal(size=n)
    looks: list[Look] = []
    for day in range(days + 1):
        middle = cases if same else random.normal(size=n)
        values = middle + random.normal(0, 0.5, n) + (shift if day > after else 0.0)
        looks.append([(str(case), float(value)) for case, value in enumerate(values)])
    return looks


def alarms(found: Sequence[object]) -> int:
    return sum(one.alarmed_at is not None for one in found)  # type: ignore[attr-defined]


@pytest.mark.parametrize("same", [True, False])
def test_a_hundred_streams_that_do_not_change_hardly_ever_alarm(same: bool) -> None:
    fired = sum(alarms(watch({"a": stream(seed, same=same)}, same, salt=str(seed))) for seed in range(100))
    assert fired <= 11  # 5 of 100 at most are expected; 12 have a probability below 1 %


@pytest.mark.parametrize("same", [True, False])
def test_a_change_is_found_and_dated(same: bool) -> None:
    (found,) = watch({"a": stream(1, shift=1.0, same=same)}, same)
    assert found.alarmed_at is not None
    assert 6 <= found.alarmed_at <= 9
    assert found.change is not None
    assert found.change.low > 0


def test_a_wider_spread_is_found_where_runs_have_cases_of_their_own() -> None:
    random = np.random.default_rng(4)
    looks = [[(str(n), float(v)) for n, v in enumerate(random.normal(0, 1 if day < 5 else 3, 60))] for day in range(15)]
    assert watch({"a": looks}, False)[0].alarmed_at is not None


def test_columns_share_the_error() -> None:
    looks = stream(2, shift=0.6)
    alone = watch({"a": looks}, True)[0].p
    among = watch({"a": looks, **{f"b{n}": stream(50 + n) for n in range(9)}}, True)[0].p
    assert among == pytest.approx(min(1.0, 10 * alone))


def test_the_same_runs_always_give_the_same_answer() -> None:
    looks = stream(3, n=5)
    assert watch({"a": looks}, True, salt="x") == watch({"a": looks}, True, salt="x")


def test_one_outlier_raises_no_alarm() -> None:
    looks = stream(4)
    looks[7] = [("0", 1e9), *looks[7][1:]]
    assert alarms(watch({"a": looks}, True)) == alarms(watch({"a": looks}, False)) == 0


def test_what_never_varies_and_what_is_not_there_moves_nothing() -> None:
    constant: list[Look] = [[("a", 1.0), ("b", 1.0)] for _ in range(5)]
    (found,) = watch({"c": constant}, True)
    assert (found.capital, found.alarmed_at) == (pytest.approx(1.0), None)
    assert watch({"c": constant[:1], "d": [[], [("a", 1.0)]]}, True) == []


def test_the_error_that_looks_spend_adds_up_to_alpha() -> None:
    assert sum(spent(look) for look in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)


def test_classes_become_yes_no_columns_unless_there_are_too_many() -> None:
    made = indicator_columns("answer", [[("1", "a"), ("2", "b")], [("1", "b"), ("2", "c")]])
    assert made == {
        "answer a": [[("1", 1.0), ("2", 0.0)], [("1", 0.0), ("2", 0.0)]],
        "answer b": [[("1", 0.0), ("2", 1.0)], [("1", 1.0), ("2", 0.0)]],
    }
    assert indicator_columns("answer", [[(str(n), str(n)) for n in range(50)]]) == {}


def test_what_could_have_been_seen_shrinks_with_more_looks_and_grows_with_more_columns() -> None:
    assert reach(40, 21, 1) < reach(10, 6, 1) < reach(10, 6, 8)
    (few,), (many,) = (watch({"a": stream(1, n=n)}, True) for n in (40, 160))
    assert few.detectable is not None
    assert many.detectable is not None
    assert 0.4 < many.detectable / few.detectable < 0.6  # four times the outputs, half the error


@pytest.mark.parametrize("same", [True, False])
def test_a_change_as_large_as_what_is_said_to_be_seen_is_found_in_most_histories(same: bool) -> None:
    (quiet,) = watch({"a": stream(0, same=same)}, same)
    assert quiet.detectable is not None
    shifted = [stream(seed, shift=quiet.detectable, after=10, same=same) for seed in range(60)]
    found = sum(alarms(watch({"a": looks}, same, salt=str(seed))) for seed, looks in enumerate(shifted))
    assert found >= 39  # 48 of 60 are promised; 38 have a probability below 1 %


def test_too_few_looks_say_nothing_of_what_could_have_been_seen() -> None:
    assert watch({"a": stream(0, days=3)}, True)[0].detectable is None
