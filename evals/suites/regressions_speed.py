"""How long a summary of a very large suite takes, as a user starts it: a process of its own over a workspace with its history."""

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from sqlalchemy import insert, select

from evals.vectors import Tell
from qa_agents.results.packing import CODES, pack_json, unpack_columns
from qa_agents.results.schema import Outcome, Run, RunInfo, TestResult
from qa_agents.results.store import RunStore
from qa_agents.storage.engine import Database, open_database
from qa_agents.storage.tables import result_runs

Flags = NDArray[np.bool_]
Seconds = NDArray[np.float64]

SECONDS, MEGABYTES = 30.0, 1_000.0
FLAKY, RED_NOW = 0.02, 50


class Speed(BaseModel):
    """One measurement."""

    tests: int
    runs: int
    red: int
    seconds: float
    cpu: float
    peak_mb: float
    load: float

    @property
    def holds(self) -> bool:
        """Whether both budgets are kept."""
        return self.seconds <= SECONDS and self.peak_mb <= MEGABYTES


def measure_speed(tests: int, runs: int, tell: Tell) -> Speed:
    """Fill a workspace with `runs` runs of `tests` tests, FLAKY of which flake, and summarise the last."""
    with tempfile.TemporaryDirectory(prefix="qa-agents-evals-") as work:
        home = Path(work) / "home"
        red = _fill(home, tests, runs, tell)
        load = os.getloadavg()[0]
        command = [sys.executable, "-m", "qa_agents", "--home", str(home), "summarize", f"run-{runs - 1}", "--json"]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        with (Path(work) / "out.json").open("wb") as out:
            done = subprocess.run(command, stdout=out, check=False, cwd=work)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"summarize ended with {done.returncode}")
        return Speed(
            tests=tests,
            runs=runs,
            red=red,
            seconds=seconds,
            cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            peak_mb=after.ru_maxrss / 1024,
            load=load,
        )


def _fill(home: Path, tests: int, runs: int, tell: Tell) -> int:
    """Write the runs; how many tests of the last one fail. Those between the first and the last are written as columns."""
    from qa_agents.settings import Settings

    rng = np.random.default_rng(0)
    database = open_database(Settings(home=home).database_path)
    try:
        store = RunStore(database)
        rates = np.where(rng.random(tests) < FLAKY, rng.random(tests) * 0.1, 0.0)
        broken = set(random.Random(0).sample(range(tests), min(RED_NOW, tests)))
        took = 0.05 + rng.exponential(0.3, tests)
        for number in range(runs):
            is_red = rng.random(tests) < rates
            if number == runs - 1:
                is_red[list(broken)] = True
            seconds = took * (1 + 0.05 * rng.standard_normal(tests)).clip(0.5)
            results = [
                _result(at, bool(is_red[at]), float(seconds[at]), at in broken)
                for at in (np.flatnonzero(is_red).tolist() if 0 < number < runs - 1 else range(tests))
            ]
            if 0 < number < runs - 1:
                _copy(database, number, is_red, seconds, results)
            else:
                store.add(Run(info=_info(number), results=tuple(results)))
        tell(f"wrote {runs} runs")
        return int(is_red.sum())
    finally:
        database.close()


def _info(number: int) -> RunInfo:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    return RunInfo(run_id=f"run-{number}", commit=f"{number:040x}", branch="main", at=at)


def _copy(database: Database, number: int, is_red: Flags, seconds: Seconds, red: list[TestResult]) -> None:
    """One more run as the store keeps it, made from the row of the first."""
    with database.write() as connection:
        row = connection.execute(select(result_runs).where(result_runs.c.run_id == "run-0")).one()
        keys = unpack_columns(row.packed).tests.astype("<u4")
        outcomes = np.where(is_red, CODES["failed"], CODES["passed"]).astype(np.uint8)
        micros = np.round(seconds * 1_000_000).astype("<i8")
        planes = [
            np.ascontiguousarray(part.view(np.uint8).reshape(len(part), -1).T).tobytes() for part in (keys, micros)
        ]
        packed = zlib.compress(planes[0] + outcomes.tobytes() + planes[1], 3)
        said = {int(at): {"message": one.message} for at, one in zip(np.flatnonzero(is_red), red, strict=True)}
        info = _info(number)
        when = info.at.timestamp() if info.at else 0.0
        values = {name: value for name, value in row._mapping.items() if name != "pk"}
        values |= {
            "run_id": info.run_id,
            "digest": f"{number:064x}",
            "commit_id": info.commit,
            "at": when,
            "added_at": when,
            "is_green": int(not red),
            "counts": {"passed": len(is_red) - len(red), "failed": len(red)},
            "body": {**row.body, "at": info.at.isoformat() if info.at else None},
            "packed": packed,
            "red": pack_json(said),
        }
        connection.execute(insert(result_runs).values(**values))


def _result(at: int, red: bool, seconds: float, broken: bool) -> TestResult:
    outcome: Outcome = "failed" if red else "passed"
    said = (
        f"AssertionError: total of order {at} is 12.5, not {at % 7}"
        if broken
        else f"TimeoutError: after {seconds:.2f} s"
    )
    return TestResult.model_construct(
        name=f"test_{at % 100}",
        suite=f"package.module_{at // 100}.TestClass",
        outcome=outcome,
        seconds=seconds,
        message=said if red else "",
        details="",
        file="",
        line=None,
        attempts=(),
        tags=(),
    )
