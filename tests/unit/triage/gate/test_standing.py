"""Whether a field has earned to act: the newest decisions of one kind, and an exact lower bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.triage.gate.standing import Judged, at_least, group_of, standing_of, standings

POLICY = GatePolicy(target=0.9, last=50, min_decisions=20)


def judged(
    number: int, kept: bool = True, *, band: str = "0.98–1.00", component: str = "Booking", filer: str = "other"
) -> Judged:
    return Judged(f"run-{number}", "type", band, component, filer, kept, float(number))


def standing(record: list[Judged], policy: GatePolicy = POLICY, probability: float | None = 0.99, filer: str = "other"):  # type: ignore[no-untyped-def]
    return standing_of(record, policy, "type", probability, component="Booking", filer=filer)


def test_a_field_acts_once_the_lower_bound_clears_the_target() -> None:
    assert not standing([judged(n) for n in range(28)]).holds
    assert standing([judged(n) for n in range(29)]).holds
    assert not standing([judged(n, n > 0) for n in range(29)]).holds


def test_it_demotes_itself_when_people_keep_less() -> None:
    record = [judged(n) for n in range(50)]
    assert standing(record).holds
    record += [judged(n, n % 4 > 0) for n in range(50, 80)]
    fallen = standing(record)
    assert not fallen.holds
    assert "must reach 90.0%" in str(fallen)


def test_only_the_newest_decisions_count_so_it_can_come_back() -> None:
    record = [judged(n, kept=False) for n in range(50)] + [judged(n) for n in range(50, 100)]
    assert (standing(record).kept, standing(record).n) == (50, 50)
    assert standing(record[::-1]).holds


def test_bands_and_groups_are_counted_apart() -> None:
    record = [judged(n) for n in range(40)] + [judged(n, kept=False, band="0.90–0.95") for n in range(40)]
    assert standing(record).holds
    assert not standing(record, probability=0.92).holds
    assert standing(record, probability=None).n == 0
    split = POLICY.model_copy(update={"split_by": ["component", "filer"], "filers": {"staff": ["ada"]}})
    assert group_of(split, "Booking", "staff") == "component Booking, filer staff"
    assert standing(record, split).holds
    assert standing(record, split, filer="staff").n == 0
    assert [one.group for one in standings(record, split)] == ["component Booking, filer other"] * 2


def test_too_few_decisions_are_said() -> None:
    few = standing([judged(1)])
    assert "it takes 20 decisions" in str(few)
    assert (few.low, few.holds) == (pytest.approx(0.05), False)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_lower_bound_is_below_the_rate_and_grows_with_evidence(kept: int, lost: int) -> None:
    n = kept + lost
    low = at_least(kept, n)
    assert 0 <= low <= (kept / n if n else 0) + 1e-12
    assert at_least(kept + 1, n + 1) >= low - 1e-12
    assert at_least(kept, n + 1) <= low + 1e-12
