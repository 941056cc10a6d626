"""One queue worker as a process: ours, or Procrastinate's (MIT). `python -m evals.peers.queues ours|procrastinate URL FOLDER`.

Both get the same jobs and do the same: note the begin, wait, note the end. Notes go to a file of the process, so that a worker
that is killed leaves what it noted. Messages to the database are counted where psycopg sends them.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import psycopg

STALLED_CRON = "* * * * * */10"
"""Procrastinate takes up no job of a dead worker by itself: its documentation has a periodic task for it, here every 10 s."""
Job = tuple[str, int]
"""Key, and number within it."""


class Notes:
    """What a worker did, a line each, on disk at once."""

    def __init__(self, folder: Path) -> None:
        self.messages = 0
        self._file: TextIO = (folder / f"{os.getpid()}.jsonl").open("a", buffering=1)

    def work(self, key: str, number: int, seconds: float) -> None:
        """Do one job."""
        self._note("begin", key=key, number=number)
        time.sleep(seconds)
        self._note("end", key=key, number=number)

    def close(self) -> None:
        """Say how many messages went to the database."""
        self._note("messages", count=self.messages)
        self._file.close()

    def count(self, cursor: type[Any]) -> None:
        """Count what this class of cursors sends."""
        send = cursor.execute

        def counting(*given: Any, **more: Any) -> Any:
            self.messages += 1
            return send(*given, **more)

        cursor.execute = counting

    def _note(self, what: str, **more: object) -> None:
        self._file.write(json.dumps({"what": what, "at": time.time(), "pid": os.getpid(), **more}) + "\n")


def put_ours(url: str, jobs: Sequence[Job], seconds: float) -> None:
    """Put jobs into our queue, one transaction each."""
    from qa_agents.runtime.table_queue import TableQueue
    from qa_agents.storage.engine import open_database

    database = open_database(url)
    queue = TableQueue(database)
    for key, number in jobs:
        queue.put(key, f"{key}/{number}", {"do": "work", "key": key, "number": number, "seconds": seconds})
    database.close()


def be_ours(url: str, notes: Notes, *, elsewhere: bool = False) -> None:
    """Be a worker of ours until SIGTERM. `elsewhere`: known to others as a process of another machine."""
    from qa_agents.runtime import worker
    from qa_agents.runtime.table_queue import TableQueue
    from qa_agents.service.run import stop_at_signals
    from qa_agents.storage.engine import open_database

    stop = threading.Event()
    stop_at_signals(stop)
    if elsewhere:
        setattr(worker, "holder_name", lambda: f"elsewhere:{os.getpid()}")  # noqa: B010 - it is no export
    database = open_database(url)
    handlers = {"work": lambda job: notes.work(job["key"], job["number"], job["seconds"])}
    worker.Worker(TableQueue(database), handlers).run(stop)
    database.close()


def put_theirs(url: str, jobs: Sequence[Job], seconds: float) -> None:
    """Make Procrastinate's schema, and put jobs into it, one transaction each, with the key as its lock."""
    import procrastinate

    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=url))
    with app.open():
        with psycopg.connect(url) as connection:
            made = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
        if made == (None,):
            app.schema_manager.apply_schema()
        for key, number in jobs:
            app.configure_task("work", lock=key).defer(key=key, number=number, seconds=seconds)


def be_theirs(url: str, notes: Notes) -> None:
    """Be a worker of Procrastinate's until SIGTERM, set up as its documentation has it, one job at a time."""
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    async def retry_stalled(context: object, timestamp: int) -> None:
        for job in await app.job_manager.get_stalled_jobs():
            await app.job_manager.retry_job(job)

    app.task(name="work")(notes.work)
    stalled = app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)(retry_stalled)
    app.periodic(cron=STALLED_CRON)(stalled)
    app.run_worker(concurrency=1)


def main() -> None:
    """Be the worker that was asked for."""
    name, url, folder = sys.argv[1:]
    notes = Notes(Path(folder))
    for cursor in (psycopg.Cursor, psycopg.AsyncCursor):
        notes.count(cursor)
    sides: dict[str, Callable[[], None]] = {
        "ours": lambda: be_ours(url, notes),
        "ours-elsewhere": lambda: be_ours(url, notes, elsewhere=True),
        "procrastinate": lambda: be_theirs(url, notes),
    }
    try:
        sides[name]()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        notes.close()


if __name__ == "__main__":
    main()
