"""What a run leaves behind: its document when it has one, and the proof that it is finished."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, select

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.runtime.desk import RUN, set_run_state
from qa_agents.runtime.lease import Leases
from qa_agents.storage.artifacts import put_artifact
from qa_agents.storage.engine import Database, later, soon
from qa_agents.storage.prepared import Prepared
from qa_agents.storage.tables import runs

_STANDING = Prepared(
    select(runs.c.state, runs.c.subject_id, runs.c.outcome_sha256).where(runs.c.run_id == bindparam("the_run"))
)


class Recorder:
    """Writes a run's results; repeating a call changes nothing. A worker that lost its lease is refused with ConflictError."""

    def __init__(self, database: Database, ledger: Ledger, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._ledger = ledger
        self._now = now
        self._leases = Leases(database, now)

    def publish(self, run_id: str, document: bytes, *, event: str = "triaged", **summary: Any) -> str:
        """Keep the run's document and return its SHA-256; `summary` goes into the ledger beside it, as `event`."""
        with self._database.write() as connection:
            found = soon(connection, _STANDING, the_run=run_id)
            self._ledger.expect(connection)
            self._leases.refuse_stale(connection)
            [run] = found.records()
            sha = put_artifact(connection, document)
            if run["outcome_sha256"] != sha:
                later(connection, RUN, the_run=run_id, outcome_sha256=sha)
                self._ledger.append(connection, event, run["subject_id"], run_id=run_id, document=sha, **summary)
        return sha

    def finish(self, run_id: str, report_state: str, **summary: Any) -> None:
        """Mark the run done and its report as `decided` or `asked`: the last that its worker writes, whose lease ends with it."""
        with self._database.write() as connection:
            found = soon(connection, _STANDING, the_run=run_id)
            self._ledger.expect(connection)
            self._leases.refuse_stale(connection)
            [run] = found.records()
            if run["state"] == "done":
                return
            set_run_state(connection, run_id, "done", self._now(), report_state=report_state)
            self._ledger.append(connection, "recorded", run["subject_id"], run_id=run_id, state=report_state, **summary)
            self._leases.give_back(connection, run_id)
