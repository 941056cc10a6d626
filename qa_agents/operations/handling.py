"""Handle a report to its verdict, take up what was left unfinished, and explain a verdict afterwards."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from qa_agents.checkpoint.ledger import Entry, entries
from qa_agents.checkpoint.schema import Review
from qa_agents.errors import (
    ConflictError,
    ErasedError,
    InvalidInputError,
    NotFoundError,
    QAAgentsError,
    StorageError,
    UnavailableError,
    WorkspaceBusyError,
)
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Candidate
from qa_agents.runtime.received import Account
from qa_agents.trackers.schema import Action, describe
from qa_agents.triage.schema import Triage

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

SOURCE = "cli"
_UNFINISHED = ("received", "failed")
ELSEWHERE_SECONDS, ELSEWHERE_TRIES = 0.2, 100
"""How often, and how many times, to ask whether another process has finished a run that it took up."""


class Handled(BaseModel):
    """What became of one report that was handed in."""

    account: Account
    triage: Triage | None = None
    """None when the report was invalid or its run failed; the account says why."""
    line: int = 1
    notes: list[str] = Field(default_factory=list)
    unavailable: bool = False
    """It failed for want of something that is missing, locked, stopped or down: nothing is wrong with the report."""

    def as_json(self) -> dict[str, Any]:
        """The triage contract, or `{report_id, line, state, error}` in its place."""
        if self.triage is not None:
            return self.triage.model_dump(mode="json")
        account = self.account
        return {"report_id": account.report_id, "line": self.line, "state": account.state, "error": account.error}


class Explanation(BaseModel):
    """A verdict with everything it rests on, and what happened since."""

    triage: Triage
    account: Account
    best: Candidate | None = None
    """The nearest incident, whatever came of it."""
    why_not: list[str] = Field(default_factory=list)
    """Why something did not happen, one sentence each."""
    review: Review | None = None
    actions: list[dict[str, Any]] = Field(default_factory=list)
    history: list[Entry] = Field(default_factory=list)


def handle(
    workspace: "Workspace",
    received: ReceivedReport,
    *,
    options: dict[str, Any],
    again: bool = False,
    source: str = SOURCE,
) -> Handled:
    """Accept one report and triage it to its end or to the checkpoint.

    A report that was handled before gets its stored verdict. An error of this report alone is told in the account; one of the
    workspace (disk full, locked) is raised, because it would meet every report.
    """
    account = workspace.received.accept(received, source=source, kind="triage", options=options, again=again)
    told = {"line": received.line, "notes": received.notes}
    if account.run_id is None:
        return Handled(account=account, **told)
    if account.fresh or account.state in _UNFINISHED:
        try:
            review = _run(workspace, account.run_id, account.report_id)
            if review is not None:
                _open_canary(workspace, beside=review.review_id)
        except (StorageError, WorkspaceBusyError):
            raise
        except Exception as error:
            if not isinstance(error, QAAgentsError) and workspace.settings.debug:
                raise
            failed = account.model_copy(update={"state": "failed", "error": str(error) or type(error).__name__})
            return Handled(account=failed, unavailable=isinstance(error, UnavailableError), **told)
    try:
        triage = verdict_of(workspace, account.run_id)
    except ErasedError as error:  # the same report once more: it does not come back by itself
        return Handled(account=account.model_copy(update={"error": str(error)}), **told)
    return Handled(account=account, triage=triage, **told)


def _run(workspace: "Workspace", run_id: str, report_id: str) -> Review | None:
    """Drive a run; where another process took it up meanwhile, as a recovery may, wait for what that one makes of it."""
    try:
        return workspace.desk.run(run_id)
    except ConflictError:
        for _ in range(ELSEWHERE_TRIES):
            time.sleep(ELSEWHERE_SECONDS)
            account = workspace.received.find(report_id)
            if account is not None and account.run_id == run_id and account.state not in _UNFINISHED:
                return workspace.inbox.of_run(run_id)
        raise


def looking_ahead(workspace: "Workspace", stream: Iterable[ReceivedReport]) -> Iterator[ReceivedReport]:
    """The reports as they come, the next one's vector being computed while the current one is handled."""
    coming = iter(stream)
    with ThreadPoolExecutor(max_workers=1) as pool:
        current = next(coming, None)
        while current is not None:
            following = next(coming, None)
            if following is not None and following.report is not None:
                pool.submit(workspace.memory.prepare, following.report)
            yield current
            current = following


