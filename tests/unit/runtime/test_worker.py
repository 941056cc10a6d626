"""A worker: what it finishes, what it gives back, what it gives up, and that it ends between jobs."""

import threading
from typing import Any

import pytest

from qa_agents.errors import InvalidInputError, StorageError, UnavailableError, WorkspaceBusyError
from qa_agents.runtime.table_queue import TableQueue
from qa_agents.runtime.worker import MAX_ATTEMPTS, Worker
from qa_agents.storage.engine import Database
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(db: Database, clock: Clock) -> TableQueue:
    return TableQueue(db, clock)


def drain(queue: TableQueue, handler: Any, **options: Any) -> int:
    worker = Worker(queue, {"it": handler}, jitter=lambda: 1.0, **options)
    return worker.run(threading.Event(), until_empty=True)


def test_it_does_what_is_due_in_order_and_ends_when_nothing_is(queue: TableQueue) -> None:
    seen: list[int] = []
    for number in range(3):
        queue.put("a", str(number), {"do": "it", "n": number})
    assert drain(queue, lambda payload: seen.append(payload["n"])) == 3
    assert seen == [0, 1, 2]
    assert queue.backlog().states == {"done": 3}


def test_a_poison_job_is_dead_after_so_many_attempts_with_its_reason(queue: TableQueue, clock: Clock) -> None:
    queue.put("a", "1", {"do": "it"})

    def fail(_: object) -> None:
        raise InvalidInputError("The issue makes no sense.")

    attempts = 0
    while queue.backlog().states != {"dead": 1}:
        attempts += drain(queue, fail)
        clock.now += 10_000
        assert attempts <= MAX_ATTEMPTS
    assert attempts == MAX_ATTEMPTS


def test_a_job_that_kills_its_worker_every_time_is_dead_before_it_is_tried_again(
    queue: TableQueue, clock: Clock
) -> None:
    queue.put("a", "1", {"do": "it"})
    for _ in range(MAX_ATTEMPTS):
        assert queue.claim("elsewhere:1")
        clock.now += 10_000
    touched: list[object] = []
    drain(queue, touched.append)
    assert touched == []
    assert queue.backlog().states == {"dead": 1}


@pytest.mark.parametrize("error", [UnavailableError("Jira is down."), StorageError("The disk is full.")])
def test_an_outage_costs_no_attempt_however_long_it_lasts(queue: TableQueue, clock: Clock, error: Exception) -> None:
    queue.put("a", "1", {"do": "it"})

    def down(_: object) -> None:
        raise error

    for _ in range(3 * MAX_ATTEMPTS):
        assert drain(queue, down) == 1
        clock.now += 10_000
    assert queue.backlog().states == {"todo": 1}
    assert drain(queue, lambda _: None) == 1
    assert queue.backlog().states == {"done": 1}


def test_an_unknown_kind_of_job_is_kept_as_dead(queue: TableQueue, clock: Clock) -> None:
    queue.put("a", "1", {"do": "something from a newer release"})
    for _ in range(MAX_ATTEMPTS):
        drain(queue, lambda _: None)
        clock.now += 10_000
    assert queue.backlog().states == {"dead": 1}


def test_told_to_stop_it_finishes_the_job_in_hand_and_leaves_the_others(queue: TableQueue) -> None:
    stop = threading.Event()
    for number in range(3):
        queue.put(f"k{number}", str(number), {"do": "it"})
    worker = Worker(queue, {"it": lambda _: stop.set()})
    assert worker.run(stop) == 1
    assert queue.backlog().states == {"done": 1, "todo": 2}


def test_while_the_workspace_cannot_be_used_it_rests_and_goes_on(
    queue: TableQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa_agents.runtime.worker.RESTING_SECONDS", 0)
    errors: list[Exception] = [WorkspaceBusyError("Another process owns the index."), StorageError("It is locked.")]

    def before() -> bool:
        if errors:
            raise errors.pop()
        return False

    queue.put("a", "1", {"do": "it"})
    assert drain(queue, lambda _: None, before=before) == 1
    assert errors == []


def test_a_job_that_takes_long_keeps_its_lease(queue: TableQueue, clock: Clock) -> None:
    queue.put("a", "1", {"do": "it"})
    extended = threading.Event()
    extend = queue.extend

    def seen(job: Any) -> None:
        extend(job)
        extended.set()

    queue.extend = seen  # type: ignore[method-assign]
    drain(queue, lambda _: extended.wait(30), beat_seconds=0.01)
    assert extended.is_set()
    assert queue.backlog().states == {"done": 1}


def test_what_was_taken_over_meanwhile_is_not_ended_twice(queue: TableQueue, clock: Clock) -> None:
    queue.put("a", "1", {"do": "it"})

    def slow(_: object) -> None:
        clock.now += 10_000
        assert queue.claim("elsewhere:1") is not None

    drain(queue, slow)
    assert queue.backlog().states == {"doing": 1}


def test_while_everything_is_out_of_reach_it_asks_less_and_less_often(queue: TableQueue) -> None:
    for number in range(12):
        queue.put(str(number), str(number), {"do": "it"})
    rests: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rests.append(timeout or 0.0)
            return False

    def reach(payload: dict[str, Any]) -> None:
        if len(rests) < 6:
            raise UnavailableError("Jira does not let this account in.")

    Worker(queue, {"it": reach}, jitter=lambda: 1.0).run(Stop(), until_empty=True)
    assert rests == [2, 4, 8, 15, 15, 15]
    assert queue.backlog().states == {"todo": 7, "done": 5}
