"""Causes: the same words, nearly the same, and one broken set-up that takes others down."""

from qa_agents.results.cluster import Cause, cluster
from qa_agents.results.compare import compare
from qa_agents.results.history import history_of
from qa_agents.results.schema import Run, TestResult
from tests.unit.results.builders import result, run


def causes(now: Run, *before: Run) -> list[Cause]:
    past = history_of([*before, now])
    return cluster(now, compare(past), past)


def green(*names: str) -> list[Run]:
    return [run(f"r{at}", *(result(name) for name in names), commit=f"{at:040x}") for at in range(8)]


def test_failures_that_say_the_same_are_one_cause() -> None:
    found = causes(
        run(
            "now",
            result("a::1", "failed", "connect to 10.0.0.1:5432 refused"),
            result("b::2", "failed", "connect to 10.0.7.9:5432 refused"),
            result("b::3", "failed", "KeyError: 'deposit'"),
        ),
        *green("a::1", "b::2", "b::3"),
    )
    assert [(one.id, set(one.tests)) for one in found] == [("C1", {"a::1", "b::2"}), ("C2", {"b::3"})]
    assert found[0].title == "connect to 10.0.0.1:5432 refused"


def test_nearly_the_same_words_are_one_cause_but_not_of_two_types() -> None:
    words = "the {} of the booking that was moved by the guest is not what the calendar shows"
    alike = [result(f"s::{at}", "failed", words.format(at)) for at in ("total", "totals")]
    other = result("s::x", "failed", f"ValueError: {words.format('total')}")
    typed = result("s::y", "failed", f"KeyError: {words.format('total')}")
    found = causes(run("now", *alike, other, typed))
    homes = {name: one.id for one in found for name in one.tests}
    assert homes["s::total"] == homes["s::totals"]
    assert homes["s::x"] != homes["s::y"]


def test_a_broken_set_up_and_everything_it_took_down_is_one_cause() -> None:
    names = [f"suite.Deploy::test_{at:02d}" for at in range(40)]
    results: list[TestResult] = [result(names[0], "error", "error at setup: fixture 'charm' timed out")]
    results += [result(name, "skipped", "aborted") for name in names[1:20]]
    results += [result(name, "error", f"error at setup of test {at}: no charm") for at, name in enumerate(names[20:])]
    found = causes(run("now", *results), *green(*names))
    assert len(found) == 1
    assert found[0].size == 40
    assert found[0].tests[0] == names[0]


def test_skips_elsewhere_are_not_taken_for_a_cascade() -> None:
    found = causes(
        run("now", result("a::1", "failed", "boom went the engine"), result("b::2", "skipped", "needs Windows")),
        *green("a::1"),
    )
    assert found[0].took_down == ()


def test_failures_without_words_are_put_together_by_suite_only() -> None:
    found = causes(run("now", result("a::1", "failed"), result("a::2", "failed"), result("b::3", "failed")))
    assert sorted(len(one.tests) for one in found) == [1, 2]


def test_a_cause_knows_since_when_it_was_seen() -> None:
    before = green("a::1", "b::2")
    early = run("early", result("a::1", "failed", "no leader elected in time"), result("b::2"))
    now = run("now", result("a::1"), result("b::2", "failed", "no leader elected in time"))
    found = causes(now, *before, early)
    assert (found[0].first_seen, found[0].seen_runs) == ("early", 2)


def test_the_most_serious_cause_comes_first_whatever_its_size() -> None:
    flaking = [
        run(
            f"r{at}",
            *(result(f"f::{n}", "failed" if (at + n) % 3 == 0 else "passed", "timed out waiting") for n in range(4)),
            result("a::1"),
            commit=f"{at:040x}",
        )
        for at in range(24)
    ]
    now = run(
        "now",
        *(result(f"f::{n}", "failed", "timed out waiting") for n in (0, 3)),
        result("a::1", "failed", "broken now"),
    )
    found = causes(now, *flaking)
    assert [one.kind for one in found] == ["new", "flaky"]


def test_thousands_of_different_failures_are_clustered_in_reasonable_time() -> None:
    results = [
        result(f"s::{at}", "failed", f"{chr(97 + at % 26) * (5 + at % 40)} went wrong in {at}") for at in range(3_000)
    ]
    assert sum(len(one.tests) for one in causes(run("now", *results))) == 3_000