def verdict_of(workspace: "Workspace", run_id: str) -> Triage:
    """The verdict of a run, with the review that waits and the state its report is in now."""
    document = workspace.desk.outcome(run_id)
    if document is None:
        raise NotFoundError(f"The run {run_id} has no verdict yet.", hint="`qa-agents recover` finishes it.")
    triage = Triage.model_validate_json(document)
    review = workspace.inbox.of_run(run_id)
    account = workspace.received.find(triage.report_id)
    waiting = review is not None and review.waits
    return triage.model_copy(
        update={
            "review_id": review.review_id if review and waiting else None,
            "state": account.state
            if account and account.run_id == run_id
            else workspace.canaries.report_state(run_id) or "superseded",
        }
    )


def recover(workspace: "Workspace", *, max_attempts: int | None = None) -> tuple[list[str], dict[str, str]]:
    """Take up what was left unfinished; (finished run ids, run id to error). `max_attempts` leaves alone what failed as often.

    What is overdue is re-routed on the way. An interrupted run that no person saw is judged again before anything is written.
    """
    workspace.inbox.route_overdue()
    done: list[str] = []
    failed: dict[str, str] = {}
    for run_id in workspace.received.unfinished(max_attempts=max_attempts):
        try:
            workspace.desk.run(run_id)
            done.append(run_id)
        except (StorageError, WorkspaceBusyError):
            raise
        except Exception as error:
            failed[run_id] = str(error) or type(error).__name__
    return done, failed


def explain(workspace: "Workspace", name: str) -> Explanation:
    """Everything about a report's verdict. `name` is a report id or a review id."""
    account = workspace.received.find(name)
    if account is None:
        review = workspace.inbox.find(name)
        account = workspace.received.find(review.subject_id) or _canary_account(workspace, review)
    if account is None or account.run_id is None:
        why = f" It was refused: {account.error}" if account else ""
        raise NotFoundError(f"There is no verdict for {name}.{why}", hint="`qa-agents triage` makes one.")
    triage = verdict_of(workspace, account.run_id)
    return Explanation(
        triage=triage,
        account=account,
        best=triage.similar[0] if triage.similar else None,
        why_not=why_not(triage),
        review=workspace.inbox.of_run(account.run_id),
        actions=workspace.outbox.of_run(account.run_id),
        history=list(entries(workspace.database, account.report_id)),
    )


def in_words(action: dict[str, Any]) -> str:
    """A kept action in one line."""
    return describe(Action.model_validate({name: action[name] for name in ("kind", "target", "params")}))


def why_not(triage: Triage) -> list[str]:
    """One sentence for each thing that did not happen and could have."""
    from qa_agents.triage.relate import explain_absence

    said = [f"{r.incident_id} was not taken as {r.vetoed_by}" for r in triage.relations if r.vetoed_by]
    if not any(relation.kind == "duplicate-of-open" for relation in triage.relations):
        said.append(explain_absence(triage.similar))
    for name, proposal in triage.proposals.items():
        if proposal.value is None:
            because = "; ".join(evidence.text for evidence in proposal.against) or "nothing supports a value"
            said.append(f"{name} stays undetermined: {because}")
    if triage.gate.decision != "auto":
        said.append(f"It was not applied unseen: {'; '.join(triage.gate.reasons)}")
    if not triage.similar:
        size = triage.provenance.get("memory_size")
        said.append(f"Nothing similar was found among {size} incidents from before the report.")
    return said


def _open_canary(workspace: "Workspace", *, beside: str) -> None:
    """Open a canary where the policy's rate draws one. A canary that cannot be staged must not cost the real report."""
    from qa_agents.triage.canary import open_canary

    rate = workspace.inbox.policy.canary_rate
    if rate > 0:
        with contextlib.suppress(InvalidInputError):
            open_canary(workspace.triage_parts, workspace.canaries, beside=beside, rate=rate)


def _canary_account(workspace: "Workspace", review: Review) -> Account | None:
    """The account that a canary's report would have if it had been received; None for any other review."""
    state: Any = workspace.canaries.report_state(review.run_id)
    if state is None:
        return None
    return Account(source=SOURCE, report_id=review.subject_id, state=state, run_id=review.run_id, version=1)
