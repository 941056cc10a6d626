"""Schemathesis on the same server with the same faults at about the same number of requests."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from evals.conduit import FAULTS, Conduit, serving
from evals.stats import Interval, wilson
from evals.vectors import Tell

SECONDS = 120
EXAMPLES = 3
"""Examples per operation and phase: gives about as many requests as the drafted tests send."""
_OPTIONS = (
    "--generation-deterministic", "--no-shrink", "--continue-on-failure", "--no-color", "--report", "json",
)  # fmt: skip
Failure = tuple[str, str]
"""Code of the check and operation."""


class Peer(BaseModel):
    """What Schemathesis notices."""

    version: str
    requests: int
    """Sent to the conforming server in one run."""
    conforming_failures: int
    """Pairs of check and operation that fail without a fault."""
    noticed: list[str]
    missed: list[str]
    share: Interval


def executable() -> str | None:
    """The command beside this interpreter or on the path; None where it is not installed."""
    own = Path(sys.executable).parent / "schemathesis"
    return str(own) if own.exists() else shutil.which("schemathesis")


def run_peer(command: str, description: Path, *, faults: Sequence[str] = FAULTS, tell: Tell = lambda _: None) -> Peer:
    """Run it with the credentials of a registered user, without a fault and then with each.

    A fault is noticed when a check fails for an operation for which it passes on the conforming server.
    """
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    usual, requests = _failures(command, description, None)
    noticed: list[str] = []
    missed: list[str] = []
    for number, fault in enumerate(faults, start=1):
        found, _ = _failures(command, description, fault)
        (noticed if found - usual else missed).append(fault)
        tell(f"Schemathesis: {number} of {len(faults)}, {len(noticed)} noticed")
    return Peer(
        version=version,
        requests=requests,
        conforming_failures=len(usual),
        noticed=noticed,
        missed=missed,
        share=wilson(len(noticed), len(faults)),
    )


def _failures(command: str, description: Path, fault: str | None) -> tuple[set[Failure], int]:
    conduit = Conduit(fault)
    with serving(conduit) as url, tempfile.TemporaryDirectory() as folder:
        token = _registered(conduit)
        report = Path(folder) / "report.json"
        subprocess.run(
            [command, "run", str(description), "--url", url, "--max-examples", str(EXAMPLES), *_OPTIONS,
             "--report-json-path", str(report), "--header", f"Authorization: Token {token}"],
            capture_output=True, cwd=folder, timeout=SECONDS, check=False,
        )  # fmt: skip
        if not report.exists():
            return {("no report", "the run did not end")}, conduit.requests
        found = json.loads(report.read_text())
    return {(one["code"], name) for one in found["failures"] for name in one["operations"]}, conduit.requests


def _registered(conduit: Conduit) -> str:
    """The token of a user who is there before the run, so that operations with credentials can succeed."""
    person = {"username": "peer", "email": "peer@example.com", "password": "peerpeer1"}
    body = json.dumps({"user": person}).encode()
    _, document = conduit.handle("POST", "/users", {"content-type": "application/json"}, body)
    conduit.requests = 0
    user = document.get("user", {}) if isinstance(document, dict) else {}
    return str(user.get("token") or "none")
