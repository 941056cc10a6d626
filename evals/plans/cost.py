"""What a plan costs, and whether it is the same twice: each draft in a process of its own.

python -m evals.plans.cost FILE…    prints one JSON object
"""

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from evals.data import ROOT
from qa_agents.errors import UnavailableError

SECONDS_LARGE, MEGABYTES, SECONDS_SMALL = 20.0, 600.0, 2.0
LARGE = 170_000
TIMEOUT = 300


class Cost(BaseModel):
    """One draft from start of the interpreter to the plan's last byte."""

    what: str
    chars: int
    cases: int
    cpu_seconds: float
    """Of the process and the one it reads files in; what a quiet machine would need at most."""
    seconds: float
    """By the clock, on the machine as it was."""
    peak_mb: float
    """The larger of the two processes' most memory, MB of 10^6 bytes."""
    sha256: str
    """Of the plan as JSON."""


def cost(what: str, files: Sequence[Path], *, hash_seed: int = 0) -> Cost:
    """Draft a plan in a new process. Raises UnavailableError with what it said last when it does not end well."""
    command = [sys.executable, "-m", "evals.plans.cost", *map(str, files)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed)}
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, env=env, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing was said"]
        raise UnavailableError(f"A draft of {what} ended with exit code {done.returncode}: {last[0]}")
    return Cost(what=what, seconds=time.perf_counter() - began, **json.loads(done.stdout))


def measure(pages: Sequence[Path], small: Path) -> tuple[Cost, Cost, bool]:
    """The large specification, the small one, and whether two drafts of the large one under other hash seeds are the same."""
    text = "\n\n".join(page.read_text("utf-8") for page in pages)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.md"
        path.write_text(text[: text.rfind("\n", 0, LARGE)] + "\n", "utf-8")
        first = cost("170 kB of Markdown", [path], hash_seed=1)
        second = cost("170 kB of Markdown", [path], hash_seed=2)
    return first, cost(small.name, [small]), first.sha256 == second.sha256


def main(files: Sequence[str]) -> None:
    """Draft and say what it took."""
    from evals.plans.corpora import draft

    drafted = draft([Path(file) for file in files])
    body = drafted.plan.model_dump_json().encode()
    own, reading = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "chars": sum(len(one.text) for one in drafted.documents),
        "cases": len(drafted.plan.cases),
        "cpu_seconds": own.ru_utime + own.ru_stime + reading.ru_utime + reading.ru_stime,
        "peak_mb": max(_peak_mb(own.ru_maxrss), reading.ru_maxrss * 1024 / 1e6),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    print(json.dumps(found))


def _peak_mb(fallback: int) -> float:
    # Not ru_maxrss where the system tells better: that of a child starts with what its parent held at the fork.
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        lines = []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return (found[0] if found else fallback) * 1024 / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
