"""A run against a baseline: what each test is called, and why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.results.compare import STUCK, Comparison, compare, judged
from qa_agents.results.history import history_of
from tests.unit.results.builders import history, result, run


def kinds(found: Comparison) -> dict[str, str]:
    return {change.test_id: change.kind for change in found.changes}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("P" * 20 + "F", "new"),
        ("P" * 20 + "FF", "still"),
        ("P" * 20 + "FFFF", "still"),
        ("PPPFPPPFPPFPPPPF", "flaky"),
        ("P" * 20 + "FFP", "fixed"),
        ("P" * 20, None),
        ("P" * 20 + "S", "skipped"),
        ("P" * 19 + "S" + "F", "new"),
        ("P" * 20 + ".", "missing"),
        ("F", "new"),
        ("P", "added"),
        ("F" * 20, "still"),
        ("PF", "new"),
    ],
)
def test_each_past_has_its_name(line: str, kind: str | None) -> None:
    found = compare(history({"other": "P" * len(line) if len(line) > 1 else "PP", "tests::one": line}))
    assert kinds(found).get("tests::one") == kind


def test_without_an_earlier_run_a_failure_is_only_failing() -> None:
    found = compare(history({"a": "F", "b": "P"}))
    assert kinds(found) == {"a": "failing"}
    assert found.baseline is None


def test_a_flake_says_how_often_it_flaked_with_an_interval() -> None:
    found = compare(history({"a": "PPPFPPPFPPFPPPPFPPPPPPPF"}))
    flaky = found.of("flaky")[0]
    assert flaky.rate is not None
    assert (flaky.rate.red, flaky.rate.n) == (4, 23)
    assert flaky.rate.low < 4 / 23 < flaky.rate.high
    assert "4 of 23" in flaky.why


def test_a_broken_test_says_since_when_and_when_it_passed_last() -> None:
    found = compare(history({"a": "P" * 20 + "FFF"}), baseline=18)
    change = found.of("new")[0]
    assert (change.first_red, change.last_green, change.streak) == ("r20", "r19", 3)


def test_a_suspicion_becomes_new_with_the_second_failure_and_is_named_once_more() -> None:
    flaking = {f"noise{at}": "P" * (10 + at) + "F" + "P" * (29 - at) for at in range(12)}
    suspected = compare(history({**flaking, "a": "P" * 39 + "F"}))
    confirmed = compare(history({**flaking, "a": "P" * 38 + "FF"}))
    settled = compare(history({**flaking, "a": "P" * 37 + "FFF"}))
    assert [kinds(found)["a"] for found in (suspected, confirmed, settled)] == ["suspected", "new", "still"]
    assert "12 first failures" in suspected.of("suspected")[0].why


def test_words_that_flaked_before_make_a_flake_and_new_words_do_not() -> None:
    flaking = {f"noise{at}": "P" * (5 + 2 * at) + "F" + "P" * (34 - 2 * at) for at in range(10)}
    lines = {**flaking, "a": "P" * 39 + "F"}
    known = dict.fromkeys(lines, "TimeoutError: model did not settle")
    old = compare(history(lines, messages=known)).changes
    new = compare(history(lines, messages={**known, "a": "KeyError: 'deposit'"})).changes
    belief = [next(one.broken for one in found if one.test_id == "a") or 0 for found in (old, new)]
    assert belief[0] < belief[1]


def test_tries_that_disagree_within_a_run_are_flaking_though_the_test_passed() -> None:
    passed = [run(f"r{at}", result("a"), commit=f"{at:040x}") for at in range(5)]
    retried = run("r5", result("a", attempts=("failed", "passed")), commit="f" * 40)
    found = compare(history_of([*passed, retried]))
    assert kinds(found) == {"a": "flaky"}
    assert "failed and passed within this run" in found.changes[0].why


def test_a_test_that_stands_twice_in_a_run_is_red_if_either_is() -> None:
    found = compare(history_of([run("r0", result("a")), run("r1", result("a"), result("a", "failed"))]))
    assert found.counts["failed"] == 1
    assert kinds(found)["a"] in ("new", "flaky")


def test_only_tests_that_ran_regularly_are_missed() -> None:
    found = compare(history({"regular": "P" * 30 + ".", "now and then": "PP.P.P..PP" * 3 + ".", "other": "P" * 31}))
    assert kinds(found) == {"regular": "missing"}


def test_a_renamed_test_is_recognised() -> None:
    found = compare(history({"old.module::test_pays": "P" * 9 + ".", "new.module::test_pays": "." * 9 + "P"}))
    assert found.of("missing")[0].renamed_to == "new.module::test_pays"


def test_a_named_baseline_is_held_against_the_run_whatever_lies_between() -> None:
    past = history({"a": "P" * 20 + "FFFF"})
    assert kinds(compare(past, baseline=10)) == {"a": "new"}
    assert kinds(compare(past, baseline=22)) == {"a": "still"}
    with pytest.raises(ValueError, match="before the run"):
        compare(past, baseline=23)


def test_the_plain_difference_is_counted_beside() -> None:
    found = compare(history({"a": "PPPFPPPFPPFPPPPF", "b": "P" * 15 + "F"}))
    assert found.plain_new == 2
    assert len(found.of("new")) == 1


def test_runs_after_the_one_in_question_are_not_looked_at() -> None:
    past = history({"a": "P" * 20 + "F" + "P" * 5})
    assert kinds(compare(past, current=20)) == {"a": "new"}


@settings(max_examples=25)
@given(st.lists(st.text(alphabet="PPPPFFS.", min_size=24, max_size=24), min_size=2, max_size=5), st.integers(0, 4))
def test_nothing_is_called_broken_before_that_was_never_named(lines: list[str], which: int) -> None:
    lines[which % len(lines)] = lines[0][: 24 - STUCK] + "F" * STUCK
    past = history(dict(enumerate_names(lines)), messages={"t0": "TimeoutError: slow", "t1": "TimeoutError: slow"})
    named: set[tuple[str, str]] = set()
    for column in range(1, 24):
        for change in judged(past, baseline=column - 1, current=column):
            streak = change.test_id, change.first_red
            if change.kind in ("new", "suspected"):
                named.add(streak)
            assert change.kind != "still" or streak in named or change.first_red == "r0"
            assert change.streak < STUCK or streak in named or change.first_red == "r0"


def enumerate_names(lines: list[str]) -> list[tuple[str, str]]:
    return [(f"t{at}", line) for at, line in enumerate(lines)]


def test_a_first_failure_on_the_commit_that_had_passed_is_suspected_and_never_called_a_known_flake() -> None:
    found = compare(history({"a": "PPP", "b": "PPF"}, commits=["c1", "c2", "c2"])).changes[0]
    assert (found.test_id, found.kind) == ("b", "suspected")
    assert "on the very commit on which it had passed, and never before" in found.why
