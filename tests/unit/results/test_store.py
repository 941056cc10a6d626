"""Runs that are kept: once each, found again, read back as they were, and let go in a stated way."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from qa_agents.errors import ConflictError, NotFoundError, StorageError, UsageError
from qa_agents.results.packing import OUTCOMES, pack_columns, unpack_columns
from qa_agents.results.schema import Coverage, ReadFile, Run, RunInfo, ScoredOutput, TestResult
from qa_agents.results.store import RunStore
from qa_agents.storage.engine import Database

BOTH_ENGINES = True
DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run_of(
    run_id: str = "r1", *results: TestResult, branch: str = "main", commit: str = "c0ffee", days: int | None = 0
) -> Run:
    at = None if days is None else DAY + timedelta(days=days)
    info = RunInfo(run_id=run_id, branch=branch, commit=commit, at=at)
    return Run(info=info, results=results or (TestResult(name="t", outcome="passed"),))


def test_a_run_comes_back_as_it_was_added(db: Database) -> None:
    run = Run(
        info=RunInfo(run_id="r1", commit="abc", branch="main", environment="linux", at=DAY),
        results=(
            TestResult(name="ok", suite="a.B", outcome="passed", seconds=0.123456),
            TestResult(name="ok", suite="a.B", outcome="passed"),
            TestResult(name="bad [ü]", outcome="failed", message="no", details="trace\nline", file="t.py", line=3),
            TestResult(name="shaky", outcome="passed", attempts=("failed", "passed"), tags=("req:7",)),
            TestResult(name="not run", outcome="skipped", message="on Windows only", seconds=0.0),
            TestResult(name="broke", outcome="error", seconds=4_000.5),
        ),
        outputs=(
            ScoredOutput(case_id="q1", scores={"exact": 1.0}, latency_ms=12.5, groups={"language": "de"}, at=DAY),
        ),
        coverage=Coverage(lines_covered=3, lines_total=4),
        files=(ReadFile(name="junit.xml", flavour="JUnit XML", tests=6, notes=("It ends in the middle.",)),),
    )
    store = RunStore(db)
    assert store.add(run) == ("r1", True)
    assert store.get("r1") == run


def test_the_same_run_added_twice_is_one_run(db: Database) -> None:
    store = RunStore(db)
    assert store.add(run_of()).is_new
    assert not store.add(run_of()).is_new
    assert len(store.find()) == 1


def test_another_run_under_a_known_id_is_refused(db: Database) -> None:
    store = RunStore(db)
    store.add(run_of("r1"))
    with pytest.raises(ConflictError, match="Another run is already kept as r1"):
        store.add(run_of("r1", TestResult(name="t", outcome="failed")))


def test_runs_are_found_by_where_they_come_from_newest_first(db: Database) -> None:
    store = RunStore(db)
    store.add(run_of("late", days=2, commit="bbb222"))
    store.add(run_of("early", days=0, commit="aaa111"))
    store.add(run_of("middle", TestResult(name="t", outcome="error"), days=1, commit="aaa222"))
    store.add(run_of("other", days=1, branch="feature"))
    assert [run.info.run_id for run in store.find(branch="main")] == ["late", "middle", "early"]
    assert [run.info.run_id for run in store.find(commit="aaa")] == ["middle", "early"]
    assert [run.info.run_id for run in store.find(branch="main", before="middle")] == ["early"]
    assert [run.info.run_id for run in store.find(branch="main", green=True, limit=1)] == ["late"]
    found = store.last_green(branch="main", before="late")
    assert found is not None
    assert found.info.run_id == "early"
    assert store.last_green(branch="nowhere") is None
    assert store.find(commit="%") == []


def test_a_run_without_results_is_not_green(db: Database) -> None:
    store = RunStore(db)
    store.add(Run(info=RunInfo(run_id="empty")))
    assert store.last_green() is None


def test_outlines_name_the_same_test_by_the_same_key(db: Database) -> None:
    store = RunStore(db)
    store.add(run_of("1", TestResult(name="a", outcome="passed", seconds=1), TestResult(name="b", outcome="failed")))
    store.add(run_of("2", TestResult(name="b", outcome="passed", attempts=("error", "passed")), days=1))
    newest, oldest = (store.outline(head.info.run_id) for head in store.find(branch="main"))
    keys = {name.test_id: key for key, name in store.tests().items()}
    assert set(keys) == {"a", "b"}
    assert oldest.columns.tests.tolist() == [keys["a"], keys["b"]]
    assert newest.columns.tests.tolist() == [keys["b"]]
    assert newest.columns.inconsistent.tolist() == [True]
    assert oldest.columns.red.tolist() == [False, True]
    assert oldest.columns.seconds[0] == 1.0
    assert np.isnan(oldest.columns.seconds[1])
    assert store.tests([keys["a"]])[keys["a"]].test_id == "a"


def test_failures_are_read_without_the_rest(db: Database) -> None:
    store = RunStore(db)
    bad = TestResult(name="b", suite="s", outcome="failed", message="no")
    store.add(run_of("1", TestResult(name="a", outcome="passed"), bad))
    assert store.outline("1").failures == (bad,)


def test_pruning_keeps_the_newest_the_last_green_and_the_pinned(db: Database) -> None:
    store = RunStore(db)
    red = TestResult(name="t", outcome="failed")
    store.add(run_of("old", red, days=0))
    store.add(run_of("pinned", red, days=1))
    store.add(run_of("green", days=2))
    store.add(run_of("red", red, days=3))
    store.add(run_of("new", red, days=4))
    store.pin("pinned", "the release 1.0")
    assert [run.info.run_id for run in store.prunable(keep=1)] == ["red", "old"]
    assert [run.info.run_id for run in store.prunable(older_than=DAY + timedelta(days=1))] == ["old"]
    assert [run.info.run_id for run in store.prunable(keep=2, older_than=DAY + timedelta(days=3, hours=1))] == ["old"]
    with pytest.raises(UsageError):
        store.prunable()


def test_removing_a_run_forgets_tests_that_no_run_knows(db: Database) -> None:
    store = RunStore(db)
    store.add(run_of("1", TestResult(name="gone", outcome="passed"), TestResult(name="stays", outcome="passed")))
    store.add(run_of("2", TestResult(name="stays", outcome="passed"), days=1))
    assert store.remove(["1", "unknown"]) == 1
    assert [name.name for name in store.tests().values()] == ["stays"]
    with pytest.raises(NotFoundError, match="No run is kept as 1"):
        store.get("1")


def test_unknown_runs_are_said_to_be_unknown(db: Database) -> None:
    store = RunStore(db)
    for ask in (store.get, store.head, store.outline):
        with pytest.raises(NotFoundError):
            ask("nope")
    with pytest.raises(NotFoundError):
        store.pin("nope", "why")


def test_names_longer_than_an_index_allows_are_kept(db: Database) -> None:
    store = RunStore(db)
    long = TestResult(name="n" * 2_000, suite="s" * 2_000, outcome="passed")
    store.add(run_of("1", long))
    assert store.get("1").results == (long,)


def test_damaged_blocks_are_reported_not_misread() -> None:
    packed = pack_columns([1, 2], [TestResult(name=str(i), outcome=outcome) for i, outcome in enumerate(OUTCOMES[:2])])
    for damaged in (packed[:-3], b"", b"\0" * 40):
        with pytest.raises(StorageError):
            unpack_columns(damaged)
