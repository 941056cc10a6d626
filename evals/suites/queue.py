"""The same jobs through our queue and through Procrastinate, on PostgreSQL: pace, order per issue, what a killed worker costs.

Every measurement gets a database of its own, made beside the one that --postgres names and dropped afterwards. `pace`: short
jobs, all there when the workers start. `kill`: longer ones; one worker is killed with a job in hand and, where it was the
only one, another is started; how long until that job is taken up again?
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from pydantic import BaseModel

from evals.peers.queues import Job, put_ours, put_theirs
from evals.postgres import fresh_database
from evals.report import table
from evals.suites.receiver import percentile

WAIT_SECONDS = 180.0
Note = dict[str, Any]


class Side(BaseModel):
    """A queue: how it is called, how a worker of it is started, and what is added to its database's URL."""

    name: str
    worker: str
    options: str = ""

    def put(self, url: str, jobs: Sequence[Job], seconds: float) -> None:
        """Put the jobs, in order."""
        (put_theirs if self.worker == "procrastinate" else put_ours)(url, jobs, seconds)


OURS = Side(name="ours", worker="ours")
ELSEWHERE = Side(name="ours, as from another machine", worker="ours-elsewhere")
THEIRS = Side(name="Procrastinate", worker="procrastinate")
UNFLUSHED = Side(
    name="Procrastinate, synchronous_commit off", worker="procrastinate", options="?options=-csynchronous_commit%3Doff"
)


class Found(BaseModel):
    """One measurement of one side."""

    side: str
    workers: int
    jobs: int
    put_seconds: float
    seconds: float
    """From the first begin to the last end."""
    violations: int
    """Jobs that began out of their issue's order, or while another of the issue was in hand."""
    lost: int
    repeated: int
    """Jobs that ended more than once."""
    messages: float
    """Sent to the database per job by the workers, their idle time included."""
    commits: float
    """Transactions of the database per job while they worked."""
    taken_up: list[float] = []
    """Seconds from the kill until the job in hand began again."""


def measure(side: Side, server: str, *, workers: int, issues: int, each: int, seconds: float, kill: bool) -> Found:
    """Put `each` jobs for each of `issues` issues and let so many workers do them. Each job takes so many seconds."""
    jobs = [(f"issue {issue}", number) for number in range(each) for issue in range(issues)]
    with tempfile.TemporaryDirectory() as name, fresh_database(server) as url, contextlib.ExitStack() as running:
        folder, url = Path(name), url + side.options
        began = time.perf_counter()
        side.put(url, jobs, seconds)
        put_seconds = time.perf_counter() - began
        before = commits_of(url)
        children = [running.enter_context(worker_of(side, url, folder)) for _ in range(workers)]
        taken_up = []
        if kill:
            killed, at = _kill_one(folder, children)
            if workers == 1:
                children.append(running.enter_context(worker_of(side, url, folder)))
            taken_up = [_again(folder, killed, at) - at]
        _wait(lambda: len(_ended(notes_of(folder))) == len(jobs))
        for child in children:
            child.terminate()
        for child in children:
            child.wait(60)
        notes = notes_of(folder)
        return Found(
            side=side.name,
            workers=workers,
            jobs=len(jobs),
            put_seconds=put_seconds,
            seconds=max(note["at"] for note in notes if note["what"] == "end")
            - min(note["at"] for note in notes if note["what"] == "begin"),
            violations=violations(notes),
            lost=len(set(jobs) - set(_ended(notes))),
            repeated=sum(count > 1 for count in _ended(notes).values()),
            messages=sum(note["count"] for note in notes if note["what"] == "messages") / len(jobs),
            commits=(commits_of(url) - before) / len(jobs),
            taken_up=taken_up,
        )


def violations(notes: Sequence[Note]) -> int:
    """Jobs that began although an earlier one of their key had not ended, or a later one had begun. Pure.

    A job that begins again after its worker was killed is no violation; nor is what that worker left unended.
    """
    found, begun, open_ = 0, defaultdict[str, int](lambda: -1), defaultdict[str, set[int]](set)
    for note in notes:
        if note["what"] == "begin":
            key, number = note["key"], note["number"]
            found += number < begun[key] or bool(open_[key] - {number})
            begun[key] = max(begun[key], number)
            open_[key].add(number)
        elif note["what"] == "end":
            open_[note["key"]].discard(note["number"])
    return found


def notes_of(folder: Path) -> list[Note]:
    """What all workers noted so far, in order of time."""
    lines = (line for file in folder.glob("*.jsonl") for line in file.read_text().splitlines(keepends=True))
    return sorted((json.loads(line) for line in lines if line.endswith("\n")), key=lambda note: note["at"])


