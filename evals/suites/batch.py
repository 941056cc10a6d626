"""`qa-agents triage --batch --json` as a user runs it: a process of its own, timed line by line from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import orjson
from pydantic import BaseModel

from evals.data import ROOT
from evals.stats import Spread, spread
from qa_agents.errors import UnavailableError


class Batch(BaseModel):
    """One run of the command line over a file of reports."""

    reports: int
    failed: int
    """Lines that hold no verdict."""
    first_error: str | None
    """What the first of those says."""
    seconds: float
    """From the start of the process to its end."""
    start_seconds: float
    """From the start of the process to the first verdict: interpreter, model, indexes."""
    between: Spread
    """Seconds between one verdict and the next."""
    rate: float
    """Reports a second after the first verdict."""
    rate_with_start: float
    """Reports a second, everything included."""
    peak_mb: float | None
    """Most memory the process ever held (VmHWM, MB of 10^6 bytes); None where the system does not tell."""


def run_batch(home: Path, reports: Path, env: Mapping[str, str]) -> Batch:
    """Triage a JSON Lines file of at least two reports in a process of its own.

    Raises UnavailableError with what the process said last when it does not end well.
    """
    command = [sys.executable, "-m", "qa_agents", "--home", str(home), "triage", str(reports), "--batch", "--json"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    log = home.parent / f"{home.name}.log"
    problems: list[str] = []
    peak: float | None = None
    moments: list[float] = []
    started = time.perf_counter()
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, cwd=home.parent, env={**os.environ, "PYTHONPATH": path, **env}
        ) as process,
    ):
        for line in process.stdout or ():
            moments.append(time.perf_counter())
            answer = orjson.loads(line)
            if "gate" not in answer:
                problems.append(str(answer.get("error")))
            peak = _peak_mb(process.pid) or peak
    seconds = time.perf_counter() - started
    if process.returncode not in (0, 1) or len(moments) < 2:
        last = log.read_text().strip().splitlines()[-1:] or ["nothing was said"]
        raise UnavailableError(f"The batch ended with exit code {process.returncode}: {last[0]}")
    between = [later - earlier for earlier, later in pairwise(moments)]
    return Batch(
        reports=len(moments),
        failed=len(problems),
        first_error=problems[0] if problems else None,
        seconds=seconds,
        start_seconds=moments[0] - started,
        between=spread(between),
        rate=len(between) / sum(between),
        rate_with_start=len(moments) / seconds,
        peak_mb=peak,
    )


def _peak_mb(pid: int) -> float | None:
    # Not ru_maxrss: that of a child starts with what its parent held at the fork.
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return found[0] * 1024 / 1e6 if found else None
