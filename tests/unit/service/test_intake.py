"""Group commit: one flush for many, nothing acknowledged that was not stored, no request that spoils its neighbours."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from qa_agents.errors import StorageError
from qa_agents.runtime.intake import Delivery, Stored
from qa_agents.service.intake import MAX_BATCH, GroupCommit, OverloadedError


def delivery(number: int, body: bytes = b"{}") -> Delivery:
    return Delivery("main", "webhook", f"d{number}", body, f"{number:064d}", 0.0)


class Disk:
    """Appends to a list; may be held up, full, or offended by one body."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.stored: list[Delivery] = []
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()
        self.error: Exception | None = None

    def append(self, deliveries: Sequence[Delivery]) -> list[Stored]:
        self.begun.set()
        assert self.free.wait(30)
        if self.error is not None:
            raise self.error
        if any(one.body == b"poison" for one in deliveries):
            raise ValueError("this cannot be written")
        self.batches.append(len(deliveries))
        self.stored += deliveries
        return ["new" for _ in deliveries]


def run(work: Callable[[GroupCommit], Any], disk: Disk, **options: Any) -> Any:
    async def whole() -> Any:
        writer = GroupCommit(disk.append, **{"limit": 10_000, **options})
        writer.start()
        try:
            return await work(writer)
        finally:
            disk.free.set()
            await asyncio.to_thread(writer.stop)

    return asyncio.run(whole())


async def begun(disk: Disk) -> None:
    assert await asyncio.to_thread(disk.begun.wait, 30)


def test_what_comes_during_one_flush_shares_the_next() -> None:
    disk = Disk()

    async def work(writer: GroupCommit) -> None:
        disk.free.clear()
        first = writer.submit(delivery(0))
        await begun(disk)
        rest = [writer.submit(delivery(n)) for n in range(1, 101)]
        assert not first.done()
        disk.free.set()
        assert await asyncio.gather(first, *rest) == ["new"] * 101

    run(work, disk)
    assert disk.batches == [1, 100]
    assert [one.delivery for one in disk.stored] == [f"d{n}" for n in range(101)]


def test_a_batch_has_a_limit() -> None:
    disk = Disk()

    async def work(writer: GroupCommit) -> None:
        disk.free.clear()
        futures = [writer.submit(delivery(0))]
        await begun(disk)
        futures += [writer.submit(delivery(n)) for n in range(MAX_BATCH + 1)]
        disk.free.set()
        await asyncio.gather(*futures)

    run(work, disk)
    assert max(disk.batches) == MAX_BATCH


def test_with_a_full_queue_the_next_is_refused_and_the_others_are_stored() -> None:
    disk = Disk()

    async def work(writer: GroupCommit) -> None:
        disk.free.clear()
        futures = [writer.submit(delivery(0))]
        await begun(disk)
        futures += [writer.submit(delivery(n)) for n in (1, 2)]
        with pytest.raises(OverloadedError):
            writer.submit(delivery(3))
        disk.free.set()
        await asyncio.gather(*futures)

    run(work, disk, limit=2)
    assert [one.delivery for one in disk.stored] == ["d0", "d1", "d2"]


def test_a_stalled_disk_refuses_and_is_said() -> None:
    disk, now = Disk(), [0.0]

    async def work(writer: GroupCommit) -> None:
        disk.free.clear()
        waiting = writer.submit(delivery(0))
        await begun(disk)
        now[0] += 1.5
        assert writer.stalled_seconds == 1.5
        with pytest.raises(OverloadedError):
            writer.submit(delivery(1))
        disk.free.set()
        assert await waiting == "new"

    run(work, disk, clock=lambda: now[0])


def test_when_the_database_fails_everybody_who_waited_is_told() -> None:
    disk = Disk()
    disk.error = StorageError("The disk is full.")

    async def work(writer: GroupCommit) -> None:
        answers = await asyncio.gather(*(writer.submit(delivery(n)) for n in range(3)), return_exceptions=True)
        assert all(isinstance(answer, StorageError) for answer in answers)
        disk.error = None
        assert await writer.submit(delivery(9)) == "new"

    run(work, disk)


def test_one_that_cannot_be_written_does_not_cost_its_neighbours() -> None:
    disk = Disk()

    async def work(writer: GroupCommit) -> None:
        disk.free.clear()
        first = writer.submit(delivery(0))
        await begun(disk)
        mixed = [writer.submit(delivery(n, b"poison" if n == 2 else b"{}")) for n in (1, 2, 3)]
        disk.free.set()
        assert await first == "new"
        answers = await asyncio.gather(*mixed, return_exceptions=True)
        assert [isinstance(answer, ValueError) for answer in answers] == [False, True, False]

    run(work, disk)
    assert [one.delivery for one in disk.stored] == ["d0", "d1", "d3"]


def test_who_gave_up_waiting_is_stored_all_the_same() -> None:
    disk = Disk()

    async def work(writer: GroupCommit) -> None:
        disk.free.clear()
        given_up = writer.submit(delivery(0))
        await begun(disk)
        given_up.cancel()
        disk.free.set()
        assert await writer.submit(delivery(1)) == "new"

    run(work, disk)
    assert len(disk.stored) == 2


def test_what_was_submitted_is_stored_before_the_end_and_nothing_is_taken_after_it() -> None:
    disk = Disk()

    async def whole() -> None:
        writer = GroupCommit(disk.append, limit=100)
        with pytest.raises(OverloadedError):
            writer.submit(delivery(0))
        writer.start()
        futures = [writer.submit(delivery(n)) for n in range(20)]
        await asyncio.to_thread(writer.stop)
        assert await asyncio.gather(*futures) == ["new"] * 20
        with pytest.raises(OverloadedError):
            writer.submit(delivery(99))

    asyncio.run(whole())
    assert len(disk.stored) == 20
