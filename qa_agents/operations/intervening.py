"""Step in: stop and resume outside effects, take them back, erase what people wrote."""

from typing import TYPE_CHECKING

from pydantic import SecretStr

from qa_agents.checkpoint.identity import os_login
from qa_agents.errors import NotAllowedError
from qa_agents.operations.deciding import recognise
from qa_agents.runtime.redact import Around, Redacted, Redactor
from qa_agents.runtime.switch import Stop, Stopping, Switch
from qa_agents.runtime.undo import Undo, Undone

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace


def stop(workspace: "Workspace", *, by: str | None, token: SecretStr | None = None, reason: str = "") -> Stopping:
    """Stop every outside effect at once. Anybody who can use the workspace may: stopping is never refused.

    Who is not recognised is recorded as the login, with the name that was claimed.
    """
    try:
        who = recognise(workspace, by, token).name
    except NotAllowedError:
        login = os_login() or workspace.settings.default_reviewer
        who = f"{login} (says to be {by})" if by and by != login else login
    return Switch(workspace.database, workspace.ledger).stop(by=who, reason=reason)


def resume(
    workspace: "Workspace", *, reviewer: str | None, token: SecretStr | None = None, reason: str
) -> tuple[Stop, int]:
    """Allow outside effects again; the stop that was lifted, and how many runs `recover` will take up now."""
    by = recognise(workspace, reviewer, token).name
    lifted = Switch(workspace.database, workspace.ledger).resume(by=by, reason=reason)
    return lifted, len(workspace.received.unfinished())


def undo(
    workspace: "Workspace",
    name: str | None,
    *,
    reviewer: str | None,
    token: SecretStr | None = None,
    since: float | None = None,
    dry_run: bool = False,
    while_stopped: bool = False,
) -> Undone:
    """Take back what a run, an action or a report's runs did outside, or all since a moment, where it is still ours.

    While outside effects are stopped it is refused, unless `while_stopped` says that the person knows: whoever may undo may lift
    the stop as well, and need not open it for everything else to clean up.
    """
    by = recognise(workspace, reviewer, token).name
    undoing = Undo(workspace.database, workspace.tracker, workspace.outbox, workspace.ledger)
    return undoing.undo(name, by=by, since=since, dry_run=dry_run, while_stopped=while_stopped)


def redact(
    workspace: "Workspace",
    report_id: str,
    *,
    reviewer: str | None,
    token: SecretStr | None = None,
    reason: str,
    unsettled: bool = False,
) -> Redacted:
    """Erase what people wrote in a report (or a past incident) everywhere but in the tracker; see Redactor.redact."""
    by = recognise(workspace, reviewer, token).name
    around = Around(saver=workspace.saver, store=workspace.store, forget=workspace.memory.forget)
    redactor = Redactor(workspace.database, workspace.inbox, workspace.ledger, around)
    return redactor.redact(report_id, by=by, reason=reason, unsettled=unsettled)
