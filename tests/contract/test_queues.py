"""What every job queue promises, on both engines: once known always known, in order per key, one holder, dead with a reason."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from qa_agents.runtime.queue import LEASE_SECONDS, Job, LostError
from qa_agents.runtime.table_queue import TableQueue, holder_name
from qa_agents.storage.engine import Database, open_database
from qa_agents.storage.tables import jobs
from tests.clock import Clock

BOTH_ENGINES = True
ME = holder_name()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(db: Database, clock: Clock) -> TableQueue:
    return TableQueue(db, clock)


def test_what_was_put_is_claimed_once_and_with_its_payload(queue: TableQueue) -> None:
    assert queue.put("a", "1", {"x": 1})
    job = queue.claim(ME)
    assert job is not None
    assert (job.key, job.payload, job.attempts) == ("a", {"x": 1}, 1)
    assert queue.claim(ME) is None


def test_a_dedup_id_is_known_for_ever_even_after_its_job_is_done(queue: TableQueue) -> None:
    queue.put("a", "1", {})
    job = queue.claim(ME)
    assert job
    queue.done(job)
    assert not queue.put("a", "1", {})
    assert not queue.put("b", "1", {})
    assert queue.claim(ME) is None


def test_jobs_of_one_key_come_in_order_and_one_at_a_time_while_other_keys_go_on(queue: TableQueue) -> None:
    for number, key in enumerate("aab"):
        queue.put(key, str(number), {"n": number})
    first, other = queue.claim(ME), queue.claim("elsewhere:1")
    assert first
    assert other
    assert (first.payload["n"], other.payload["n"]) == (0, 2)
    assert queue.claim(ME) is None
    queue.done(first)
    second = queue.claim(ME)
    assert second
    assert second.payload["n"] == 1


def test_a_failed_job_comes_back_before_later_jobs_of_its_key(queue: TableQueue, clock: Clock) -> None:
    queue.put("a", "1", {"n": 1})
    queue.put("a", "2", {"n": 2})
    job = queue.claim(ME)
    assert job
    queue.fail(job, "no luck", retry_in=10)
    assert queue.claim(ME) is None
    clock.now += 10
    again = queue.claim(ME)
    assert again
    assert (again.payload["n"], again.attempts) == (1, 2)


def test_a_dead_job_keeps_its_reason_and_lets_later_ones_pass(queue: TableQueue) -> None:
    queue.put("a", "1", {"n": 1})
    queue.put("a", "2", {"n": 2})
    job = queue.claim(ME)
    assert job
    queue.fail(job, "never \x00 works", retry_in=None)
    following = queue.claim(ME)
    assert following
    assert following.payload["n"] == 2
    assert queue.backlog().states == {"dead": 1, "doing": 1}


def test_an_uncounted_failure_is_forgotten(queue: TableQueue) -> None:
    queue.put("a", "1", {})
    for _ in range(3):
        job = queue.claim(ME)
        assert job
        assert job.attempts == 1
        queue.fail(job, "the tracker is down", retry_in=0, counted=False)


def test_a_released_job_is_as_it_was(queue: TableQueue) -> None:
    queue.put("a", "1", {})
    job = queue.claim(ME)
    assert job
    queue.release(job)
    again = queue.claim(ME)
    assert again
    assert (again.attempts, again.token) == (1, 2)


def test_a_lease_that_ran_out_goes_to_the_next_and_the_former_holder_is_refused(
    queue: TableQueue, clock: Clock
) -> None:
    queue.put("a", "1", {})
    former = queue.claim("elsewhere:1")
    assert former
    clock.now += LEASE_SECONDS / 2
    queue.extend(former)
    clock.now += LEASE_SECONDS * 0.75
    assert queue.claim(ME) is None
    clock.now += LEASE_SECONDS
    current = queue.claim(ME)
    assert current
    assert current.token > former.token
    refused: list[Callable[[], None]] = [
        lambda: queue.done(former),
        lambda: queue.extend(former),
        lambda: queue.release(former),
        lambda: queue.fail(former, "late", retry_in=None),
    ]
    for late in refused:
        with pytest.raises(LostError):
            late()
    queue.done(current)


def test_what_a_dead_process_of_this_machine_held_is_free_at_once(queue: TableQueue) -> None:
    queue.put("a", "1", {})
    assert queue.claim(f"{ME.rpartition(':')[0]}:999999999")
    assert queue.claim(ME) is None
    assert queue.reclaim() == 1
    assert queue.claim(ME) is not None
    assert queue.reclaim() == 0


def test_a_job_is_not_due_before_its_delay_is_over(queue: TableQueue, clock: Clock) -> None:
    queue.put("a", "1", {}, delay=5)
    assert queue.claim(ME) is None
    assert queue.backlog().oldest_seconds == 0
    clock.now += 5
    assert queue.claim(ME) is not None


def test_a_burst_is_collapsed_into_the_job_that_waits_and_carries_the_newest_payload(
    queue: TableQueue, clock: Clock
) -> None:
    for number in range(5):
        assert queue.put("a", str(number), {"n": number}, delay=5, collapse=True)
        clock.now += 1
    assert not queue.put("a", "3", {"n": 3}, delay=5, collapse=True)
    clock.now += 4
    job = queue.claim(ME)
    assert job
    assert job.payload == {"n": 4}
    assert queue.backlog().states == {"doing": 1, "merged": 4}
    assert queue.put("a", "later", {}, collapse=True)
    assert queue.backlog().states["todo"] == 1


def test_an_endless_burst_does_not_put_a_job_off_for_ever(queue: TableQueue, clock: Clock) -> None:
    for number in range(100):
        queue.put("a", str(number), {}, delay=5, collapse=True)
        clock.now += 1
    assert queue.claim(ME) is not None


def test_recent_counts_what_ended_well(queue: TableQueue, clock: Clock) -> None:
    for number in range(2):
        queue.put("a", str(number), {})
        job = queue.claim(ME)
        assert job
        queue.done(job)
        clock.now += 100
    assert queue.recent("a", clock.now - 150) == 1
    assert queue.recent("a", 0) == 2
    assert queue.recent("b", 0) == 0


def test_racing_workers_do_every_job_once_and_in_order(db: Database) -> None:
    queue = TableQueue(db)
    for number in range(40):
        queue.put(f"issue {number % 4}", str(number), {"n": number})
    done: list[tuple[str, int]] = []

    def work(name: str) -> None:
        while (job := queue.claim(name)) is not None or queue.backlog().states.get("todo"):
            if job is not None:
                done.append((job.key, job.payload["n"]))
                queue.done(job)

    threads = [threading.Thread(target=work, args=(f"elsewhere:{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(n for _, n in done) == list(range(40))
    for key in {key for key, _ in done}:
        mine = [n for own, n in done if own == key]
        assert mine == sorted(mine)


def test_a_job_that_is_put_back_by_a_person_waits_for_a_later_one_that_is_in_hand(
    queue: TableQueue, db: Database
) -> None:
    queue.put("a", "1", {"n": 1})
    first = queue.claim(ME)
    assert first
    queue.fail(first, "never works", retry_in=None)
    queue.put("a", "2", {"n": 2})
    later = queue.claim(ME)
    assert later
    with db.write() as connection:
        connection.execute(update(jobs).where(jobs.c.pk == first.id).values(state="todo", attempts=0))
    assert queue.claim(ME) is None
    queue.done(later)
    again = queue.claim(ME)
    assert again
    assert again.id == first.id


def test_the_database_itself_refuses_two_jobs_of_a_key_in_hand(queue: TableQueue, db: Database) -> None:
    for number in range(2):
        queue.put("a", str(number), {})
    with pytest.raises(IntegrityError), db.write() as connection:
        connection.execute(update(jobs).values(state="doing"))


def test_what_is_merged_in_the_moment_of_a_claim_is_seen_by_a_later_look(queue: TableQueue, db: Database) -> None:
    """The claim may come before the merge or after it, and never gets half of both."""
    queue.put("a", "1", {"n": 1})
    claimed: list[Job | None] = []
    racing = threading.Thread(target=lambda: claimed.append(queue.claim(ME)))
    with db.write() as connection:
        assert queue.put_within(connection, "a", "2", {"n": 2}, collapse=True)
        racing.start()
        if db.dialect == "postgresql":  # it passes over what is being merged, and waits for nobody
            racing.join(60)
            assert claimed == [None]
    racing.join(60)
    job = claimed[0] or queue.claim(ME)
    assert job
    assert job.payload == {"n": 2}


def test_a_claim_waits_for_no_writer(queue: TableQueue, db: Database) -> None:
    if db.dialect != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    queue.put("a", "1", {})
    done: list[Job] = []

    def work() -> None:
        job = queue.claim(ME)
        assert job
        queue.extend(job)
        queue.done(job)
        done.append(job)

    with db.write():
        worker = threading.Thread(target=work)
        worker.start()
        worker.join(60)
        assert len(done) == 1


def test_a_second_process_sees_the_same_queue(queue: TableQueue, db: Database, clock: Clock) -> None:
    queue.put("a", "1", {})
    url = db._engine.url
    target = url.render_as_string(hide_password=False)
    other = open_database(target) if db.dialect == "postgresql" else db
    assert TableQueue(other, clock).claim("elsewhere:1") is not None
    assert queue.claim(ME) is None
    if other is not db:
        other.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from("pcdfrx"), st.integers(0, 2)), max_size=30))
def test_whatever_happens_each_key_has_one_holder_and_keeps_its_order(
    db: Database, steps: list[tuple[str, int]]
) -> None:
    clock = Clock()
    queue, prefix = TableQueue(db, clock), f"{id(steps)}-{len(steps)}"
    for left in iter(lambda: queue.claim(ME), None):  # what an earlier example left behind
        queue.done(left)
    held: list = []
    finished: dict[str, int] = {}
    for number, (what, key) in enumerate(steps):
        if what == "p":
            queue.put(f"k{key}", f"{prefix}-{number}-{clock.now}", {"n": number})
        elif what == "c" and (job := queue.claim("elsewhere:1")):
            assert job.key not in {other.key for other in held}
            assert job.payload["n"] > finished.get(job.key, -1)
            held.append(job)
        elif what == "x":
            clock.now += LEASE_SECONDS + 1
            held.clear()
        elif held:
            job = held.pop(key % len(held))
            if what == "d":
                queue.done(job)
                finished[job.key] = job.payload["n"]
            elif what == "f":
                queue.fail(job, "no", retry_in=0)
            else:
                queue.release(job)
    clock.now += 10 * LEASE_SECONDS
    for left in iter(lambda: queue.claim(ME), None):
        queue.done(left)
