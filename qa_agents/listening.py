"""What the service does about what it heard: route deliveries, look at an issue, look for what no delivery told."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from qa_agents.errors import ConflictError, InvalidInputError, QAAgentsError, UnavailableError
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Report
from qa_agents.operations.handling import handle, recover
from qa_agents.runtime.events import Kind, Route, decide
from qa_agents.runtime.issues import IssueSource
from qa_agents.runtime.worker import MAX_ATTEMPTS, Worker
from qa_agents.storage.engine import recall_fact, remember_fact
from qa_agents.storage.tables import reports, runs

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

RECONCILE_SECONDS = 300.0
OVERLAP = timedelta(minutes=15)
"""How far before the last look a reconcile looks: what was written then may have become findable only since."""
UPKEEP_SECONDS = 60.0
CANDIDATES = 10
log = logging.getLogger(__name__)

Sources = Callable[[str], IssueSource]


class Listener:
    """One worker's view of the hooks that are configured. `sources` gives the tracker behind each; twins in tests."""

    def __init__(
        self,
        workspace: "Workspace",
        sources: Sources | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace = workspace
        self._sources = sources or workspace.issues
        self._now = now
        self._clock = clock
        self._accounts: dict[str, frozenset[str]] = {}
        self._next = {"reconcile": clock() + 2.0, "upkeep": clock()}

    def worker(self, max_attempts: int = MAX_ATTEMPTS) -> Worker:
        """A worker on the workspace's queue."""
        handlers = {"triage": self.triage, "resume": self.resume}
        return Worker(self._workspace.queue, handlers, before=self.before, max_attempts=max_attempts)

    def before(self) -> bool:
        """Route what came in; now and then reconcile and tidy up. Whether there was anything to route."""
        routed = self._workspace.intake.route(self.decide)
        if self._clock() >= self._next["upkeep"]:
            self._next["upkeep"] = self._clock() + UPKEEP_SECONDS
            self._workspace.intake.forget(self._workspace.settings.intake_days)
            recover(self._workspace, max_attempts=MAX_ATTEMPTS)
        if self._clock() >= self._next["reconcile"]:
            self._next["reconcile"] = self._clock() + RECONCILE_SECONDS
            for name, hook in self._workspace.settings.hooks.items():
                if not hook.projects or self._now() - (self._last_look(name) or 0.0) < RECONCILE_SECONDS / 2:
                    continue  # nothing to poll, or another worker just did
                try:
                    self.reconcile(name)
                except QAAgentsError as error:
                    log.warning("the hook %s could not be reconciled: %s", name, error)
        return routed > 0

    def decide(self, source: str, kind: Kind, body: bytes, received_at: float, replayed: bool) -> Route:
        """Where a delivery goes, by the settings of its hook. A hook that is gone sends it to the dead letters."""
        hook = self._workspace.settings.hooks.get(source)
        if hook is None:
            return Route("dead", f"the hook {source} is not configured any more")
        return decide(
            kind,
            body,
            received_at,
            own_accounts=self._own_accounts(source),
            projects=frozenset(hook.projects),
            replayed=replayed,
        )

    def _own_accounts(self, source: str) -> frozenset[str]:
        if source not in self._accounts:
            mine = set(self._workspace.settings.hooks[source].own_accounts)
            try:
                mine.add(self._sources(source).account_id() or "")
            except QAAgentsError as error:
                log.warning("own account of %s is not known yet: %s", source, error)
                return frozenset(mine)
            self._accounts[source] = frozenset(mine - {""})
        return self._accounts[source]

    def triage(self, payload: Mapping[str, Any]) -> None:
        """Read the issue as it is now and triage it up to the checkpoint. Raises what should make the job wait or count."""
        source, issue = str(payload["source"]), str(payload["issue"])
        try:
            report = self._sources(source).issue(issue)
        except InvalidInputError as error:
            raise QAAgentsError(f"The issue {issue} cannot be read: {error}") from None
        if report is None:
            self._close(source, issue)
            return
        self._remember_key(source, issue, report.id)
        account = self._workspace.received.find(report.id)
        back = account is not None and account.state == "rejected"  # it was gone, and is there again
        done = handle(
            self._workspace,
            received_of(report),
            options={"k": CANDIDATES, "remember": True},
            again=back,
            source=f"jira:{source}",
        )
        if done.account.state == "failed":
            kind = UnavailableError if done.unavailable else QAAgentsError
            raise kind(done.account.error or "The triage failed.")
        if payload.get("why") == "polling" and done.account.fresh:
            log.warning("%s of %s had changed without a delivery", report.id, source)

    def resume(self, payload: Mapping[str, Any]) -> None:
        """Take a run up where its decision left it."""
        try:
            self._workspace.desk.run(str(payload["run_id"]))
        except ConflictError as error:
            raise UnavailableError(str(error)) from None

    def reconcile(self, source: str) -> int:
        """Ask the tracker what changed since the last look and put it in the queue; how many issues that were.

        What a delivery told of already is read once more and found unchanged: only that tells that the delivery came last.
        """
        hook, began = self._workspace.settings.hooks[source], self._now()
        since = datetime.fromtimestamp(self._last_look(source) or began, UTC) - OVERLAP
        found = [id for project in hook.projects for id in self._sources(source).changed_since(project, since)]
        with self._workspace.database.write() as connection:
            for issue in found:
                key = f"jira:{source}:{issue}"
                payload = {"do": "triage", "source": source, "issue": issue, "received_at": began, "why": "polling"}
                self._workspace.intake.enqueue(connection, key, f"{key} polled {began:.3f}", payload)
            remember_fact(connection, f"polled {source}", began)
        return len(found)

    def _last_look(self, source: str) -> float | None:
        with self._workspace.database.read() as connection:
            last = recall_fact(connection, f"polled {source}")
        return float(last) if isinstance(last, int | float) else None

    def _remember_key(self, source: str, issue: str, key: str) -> None:
        """Under which key the issue was last seen, so that it can be closed when it is gone."""
        fact = fact_of(source, issue)
        with self._workspace.database.read() as connection:
            known = recall_fact(connection, fact)
        if known != key:
            with self._workspace.database.write() as connection:
                remember_fact(connection, fact, key)

    def _close(self, source: str, issue: str) -> None:
        """The issue is gone: nobody is asked about it any more."""
        with self._workspace.database.write() as connection:
            key = recall_fact(connection, fact_of(source, issue)) or issue
            mine = reports.c.source == f"jira:{source}", reports.c.report_id == key
            row = connection.execute(select(reports).where(*mine)).first()
            if row is None or row.state not in ("received", "waiting", "failed", "asked"):
                return
            self._workspace.inbox.supersede(connection, row.report_id, by="the tracker")
            connection.execute(
                update(runs).where(runs.c.run_id == row.run_id, runs.c.state != "done").values(state="superseded")
            )
            gone = {"state": "rejected", "error": "The issue is gone from the tracker.", "changed_at": self._now()}
            connection.execute(update(reports).where(*mine).values(**gone))
            self._workspace.ledger.append(connection, "gone", row.report_id, source=f"jira:{source}")


def fact_of(source: str, issue: str) -> str:
    """The name under which the key of an issue is remembered, at most 60 characters."""
    return f"issue {hashlib.sha256(f'{source} {issue}'.encode()).hexdigest()[:40]}"


def received_of(report: Report) -> ReceivedReport:
    """A report as the account takes it; what identifies it is its content."""
    raw = report.model_dump_json().encode()
    return ReceivedReport(report, raw, hashlib.sha256(raw).hexdigest(), 1)


def work(
    workspace: "Workspace", stop: threading.Event, *, until_empty: bool = False, sources: Sources | None = None
) -> int:
    """Be a worker until told to stop; how many jobs were handled."""
    return Listener(workspace, sources).worker().run(stop, until_empty=until_empty)
