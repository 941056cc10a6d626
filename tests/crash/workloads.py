"""What the processes of this suite do, through the public operations only, and the reports they do it with."""

import json
import os
from pathlib import Path
from typing import Any

from qa_agents.errors import ConflictError, QAAgentsError, WorkspaceBusyError
from qa_agents.incidents.intake import read_batch
from qa_agents.incidents.schema import Incident
from qa_agents.operations import deciding, handling, intervening
from qa_agents.wiring import Workspace
from tests.crash.crash_driver import Work
from tests.past import REFUNDS

SECRETS = ("AKIAQ3EGRFEXAMPLE7Q2", "ghp_0123456789abcdefghijABCDEFGHIJ456789")
WORDS = ("after the upgrade", "on Android 14")
"""What this report says and no past incident does."""
REPORT = {
    "id": "PAY-900",
    "summary": "Refund fails with E_REFUND_409 after the upgrade",
    "description": "Version 4.12.0 on Android 14. Steps:\n1. Open an invoice\n2. Press Refund\n"
    "Expected: refunded. Actual: E_REFUND_409.\n"
    f"The log says aws_access_key_id={SECRETS[0]} and Authorization: Bearer {SECRETS[1]}",
    "created": "2026-10-01T10:00:00Z",
}


def remember(workspace: Workspace) -> None:
    workspace.store.upsert([Incident.model_validate(row) for row in REFUNDS])
    workspace.memory.catch_up()


def triage(workspace: Workspace) -> None:
    """What `triage` does after a crash too: take up what was left, hand the report in."""
    handling.recover(workspace)
    hand_in(workspace)


def hand_in(workspace: Workspace, **changed: Any) -> handling.Handled:
    path = workspace.settings.home / f"report-{os.getpid()}.jsonl"
    path.write_text(json.dumps({**REPORT, **changed}) + "\n")
    (received,) = read_batch(path, 1_000_000)
    return handling.handle(workspace, received, options={"k": 5, "remember": True})


def answers(verdict: str, **more: Any) -> Any:
    """Take up what was left, and give this answer to everything that waits."""

    def work(workspace: Workspace) -> None:
        handling.recover(workspace)
        for review in workspace.inbox.waiting(include_deferred=True):
            deciding.decide(workspace, review.review_id, reviewer="ada", verdict=verdict, **more)
        handling.recover(workspace)

    work.__name__ = verdict
    return work


approve = answers("approve")
reject = answers("reject", reason_code="wrong-cause", note="not this")
edit = answers("edit", reason_code="wrong-evidence", edits={"component": "Checkout"})
ask = answers("ask_reporter", questions=["Which browser?"])

DECISIONS: dict[str, Work] = {"approve": approve, "reject": reject, "edit": edit, "ask": ask}
WORKLOADS: dict[str, Work] = {"remember": remember, "triage": triage, **DECISIONS}


def take_back(workspace: Workspace) -> None:
    """Undo everything that was done about the report."""
    handling.recover(workspace)
    undone = intervening.undo(workspace, str(REPORT["id"]), reviewer="ada")
    assert not undone.conflicts


WORKLOADS["undo"] = take_back


def erase(workspace: Workspace) -> None:
    """Erase the report everywhere, which may have been begun before."""
    handling.recover(workspace)
    assert intervening.redact(workspace, str(REPORT["id"]), reviewer="ada", reason="a request").left == []


WORKLOADS["erase"] = erase


def stop(workspace: Workspace) -> None:
    intervening.stop(workspace, by="grace", reason="a test")


def resume(workspace: Workspace) -> None:
    intervening.resume(workspace, reviewer="grace", reason="the test is over")


def drain(workspace: Workspace) -> None:
    """What must be possible once the faults have stopped."""
    _, failed = handling.recover(workspace)
    assert not failed, failed


def refusable(work: Work) -> Work:
    """The work, of which another process may do the same at the same time: being refused is fine, anything else is not."""

    def attempt(workspace: Workspace) -> None:
        try:
            work(workspace)
        except (ConflictError, WorkspaceBusyError) as error:
            print(f"refused: {error}")

    return attempt


def failing(work: Work, log: Path | None = None) -> Work:
    """The work, which may fail if it says so in a sentence of ours; the kind and the sentence are written down."""

    def attempt(workspace: Workspace) -> None:
        try:
            work(workspace)
        except QAAgentsError as error:
            if log is not None:
                log.write_text(f"{type(error).__name__}: {error}")

    return attempt


def one_decision(name: str, verdict: str, log: Path, **more: Any) -> Work:
    """Decide the only report's review as `name`, and write down whether it was taken or refused."""

    def attempt(workspace: Workspace) -> None:
        review = workspace.inbox.find(str(REPORT["id"]))
        try:
            deciding.decide(workspace, review.review_id, reviewer=name, verdict=verdict, **more)
            said = "taken"
        except ConflictError:
            said = "refused"
        with log.open("a") as file:
            file.write(f"{name} {said}\n")

    return attempt