def commits_of(url: str) -> int:
    """How many transactions the database has committed."""
    time.sleep(1.5)  # backends report now and then
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        return int((row.fetchone() or (0,))[0])


@contextlib.contextmanager
def worker_of(side: Side, url: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker process; killed at the end should it still run."""
    command = [sys.executable, "-m", "evals.peers.queues", side.worker, url, str(folder)]
    with (folder / "log").open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def _kill_one(folder: Path, children: Sequence["subprocess.Popen[bytes]"]) -> tuple[Job, float]:
    """Kill a worker that has a job in hand, once all have begun something; that job, and when."""
    _wait(lambda: len({note["pid"] for note in notes_of(folder) if note["what"] == "begin"}) == len(children))
    victim = children[0]
    while True:
        mine = [note for note in notes_of(folder) if note["pid"] == victim.pid]
        if mine and mine[-1]["what"] == "begin" and time.time() - mine[-1]["at"] < 0.1:
            victim.kill()
            victim.wait()
            last = [note for note in notes_of(folder) if note["pid"] == victim.pid][-1]
            if last["what"] == "begin":
                return (last["key"], last["number"]), time.time()
            raise RuntimeError("The worker ended its job in the moment it was killed; measure again.")
        time.sleep(0.01)


def _again(folder: Path, job: Job, since: float) -> float:
    def begun() -> list[float]:
        return [
            note["at"]
            for note in notes_of(folder)
            if note["what"] == "begin" and (note["key"], note["number"]) == job and note["at"] > since
        ]

    _wait(lambda: bool(begun()))
    return begun()[0]


def _ended(notes: Sequence[Note]) -> "Counter[Job]":
    return Counter((note["key"], note["number"]) for note in notes if note["what"] == "end")


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not until() and time.monotonic() < end:  # what is missing then is counted as lost
        time.sleep(0.1)


def rows_of(found: Sequence[Found]) -> list[tuple[str, ...]]:
    """One row per side and number of workers; of several rounds the median pace, and the sum of what went wrong."""
    groups: defaultdict[tuple[str, int], list[Found]] = defaultdict(list)
    for one in found:
        groups[one.side, one.workers].append(one)
    rows: list[tuple[str, ...]] = []
    for (side, workers), rounds in groups.items():
        again = sorted(seconds for one in rounds for seconds in one.taken_up)
        rows.append(
            (
                side,
                str(workers),
                f"{percentile([one.jobs / one.put_seconds for one in rounds], 50):,.0f}",
                f"{percentile([one.jobs / one.seconds for one in rounds], 50):,.1f}",
                str(sum(one.violations for one in rounds)),
                str(sum(one.lost for one in rounds)),
                str(sum(one.repeated for one in rounds)),
                f"{percentile([one.messages for one in rounds], 50):.1f}",
                f"{percentile([one.commits for one in rounds], 50):.1f}",
                ", ".join(f"{seconds:.1f}" for seconds in again) or "–",
                str(sum(one.jobs for one in rounds)),
            )
        )
    return rows


HEAD = (
    *("queue", "workers", "put / s", "jobs / s", "out of order", "lost", "repeated"),
    *("messages / job", "commits / job", "taken up after s", "jobs"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when ours lost, repeated or misordered something."""
    parser = argparse.ArgumentParser(prog="python -m evals queue", description=__doc__)
    parser.add_argument("what", choices=("pace", "kill"))
    parser.add_argument("--postgres", required=True, help="URL of a server where databases may be made")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--issues", type=int)
    parser.add_argument("--each", type=int, default=10, help="jobs per issue")
    parser.add_argument("--seconds", type=float, help="how long a job takes")
    options = parser.parse_args(arguments)
    kill = options.what == "kill"
    sides = (OURS, ELSEWHERE, THEIRS) if kill else (OURS, THEIRS, UNFLUSHED)
    issues, seconds = options.issues or (8 if kill else 100), options.seconds
    seconds = (0.3 if kill else 0.0) if seconds is None else seconds
    size = {"issues": issues, "each": options.each, "seconds": seconds, "kill": kill}
    turns = [(workers, side) for _ in range(options.rounds) for workers in (1, 4) for side in sides]
    found = [measure(side, options.postgres, workers=workers, **size) for workers, side in turns]
    print(table(HEAD, rows_of(found)))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"\n{issues} issues with {options.each} jobs each of {seconds:g} s, {options.rounds} rounds; load average {load}"
    )
    bad = [one for one in found if one.side.startswith("ours") and one.violations + one.lost + one.repeated]
    print("ours kept every job, each once and in order" if not bad else "OURS LOST, REPEATED OR MISORDERED JOBS")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
