"""Whether this process lives, and whether it can do its work now."""

from typing import TYPE_CHECKING

from qa_agents.errors import QAAgentsError
from qa_agents.service.intake import STALLED_SECONDS, GroupCommit
from qa_agents.service.metrics import Labels

if TYPE_CHECKING:
    from qa_agents.service.run import WorkerProcess
    from qa_agents.wiring import Workspace


def readiness(workspace: "Workspace", writer: GroupCommit, worker: "WorkerProcess | None" = None) -> dict[str, str]:
    """What keeps the service from working, one sentence each under a name; empty when nothing does.

    `worker` is the one that this process keeps beside itself, if any; workers of other processes are not looked at.
    """
    wrong: dict[str, str] = {}
    if not writer.is_alive:
        wrong["writer"] = "The thread that stores deliveries does not run."
    elif writer.stalled_seconds > STALLED_SECONDS:
        wrong["writer"] = f"The disk has not answered for {writer.stalled_seconds:.1f} s."
    try:
        workspace.queue.backlog()
    except QAAgentsError as error:
        wrong["database"] = error.message
    if worker is not None and (trouble := worker.trouble()) is not None:
        wrong["worker"] = trouble
    return wrong


def gauges(workspace: "Workspace", writer: GroupCommit) -> dict[tuple[str, Labels], float]:
    """The numbers that lie in the database, for every process of this workspace."""
    found: dict[tuple[str, Labels], float] = {("qa_agents_waiting_deliveries", ()): writer.depth}
    for state, count in workspace.intake.counts().items():
        found["qa_agents_intake", (("state", state),)] = count
    backlog = workspace.queue.backlog()
    for state, count in backlog.states.items():
        found["qa_agents_jobs", (("state", state),)] = count
    found["qa_agents_oldest_job_seconds", ()] = backlog.oldest_seconds
    for state, count in workspace.received.states().items():
        found["qa_agents_reports", (("state", state),)] = count
    return found
