"""Quality gates: the file, its errors, and how a promise is held against what was measured."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.errors import InvalidInputError
from qa_agents.results.bounds import Estimate, counted, share
from qa_agents.results.gate_metrics import Compared, Facts, measure
from qa_agents.results.gates import Gate, GateWaiver, judge, load_gates, must_stop, overall
from qa_agents.results.schema import Coverage, Run, RunInfo, ScoredOutput, TestResult

NOW = datetime(2026, 11, 20, tzinfo=UTC)
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "gates.toml"


def gate(op: str = ">=", value: float = 0.9, **more: object) -> Gate:
    return Gate.model_validate({"metric": "pass_rate", "op": op, "value": value, **more})


def run(passed: int = 0, failed: int = 0, skipped: int = 0, **more: object) -> Run:
    outcomes = ["passed"] * passed + ["failed"] * failed + ["skipped"] * skipped
    results = [TestResult.model_validate({"name": f"t{n}", "outcome": one}) for n, one in enumerate(outcomes)]
    return Run.model_validate({"info": RunInfo(run_id="r"), "results": results, **more})


@pytest.mark.parametrize(
    ("found", "given_", "outcome"),
    [
        (share(99, 100), gate(), "green"),
        (share(93, 100), gate(), "undecided"),  # 93 % looks well, but 87 % would look so too
        (share(70, 100), gate(), "red"),
        (share(93, 100), gate(bound="point"), "green"),
        (share(89, 100), gate(bound="upper"), "green"),  # only what is surely broken is red
        (share(70, 100), gate(bound="upper"), "red"),
        (share(10, 10), gate(min_n=50), "undecided"),
        (share(0, 0), gate(), "undecided"),
        (None, gate(), "undecided"),
        (counted(0, 50), gate("<=", 0), "green"),
        (counted(1, 50), gate("<=", 0), "red"),
        (counted(1, 50), gate("<", 1), "red"),
        (Estimate(value=5.0, low=1.0, high=None, n=9, method="x"), gate("<=", 9), "undecided"),
        (Estimate(value=50.0, low=40.0, high=None, n=9, method="x"), gate("<=", 9), "undecided"),
    ],
)
def test_a_promise_is_held_against_a_bound(found: Estimate | None, given_: Gate, outcome: str) -> None:
    judged = judge(given_, found, now=NOW)
    assert judged.outcome == outcome
    assert judged.because.endswith(".")


def test_the_default_bound_is_the_end_that_is_worse_for_the_promise() -> None:
    assert (gate(">=").bound, gate("<").bound) == ("lower", "upper")


@given(st.integers(0, 200), st.integers(1, 200), st.floats(0, 1))
def test_more_passes_never_turn_a_kept_promise_red(events: int, n: int, value: float) -> None:
    order = ("red", "undecided", "green")
    events = min(events, n)
    less, more = (judge(gate(value=value), share(k, n), now=NOW).outcome for k in (events, min(n, events + 1)))
    assert order.index(less) <= order.index(more)


WAIVER = GateWaiver(gate="pass_rate", owner="ada", reason="known", expires=NOW + timedelta(days=1), worst=0.6)


def test_a_waiver_lets_a_broken_promise_pass_until_it_ends() -> None:
    held = judge(gate(), share(70, 100), [WAIVER], now=NOW)
    assert (held.outcome, must_stop([held])) == ("waived", False)
    later = judge(gate(), share(70, 100), [WAIVER], now=NOW + timedelta(days=1))
    assert (later.outcome, must_stop([later])) == ("red", True)
    assert "counts no more" in later.because


def test_a_waiver_does_not_cover_what_is_worse_than_what_was_waived() -> None:
    held = judge(gate(), share(50, 100), [WAIVER], now=NOW)
    assert held.outcome == "red"
    assert "reaches to 0.6 only" in held.because


def test_a_kept_promise_needs_no_waiver() -> None:
    assert judge(gate(), share(100, 100), [WAIVER], now=NOW).waiver is None


def test_the_worst_outcome_is_that_of_the_whole() -> None:
    kept, broken = judge(gate(), share(99, 100), now=NOW), judge(gate(), share(1, 100), now=NOW)
    assert overall([kept, broken]) == "red"
    assert overall([kept]) == "green"


def test_a_day_as_end_of_a_waiver_means_to_the_end_of_that_day() -> None:
    text = b'[[gate]]\nmetric="tests"\nop=">"\nvalue=0\n[[waiver]]\ngate="tests"\nowner="a"\nreason="b"\nexpires=2026-12-01\n'
    assert load_gates(text).waiver[0].expires == datetime(2026, 12, 2, tzinfo=UTC)


def test_the_example_is_a_gate_file() -> None:
    assert len(load_gates(EXAMPLE.read_bytes()).gate) == 6


GOOD = "[[gate]]\nmetric='tests'\nop='>'\nvalue=1\n"
LET = "[[waiver]]\ngate='{}'\nowner='a'\nreason='b'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            GOOD.replace("tests", "pass_rat"),
            "line 2: gate 1: metric: pass_rat is no known metric (did you mean pass_rate?)",
        ),
        (GOOD + "\n" + GOOD.replace("'>'", "'>>'\nname='b'"), "gates.toml, line 8: gate 2: op"),
        (GOOD.replace("value=1", ""), "line 1: gate 1: value is missing"),
        (GOOD.replace("value=1", "value=nan"), "line 4: gate 1: value"),
        (GOOD + "buond='lower'\n", "line 5: gate 1: buond is not a known key"),
        (GOOD + GOOD, "two gates are called tests"),
        (GOOD + LET.format("x") + "expires=2026-12-01\n", "names the gate x, which the file does not have"),
        (GOOD + LET.format("tests"), "line 5: waiver 1: expires is missing"),
        ("gate = 3\n", "line 1: gate"),
        ("", "gate is missing"),
        ("[[gate]\n", "no TOML"),
        (GOOD.replace("tests", "fairness_gap:x"), "needs a score and an attribute"),
        (GOOD + 'name="a\\nb"\n', "one line of readable text"),
    ],
)
def test_what_is_wrong_with_a_gate_file_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load_gates(text.encode())
    assert said in str(caught.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="not UTF-8 at byte 0"):
        load_gates(b"\xff\xfe")


@given(st.binary(max_size=300))
def test_no_gate_file_ends_in_anything_but_a_sentence(body: bytes) -> None:
    try:
        load_gates(b"[[gate]]\n" + body)
    except InvalidInputError as error:
        assert error.message  # noqa: PT017 - any input may do either


FULL = run(
    8,
    1,
    3,
    coverage=Coverage(lines_covered=80, lines_total=100),
    outputs=[
        ScoredOutput(
            case_id=str(n),
            scores={"good": n % 2},
            latency_ms=n,
            label="a",
            expected="a" if n % 4 else "b",
            groups={"g": "x" if n < 40 else "y"},
        )
        for n in range(100)
    ],
)
FACTS = Facts(
    run=FULL,
    compared=Compared(baseline="b", tests=9, new_failures=("pay::t1", "t2")),
    requirements=(9, 10),
    open_criticals=(2, 300),
)


@pytest.mark.parametrize(
    ("metric", "value", "n"),
    [
        ("pass_rate", 8 / 9, 9),  # skipped tests say nothing
        ("skipped_rate", 0.25, 12),
        ("failed_tests", 1, 9),
        ("tests", 9, 9),
        ("new_failures", 2, 9),
        ("flaky_tests", 0, 9),
        ("line_coverage", 0.8, 100),
        ("requirement_coverage", 0.9, 10),
        ("open_criticals", 2, 300),
        ("score:good", 0.5, 100),
        ("accuracy", 0.75, 100),
        ("latency_p50", 49.5, 100),
        ("fairness_gap:good:g", 0.0, 100),
    ],
)
def test_every_metric_is_measured_with_its_n(metric: str, value: float, n: int) -> None:
    found = measure(FACTS, gate(metric=metric)).estimate
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(value), n)


@pytest.mark.parametrize(
    "metric",
    ["pass_rate", "failed_tests", "tests", "new_failures", "line_coverage", "branch_coverage", "requirement_coverage",
     "open_criticals", "score:good", "accuracy", "latency_p99", "fairness_gap:good:g", "drifted_columns", "score_drop:good"],
)  # fmt: skip
def test_an_empty_run_keeps_no_promise(metric: str) -> None:
    found = measure(Facts(run=run()), gate("<=", 0, metric=metric))
    assert found.estimate is None
    assert judge(gate("<=", 0, metric=metric), None, now=NOW, missing=found.missing).outcome == "undecided"
    assert found.missing.endswith(".")


def test_a_run_of_skipped_tests_has_no_failures_and_still_keeps_no_promise() -> None:
    assert measure(Facts(run=run(skipped=5)), gate("<=", 0, metric="failed_tests")).estimate is None


def test_a_scope_narrows_what_counts() -> None:
    only = measure(FACTS, gate(metric="score:good", scope={"group": {"g": "x"}})).estimate
    assert only is not None
    assert only.n == 40
    nothing = measure(FACTS, gate(scope={"suite": "pay*"}))
    assert nothing.missing == "There is no test in scope (suite pay*)."
    new = measure(FACTS, gate(metric="new_failures", scope={"suite": "pay*"})).estimate
    assert new is not None
    assert new.value == 1


def test_a_promise_about_a_count_names_no_bound() -> None:
    assert gate("<=", 0, metric="new_failures").promise == "new_failures at most 0"
    assert gate(min_n=200).promise == "pass_rate at least 0.9 (lower bound, 200 or more)"


def scored(run_id: str, n: int, good: float, *, first: int = 0, style: float = 0.5) -> Run:
    """`good` of 1 of the outputs are good; cases are numbered from `first`."""
    outputs = tuple(
        ScoredOutput(
            case_id=str(first + at), scores={"good": float(at % 100 < 100 * good), "style": style + at % 7 / 100}
        )
        for at in range(n)
    )
    return Run(info=RunInfo(run_id=run_id), outputs=outputs)


@pytest.mark.parametrize(
    ("now", "limit", "outcome"),
    [
        (scored("now", 400, 0.90), 0.05, "green"),  # the same cases, none of them worse
        (scored("now", 400, 0.88), 0.05, "green"),
        (scored("now", 400, 0.85), 0.06, "undecided"),  # 5 points were lost, and it may have been 7
        (scored("now", 400, 0.70), 0.05, "red"),
        (scored("now", 400, 0.90, first=1_000), 0.05, "green"),  # other cases
        (scored("now", 200, 0.90, first=1_000), 0.01, "undecided"),
        (scored("now", 19, 0.90), 0.05, "undecided"),
    ],
)
def test_a_drop_of_a_score_is_held_against_its_bound(now: Run, limit: float, outcome: str) -> None:
    promise = gate("<=", limit, metric="score_drop:good")
    found = measure(Facts(run=now, before=scored("before", 400, 0.90)), promise)
    assert judge(promise, found.estimate, now=NOW, missing=found.missing).outcome == outcome


def test_columns_that_drifted_are_counted_and_named() -> None:
    before, promise = scored("before", 400, 0.9), gate("<=", 0, metric="drifted_columns")
    alike = measure(Facts(run=scored("now", 400, 0.9), before=before), promise)
    assert alike.estimate is not None
    assert alike.estimate.value == 0
    other = measure(Facts(run=scored("now", 400, 0.9, style=0.8), before=before), promise)
    assert other.estimate is not None
    assert (other.estimate.value, other.source) == (1, "columns of outputs that differ (style), against before")


@pytest.mark.parametrize("metric", ["drifted_columns", "score_drop:good"])
def test_too_little_data_for_drift_is_an_outcome_of_its_own(metric: str) -> None:
    promise = gate("<=", 0, metric=metric)
    few = measure(Facts(run=scored("now", 400, 0.9), before=scored("before", 19, 0.9)), promise)
    assert (few.estimate, few.missing) == (None, "Drift takes 20 outputs a side, and the baseline has 19.")
    alone = measure(Facts(run=scored("now", 400, 0.9)), promise)
    assert (alone.estimate, alone.missing) == (None, "The run was compared with no baseline.")
    assert judge(promise, None, now=NOW, missing=few.missing).outcome == "undecided"
