"""How much of the suite runs, where, and what it says in the end.

`make test` runs a reduced set. QA_AGENTS_CRASH=full runs every point; QA_AGENTS_CRASH_SEEDS=1,2,3 names the seeds, each of which
orders interleavings and draws second kills differently. `make crash` does both.
"""

import json
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.crash.crash_driver import PATIENCE, Home, run
from tests.crash.history import read, violations
from tests.crash.workloads import DECISIONS, SECRETS, WORDS, WORKLOADS, Work, approve, drain, remember, triage
from tests.postgres import ENGINES, copy_database, require_postgres, url_of

FULL = os.environ.get("QA_AGENTS_CRASH", "reduced") == "full"
SEEDS = [int(seed) for seed in os.environ.get("QA_AGENTS_CRASH_SEEDS", "1,2,3" if FULL else "1").split(",")]
PARTS = 4 if FULL else 1
"""A workload's points are shared among so many tests, so that two processes have something to share."""
MEMORY = Path("/dev/shm")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", SEEDS)
    if "part" in metafunc.fixturenames:
        metafunc.parametrize("part", range(PARTS))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if FULL:
        for item in items:
            item.add_marker(pytest.mark.timeout(PATIENCE * 60))  # hundreds of processes, each with its own limit


@dataclass
class Tally:
    """What one test did to the system and what came of it; checks from outside, and fails on the first broken promise."""

    kills: int = 0
    points: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    broken: list[str] = field(default_factory=list)
    recovery: list[float] = field(default_factory=list)

    def killed(self, *point: object) -> None:
        self.kills += 1
        self.points.add(" ".join(map(str, point)))

    def check(self, home: Home, *, drained: bool = True) -> None:
        """Let the system recover (unless told that it need not be able to), then judge it from outside."""
        if drained:
            self.recovery.append(run(drain, home))
        url = url_of(home.database) if home.database else None
        found = violations(read(home.folder, url), secrets=SECRETS, words=WORDS, drained=drained)
        self.checks += 1
        self.broken += found
        assert not found, found


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Iterator[Tally]:
    made = Tally()
    yield made
    record_property("crash", json.dumps({**vars(made), "points": sorted(made.points)}))


@pytest.fixture(scope="session")
def ground() -> Iterator[Path]:
    """Where workspaces lie: in memory where there is room, for a kill leaves what was written alone, flushed or not."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 500_000_000
    folder = Path(tempfile.mkdtemp(prefix="qa-agents-crash-", dir=MEMORY if roomy else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", params=ENGINES)
def stages(request: pytest.FixtureRequest, ground: Path) -> Iterator[dict[str, Home]]:
    """Workspaces to start from: nothing, a memory only, a triaged report that waits, and one carried out."""
    made: dict[str, Home] = {}
    base = ground / request.param
    if request.param == "postgresql":
        require_postgres()
    base.mkdir()
    previous: Home | None = None
    for name, work in (("empty", None), ("fresh", remember), ("waiting", triage), ("done", approve)):
        folder, database = base / name, None
        if request.param == "postgresql":
            database = copy_database(previous.database if previous else None)
        if previous is None:
            folder.mkdir()
        else:
            shutil.copytree(previous.folder, folder)
        previous = made[name] = Home(folder, database)
        if work is not None:
            run(work, previous)
    yield made
    for home in made.values():
        home.drop()


@pytest.fixture(scope="session")
def points(stages: dict[str, Home], ground: Path) -> dict[str, list[str]]:
    """The points that an undisturbed pass of each workload goes through."""
    passed = {}
    for name, work in WORKLOADS.items():
        log = ground / f"{stages['fresh'].engine}-{name}.log"
        with stages[stage_of(name)].copy(ground / f"{stages['fresh'].engine}-{name}") as home:
            run(work, home, log=log)
        passed[name] = log.read_text().splitlines()
    return passed


def stage_of(workload: str) -> str:
    """The stage a workload begins at."""
    return {"remember": "empty", "triage": "fresh", "undo": "done", "erase": "done"}.get(workload, "waiting")


def finish(workload: str, home: Home, tally: Tally) -> None:
    """Do the workload again after a fault, and whatever follows it up to a decision that was carried out."""
    rest: list[Work] = [WORKLOADS[workload]]
    if workload == "remember":
        rest.append(triage)
    if workload in ("remember", "triage"):
        rest.append(DECISIONS["approve"])
    for work in rest:
        tally.recovery.append(run(work, home))
    tally.check(home)


def chosen(names: list[str], seed: int, part: int, engine: str) -> list[int]:
    """Numbers of the points to strike at: all, or the first and second occurrence of each kind; fewer on a second engine."""
    if FULL:
        numbers = list(range(1, len(names) + 1))
    else:
        seen: Counter[str] = Counter()
        numbers = []
        for number, name in enumerate(names, start=1):
            seen[name] += 1
            if seen[name] <= 2:
                numbers.append(number)
        rate = 3 if engine == "sqlite" else 9
        numbers = sorted(random.Random(seed).sample(numbers, max(1, len(numbers) // rate)))
    return numbers[part::PARTS]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    # The tally is added up when its test is torn down, so it is in that report.
    reports = [r for found in terminalreporter.stats.values() for r in found if getattr(r, "when", "") == "teardown"]
    tallies = [json.loads(v) for report in reports for name, v in report.user_properties if name == "crash"]
    if not tallies:
        return
    write = terminalreporter.write_line
    distinct = {point for tally in tallies for point in tally["points"]}
    faults: Counter[str] = Counter()
    for tally in tallies:
        faults.update(tally["faults"])
    runs = sum(tally["kills"] for tally in tallies) + sum(faults.values())
    checks = sum(tally["checks"] for tally in tallies)
    broken = [sentence for tally in tallies for sentence in tally["broken"]]
    seconds = sorted(second for tally in tallies for second in tally["recovery"])
    terminalreporter.section("crash suite")
    write(f"seeds {SEEDS}, {'every point' if FULL else 'reduced set'}, {time.strftime('%Y-%m-%d %H:%M')}")
    write(f"kill points {len(distinct)}, runs {runs}: {sum(t['kills'] for t in tallies)} kills, faults {dict(faults)}")
    bound = f"at most {3 / checks:.2%} of runs at 95 % (rule of three)" if checks and not broken else ""
    write(f"violations {len(broken)} in {checks} checks from outside {bound}".rstrip())
    for sentence in broken[:20]:
        write(f"  {sentence}")
    if seconds:
        p50, p99 = seconds[len(seconds) // 2], seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
        write(f"recovery p50 {p50:.2f} s, p99 {p99:.2f} s (n={len(seconds)}, a process from its start to its end)")
