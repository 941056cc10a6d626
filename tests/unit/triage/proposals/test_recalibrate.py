"""Probabilities follow the outcomes: a shift shows in the next window, good curves stay, and nothing else moves."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Incident
from qa_agents.triage.calibrate import Block, Curve
from qa_agents.triage.proposals.fitted import FittedProposals
from qa_agents.triage.proposals.fusion import Beta, log_loss
from qa_agents.triage.proposals.habits import Habits
from qa_agents.triage.proposals.model import FieldModel, Heard, Ranked
from qa_agents.triage.proposals.recalibrate import MIN_HELD, WINDOW, followed, recalibrated
from qa_agents.triage.proposals.witnesses import Witnesses
from qa_agents.triage.proposals.words import Vocabulary

FITTED = datetime(2024, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def model(*, at_once: bool = True, window: tuple[Heard, ...] = ()) -> FieldModel:
    return FieldModel(
        names=("A", "B"),
        witnesses=Witnesses((), None, None, Habits(np.ones(2))),
        weights={},
        beta=Beta(),
        curve=Curve(blocks=[Block(low=0.0, kept=80, n=100)]),
        lead=0.3,
        last_used={},
        load={},
        outcomes=100,
        now=FITTED,
        at_once=at_once,
        window=window,
    )


def heard(count: int, rate: float, seed: int = 0) -> list[Heard]:
    """What was said of `count` reports, right as often as it said times `rate`."""
    random = np.random.default_rng(seed)
    said = random.uniform(0.5, 0.98, count)
    return [Heard(float(p), bool(random.random() < rate * p)) for p in said]


def test_a_fall_of_the_accuracy_is_followed_and_the_log_loss_of_what_comes_falls() -> None:
    before = model(window=tuple(heard(WINDOW, 1.0)))
    after = recalibrated(before, heard(WINDOW, 0.6, seed=1))
    later = heard(2_000, 0.6, seed=2)
    said, hit = np.array([one.said for one in later]), np.array([one.hit for one in later])
    assert log_loss(after.trend.of(said), hit) < log_loss(before.trend.of(said), hit) - 0.05
    assert after.sure(0.9) == pytest.approx(0.54, abs=0.08)
    assert after.beta == before.beta
    assert after.curve.n == WINDOW


def test_a_curve_that_still_holds_is_kept_when_another_is_no_better() -> None:
    said = np.tile([0.6, 0.8], 200)
    right = np.tile([True, True, False, True, True, True, False, True, False, True], 40)
    window = tuple(Heard(float(p), bool(h)) for p, h in zip(said, right, strict=True))
    odd_start = [Heard(0.7, False)] * 150
    before = model(window=(*odd_start, *window[:300]))
    after = recalibrated(before, window[300:])
    assert after.trend == before.trend
    assert after.curve == before.curve
    assert len(after.window) == 550


def test_too_few_outcomes_move_no_curve_and_are_kept_for_later() -> None:
    news = heard(MIN_HELD, 0.1)
    after = recalibrated(model(), news)
    assert after.trend == Beta()
    assert after.window == tuple(news)


def test_the_window_holds_the_newest() -> None:
    news = heard(WINDOW + 10, 1.0)
    assert recalibrated(model(window=tuple(heard(30, 0.5))), news).window == tuple(news[10:])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=300))
def test_whatever_came_the_likelier_label_never_becomes_the_less_sure_one(cases: list[tuple[float, bool]]) -> None:
    after = recalibrated(model(), [Heard(said, hit) for said, hit in cases])
    calibrated = after.trend.of(np.linspace(0, 1, 50))
    assert np.all(np.diff(calibrated) >= -1e-12)
    assert np.all((calibrated >= 0) & (calibrated <= 1))


def fitted(**fields: FieldModel) -> FittedProposals:
    nothing = Vocabulary(np.empty(0, np.uint64), np.empty(0, np.float32))
    return FittedProposals(FITTED, 100, nothing, with_vectors=False, fields=fields)  # type: ignore[arg-type]


def labelled(name: str, created: datetime) -> Incident:
    return Incident(id=name, summary=name, created=created, resolved=created + DAY, component="A", assignee="ana")


RANKED = {
    "component": Ranked(["A", "B"], np.array([0.7, 0.3]), []),
    "assignee": Ranked(["bo", "ana"], np.array([0.6, 0.4]), []),
}


@pytest.mark.parametrize(("filed", "counts"), [(-1, False), (0, False), (1, True), (10, True), (11, False)])
def test_a_report_counts_when_it_was_filed_after_the_fit_and_its_labels_had_time_to_settle(
    filed: int, counts: bool
) -> None:
    before = fitted(component=model(), assignee=model(at_once=False))
    news = [(labelled("X-1", FITTED + filed * DAY), RANKED)]
    after = followed(before, news, FITTED, FITTED + 10 * DAY)  # type: ignore[arg-type]
    assert after.fields["component"].window == ((Heard(0.7, True),) if counts else ())


def test_where_labels_come_with_the_closing_nothing_is_followed() -> None:
    before = fitted(assignee=model(at_once=False))
    news = [(labelled(f"X-{n}", FITTED + n * DAY), RANKED) for n in range(1, 200)]
    after = followed(before, news, FITTED, FITTED + 300 * DAY)  # type: ignore[arg-type]
    assert after.fields == before.fields
