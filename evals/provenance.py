"""What a number rests on: the commit, the machine, the versions, the command."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel

from evals.data import ROOT, Dataset

PACKAGES = ("numpy", "chromadb", "onnxruntime", "langgraph", "sqlalchemy", "rank-bm25")


class Provenance(BaseModel):
    """Where, when and from what a result was measured."""

    command: str
    commit: str
    """`+` at the end: there were changes that are not committed."""
    dataset: str
    dataset_sha256: str
    seed: int
    started: str
    cpu: str
    cores: int
    memory_gb: float | None
    load: float | None
    """Processes that wanted to run, mean over the minute before the start; above 1 or so, times are upper bounds."""
    python: str
    versions: dict[str, str]


def provenance(dataset: Dataset, seed: int) -> Provenance:
    """Of a run that starts now."""
    return Provenance(
        command=" ".join(["python -m evals", *map(_shown, sys.argv[1:])]),
        commit=_commit(),
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        seed=seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu=_line_of("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_gb=_memory_gb(),
        load=load(),
        python=platform.python_version(),
        versions={name: found for name in PACKAGES if (found := _version(name))},
    )


def load() -> float | None:
    """Processes that wanted to run, mean over the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _shown(argument: str) -> str:
    """Of a path that is somebody's own, only the name."""
    return Path(argument).name if argument.startswith(("/", "~")) else argument


def _commit() -> str:
    try:
        sha = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        changes = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return sha.stdout.strip() + ("+" if changes.stdout.strip() else "")


def _line_of(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _memory_gb() -> float | None:
    total = _line_of("/proc/meminfo", "MemTotal")
    return round(int(total.split()[0]) / 1e6, 1) if total else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
