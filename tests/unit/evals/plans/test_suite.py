"""The table of promises: what is measured is kept or missed, what is not measured is neither."""

import pytest

from evals.plans.cost import Cost
from evals.plans.follow import Followed
from evals.plans.grounding import Grounding, Judged
from evals.plans.matcher import Licence
from evals.plans.report import plans_report
from evals.stats import wilson
from evals.suites.plan_api import ApiTests
from evals.suites.plans import Executed, Plans, Planted, promises

COST = Cost(what="x", chars=10, cases=1, cpu_seconds=1.0, seconds=1.0, peak_mb=50.0, sha256="0")


def found(**update: object) -> Plans:
    grounded = Grounding(
        corpus="x", requirements=1, cases=4, quotes=wilson(4, 4), numbers=wilson(4, 4), literals=wilson(1, 1),
        bases={"quote": 4}, assumptions=wilson(0, 4), duplicates=0, same_words=0, strays=[],
    )  # fmt: skip
    api = ApiTests(
        tests=9,
        conforming_failures=[],
        requests=9,
        noticed=["a"] * 36,
        missed=["b"] * 4,
        share=wilson(36, 40),
        seconds=1.0,
    )
    judged = Judged(
        read=30, contradictions=wilson(0, 30), sound=wilson(30, 30), verdicts={"sound": 30}, unchanged=30, still_wrong=[],
        sound_by_text={"x": "30 of 30"},
    )  # fmt: skip
    plain = Plans(
        quick=True,
        licence=Licence(pairs=4, threshold=0.5, balanced_accuracy=wilson(2, 4), ranking=0.5, passed=False),
        coverage=[],
        grounding=[grounded],
        judged=judged,
        planted=Planted(found=wilson(1, 1), missed=[], false_alarms=0),
        changed=None,
        followed=[Followed(text="x", numbers=1, names=0, using_old=wilson(0, 4), using_new=wilson(1, 1), examples=[])],
        large=COST,
        small=COST,
        stable=True,
        executed=Executed(ours=api, peer=None, why_no_peer="not installed"),
        seconds=1.0,
    )
    return plain.model_copy(update=update)


def test_a_sound_plan_keeps_every_promise() -> None:
    assert {one.kept for one in promises(found())} == {True}


def missed(plans: Plans) -> list[str]:
    return [one.name for one in promises(plans) if one.kept is False]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"quotes": wilson(3, 4)}, "quotes verbatim"),
        ({"numbers": wilson(3, 4)}, "numbers in expectations traceable"),
        ({"literals": wilson(0, 1)}, "literals of a quote kept letter by letter"),
        ({"duplicates": 1}, "cases that say the same"),
    ],
)
def test_one_stray_is_a_missed_promise(change: dict[str, object], name: str) -> None:
    plans = found()
    assert missed(found(grounding=[plans.grounding[0].model_copy(update=change)])) == [name]


def test_a_plan_that_differs_from_run_to_run_is_a_missed_promise() -> None:
    assert missed(found(stable=False)) == ["two drafts the same to the byte"]


def test_too_much_memory_is_a_missed_promise() -> None:
    assert len(missed(found(large=COST.model_copy(update={"peak_mb": 601.0})))) == 1


def test_a_false_alarm_of_an_exported_test_is_a_missed_promise() -> None:
    api = found().executed.ours.model_copy(update={"conforming_failures": ["test_x"]})
    executed = Executed(ours=api, peer=None, why_no_peer="")
    assert missed(found(executed=executed)) == ["exported tests that fail on a conforming server"]


def test_a_handful_of_faults_is_no_measurement() -> None:
    api = found().executed.ours.model_copy(update={"share": wilson(12, 12)})
    states = {one.name: one.kept for one in promises(found(executed=Executed(ours=api, peer=None, why_no_peer="")))}
    assert states["seeded faults noticed"] is None


def test_cases_that_nobody_read_are_no_measurement() -> None:
    judged = found().judged.model_copy(update={"read": 0, "verdicts": {}})
    states = {one.name: one.kept for one in promises(found(judged=judged))}
    assert states["contradictions among cases read by hand"] is None


def test_the_report_says_that_coverage_is_not_licensed_and_why_there_is_no_peer() -> None:
    plans = found()
    text = plans_report(plans, promises(plans))
    assert "not licensed" in text
    assert "No peer: not installed." in text
    assert "MISSED" not in text
