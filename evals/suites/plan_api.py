"""Do tests drafted from an API description notice faults? A conforming server first, then the same server with one fault each."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from evals.conduit import FAULTS, Conduit, serving
from evals.stats import Interval, wilson
from evals.vectors import Tell

SECONDS = 300
"""A run that takes longer is ended, and counts as a fault noticed only if a test had failed by then."""


class ApiTests(BaseModel):
    """The measurement."""

    tests: int
    """Generated tests that ran."""
    conforming_failures: list[str]
    """Tests that fail on the server without a fault: false alarms."""
    requests: int
    noticed: list[str]
    missed: list[str]
    share: Interval
    """Faults noticed, 95 % Wilson."""
    seconds: float


def run_plan_api(tests: Path, *, faults: Sequence[str] = FAULTS, tell: Tell = lambda _: None) -> ApiTests:
    """Run the generated tests in folder `tests` on the conforming server, then against each fault, stopping at the first failure.

    A fault is noticed when a test fails that passes on the conforming server.
    """
    began = time.perf_counter()
    code, failed, ran, requests = _run(tests, None, ())
    noticed: list[str] = []
    missed: list[str] = []
    for number, fault in enumerate(faults, start=1):
        code, _, _, _ = _run(tests, fault, failed)
        (noticed if code == 1 else missed).append(fault)
        tell(f"faults: {number} of {len(faults)}, {len(noticed)} noticed")
    return ApiTests(
        tests=ran,
        conforming_failures=failed,
        requests=requests,
        noticed=noticed,
        missed=missed,
        share=wilson(len(noticed), len(faults)),
        seconds=time.perf_counter() - began,
    )


def _run(tests: Path, fault: str | None, without: Sequence[str]) -> tuple[int, list[str], int, int]:
    """pytest's exit code, the tests that failed, how many ran, how many requests came."""
    conduit = Conduit(fault)
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-rfE"]
    command += ["--rootdir", str(tests), "-c", os.devnull, *(["-x"] if fault else [])]
    command += [part for name in without for part in ("--deselect", name)]
    with serving(conduit) as url:
        done = subprocess.run(
            [*command, str(tests)],
            env={**os.environ, "API_BASE_URL": url},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    lines = done.stdout.splitlines()
    failed = [line.split()[1].split("/")[-1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    ran = sum(
        len(line.split()[0]) for line in lines if line.strip() and set(line.split()[0]) <= set(".FsxE") and "%" in line
    )
    return done.returncode, failed, ran, conduit.requests
