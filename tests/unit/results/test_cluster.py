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


JAVA = """java.lang.IllegalStateException: Failed to load ApplicationContext for [WebMergedContextConfiguration {test}]
\tat org.spring.TestContext.load(TestContext.java:{line})
\tat com.acme.{test}.setUp({test}.java:12)
Caused by: java.net.ConnectException: Connection refused: {host}
\tat java.base/sun.nio.ch.Net.connect(Net.java:555)
\tat com.acme.Db.open(Db.java:{place})
"""
PYTHON = """Traceback (most recent call last):
  File "src/app/db.py", line 41, in connect
    raise PoolError(f"no connection to {{name}}")
app.db.PoolError: no connection to the ledger

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "tests/{test}.py", line {line}, in fixture
    raise SetupError("...")
conftest.SetupError: {words}
"""


def java(test: str, *, place: int = 33, host: str = "db") -> str:
    return JAVA.format(test=test, line=len(test), place=place, host=host)


def test_one_server_that_is_down_is_one_cause_across_suites_whatever_each_wraps_it_in() -> None:
    tests = ("OrderTest", "StockTest", "RefundAndChargebackTest")
    results = [
        result(f"com.acme.{test}::{at}", "error", f"{test} could not begin: {'x' * 9 * at}", details=java(test))
        for test in tests
        for at in range(3)
    ]
    (found,) = causes(run("now", *results), *green(*(one.test_id for one in results)))
    assert (found.size, found.suites, found.extent) == (9, 3, "9 tests in 3 suites")


def test_one_shared_fixture_is_one_cause_across_suites() -> None:
    said = {"test_a": "the billing fixture went away", "test_b": "stock has no ledger to write its movements to"}
    results = [
        result(f"{name}::one", "error", words, details=PYTHON.format(test=name, line=9, words=words))
        for name, words in said.items()
    ]
    assert [one.extent for one in causes(run("now", *results))] == ["2 tests in 2 suites"]


def test_what_differs_in_type_or_in_place_and_words_stays_apart() -> None:
    one = result("a.A::1", "error", "first of all, this", details=java("A"))
    elsewhere = result("b.B::1", "error", "something else entirely", details=java("B", place=99))
    other_type = result(
        "c.C::1", "error", "a third thing", details=java("C").replace("net.ConnectException", "net.BindException")
    )
    said_apart = result("d.D::1", "failed", "and a fourth", details=java("D", host="x" * 80))
    assert len(causes(run("now", one, elsewhere, other_type, said_apart))) == 4


def test_checks_that_fail_in_one_helper_are_as_many_causes_as_they_say_things() -> None:
    def failed(name: str, said: str) -> TestResult:
        trace = f"java.lang.AssertionError: {said}\n\tat org.junit.Assert.fail(Assert.java:88)\n\tat a.{name}.run({name}.java:7)"
        return result(f"{name}::x", "failed", said, details=trace)

    assert len(causes(run("now", failed("A", "we should be waterproof"), failed("B", "the total is off by one")))) == 2


def test_like_words_without_a_type_stay_apart_when_raised_at_different_places() -> None:
    words = "the {} of the booking that was moved by the guest is not what the calendar shows"

    def failed(name: str, line: int) -> TestResult:
        trace = f'  File "tests/shared.py", line {line}, in check\n{words.format(name)}'
        return result(f"{name}::x", "failed", words.format(name), details=trace)

    assert len(causes(run("now", failed("total", 7), failed("totals", 7)))) == 1
    assert len(causes(run("now", failed("total", 7), failed("totals", 80)))) == 2


def test_a_skip_that_names_the_failed_test_it_depends_on_follows_from_it_in_any_suite() -> None:
    names = ("auth::test_login", "cart::test_add", "cart::test_pay", "misc::test_other")
    now = run(
        "now",
        result(names[0], "failed", "expected a token"),
        result(names[1], "skipped", "cart::test_add depends on auth::test_login"),
        result(names[2], "skipped", "test_pay depends on test_login"),
        result(names[3], "skipped", "depends on the phase of the moon"),
    )
    (found,) = causes(now, *green(*names))
    assert found.took_down == ("cart::test_add", "cart::test_pay")
    assert found.extent == "3 tests in 2 suites"


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
