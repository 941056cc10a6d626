"""Every table, once: the same definition serves SQLite and PostgreSQL."""

import json
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
_Big = BigInteger().with_variant(Integer, "sqlite")
"""SQLite autoincrements only INTEGER keys, which are 64 bits wide there."""


def _of_shown(name: str) -> Any:
    """A column default: what `shown` says under this name, a list as JSON text."""

    def value(context: Any) -> str | None:
        found = (context.get_current_parameters().get("shown") or {}).get(name)
        return found if found is None or isinstance(found, str) else json.dumps(found)

    return value


def _deadline(context: Any) -> float | None:
    given = context.get_current_parameters()
    hours = (given.get("requires") or {}).get("sla_hours")
    return None if hours is None else float(given["opened_at"]) + 3600.0 * float(hours)


# Moments are stored as seconds since the epoch, UTC: comparable, sortable and alike on both engines.

artifacts = Table(
    "artifacts",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("media_type", String(60), nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("pk", _Big, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("seq", _Big, nullable=False, index=True),
    Column("content_sha", String(64), nullable=False),
    Column("imported_sha", String(64)),
    Column("origin", String(10), nullable=False),
    Column("created", Float),
    Column("resolved", Float),
    Column("updated", Float),
    Column("component", Text),
    Column("severity", Text),
    Column("resolution", Text),
    Column("body", JSON, nullable=False),
    sqlite_autoincrement=True,
)
"""The memory. `seq` grows with every change, so that derived indexes catch up by reading what is newer than theirs."""

incident_links = Table(
    "incident_links",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("target_id", Text, primary_key=True, index=True),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", _Big, nullable=False),
)

workspace_facts = Table(
    "workspace",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", JSON, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("source", String(60), primary_key=True),
    Column("report_id", Text, primary_key=True),
    Column("raw_sha256", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("run_id", String(80), index=True),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("received_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)
"""The intake: one row per received report; `state` is exactly one of checkpoint.schema.ReportState."""

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(80), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("source", String(60), nullable=False),
    Column("subject_id", Text, nullable=False, index=True),
    Column("input_sha256", String(64), nullable=False),
    Column("outcome_sha256", String(64)),
    Column("state", String(12), nullable=False, index=True),
    Column("options", JSON, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
)
"""One pass of a graph over one input. `state = done` is the only proof that a run has finished."""

reviews = Table(
    "reviews",
    metadata,
    Column("review_id", String(40), primary_key=True),
    Column("run_id", String(80), nullable=False, index=True),
    Column("interrupt_id", String(80), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("subject_id", Text, nullable=False, index=True),
    Column("state", String(12), nullable=False, index=True),
    Column("digest", String(64), nullable=False),
    Column("shown", JSON, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("due_at", Float),
    Column("decision", JSON),
    Column("decided_at", Float),
    Column("form", String(12), nullable=False, server_default="approval"),
    Column("requires", JSON),
    Column("assigned_to", Text),
    Column("routed_at", Float),
    Column("seeded", JSON),
    Column("gate", String(12), default=_of_shown("gate")),
    Column("rules", Text, default=_of_shown("rules")),
    Column("deadline", Float, default=_deadline),
    UniqueConstraint("run_id", "interrupt_id"),
)
"""`form`: approval, signoff or question; `requires`: what the policy demanded when it was opened (quorum, roles, proposer);
`assigned_to`: whom it was delegated or re-routed to; `seeded`: for a canary, what a careful reviewer must do. For lists, `gate`,
`rules` (JSON text) and `deadline` (opening plus the policy's hours; quiet hours come on top) repeat `shown` and `requires`."""

decisions = Table(
    "decisions",
    metadata,
    Column("pk", _Big, primary_key=True, autoincrement=True),
    Column("review_id", String(40), nullable=False, index=True),
    Column("reviewer", Text, nullable=False, index=True),
    Column("purpose", String(8), nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", Float, nullable=False),
)
"""Every answer anyone gave: `purpose` is vote (counts towards the review's quorum), second (blind second look) or canary."""

actions = Table(
    "actions",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("run_id", String(80), nullable=False, index=True),
    Column("target", Text, nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("before", JSON),
    Column("error", Text),
    Column("planned_at", Float, nullable=False),
    Column("done_at", Float),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("tried_at", Float),
    Column("undoes", String(64)),
)
"""The outbox: an intended change is written here before it is made outside, and marked done after it was seen there.

`state`: planned, trying (claimed, its answer not known yet), done, failed, undone (taken back by a person), dropped (the issue
moved before it was made). `undoes`: the key of the action that this one takes back.
"""

ledger = Table(
    "ledger",
    metadata,
    Column("seq", _Big, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("actor", Text, nullable=False),
    Column("event", String(40), nullable=False, index=True),
    Column("subject", Text, nullable=False, index=True),
    Column("payload", JSON, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("salt", String(32)),
    Column("payload_sha256", String(64)),
)
"""`hash` covers `payload_sha256`, which covers `payload` and `salt`: an erased entry has JSON null and no salt, and still links.
Entries of schema 1 and 2 have neither column; their `hash` covers the payload itself."""

leases = Table(
    "leases",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", _Big, nullable=False),
    Column("expires_at", Float, nullable=False),
)

plan_decisions = Table(
    "plan_decisions",
    metadata,
    Column("pk", _Big, primary_key=True, autoincrement=True),
    Column("plan", Text, nullable=False, index=True),
    Column("item_id", Text, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", Float, nullable=False),
)
"""What people decided about single items of a plan: answers, rejected cases, changed fields. Replayed on every draft."""

intake = Table(
    "intake",
    metadata,
    Column("pk", _Big, primary_key=True, autoincrement=True),
    Column("source", String(60), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("delivery", String(200)),
    Column("body_sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", Text),
    Column("job_key", Text),
    Column("received_at", Float, nullable=False),
    Column("settled_at", Float),
    UniqueConstraint("source", "body_sha256"),
    UniqueConstraint("source", "delivery"),
    sqlite_autoincrement=True,
)
"""What was acknowledged to a sender, as it came: `state` is received, routed, ignored, duplicate, dead or dropped.

`body` is emptied once it was routed or ignored: it was only a hint, and holds what people wrote. A dead one keeps it.
"""

jobs = Table(
    "jobs",
    metadata,
    Column("pk", _Big, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False),
    Column("dedup_id", Text, nullable=False, unique=True),
    Column("payload", JSON, nullable=False),
    Column("state", String(8), nullable=False),
    Column("ready_at", Float, nullable=False),
    Column("token", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("holder", Text),
    Column("lease_until", Float),
    Column("merged_into", _Big),
    Column("error", Text),
    Column("put_at", Float, nullable=False),
    Column("ended_at", Float),
    sqlite_autoincrement=True,
)
"""The queue: `state` is todo, doing, done, merged (into an earlier one that still waited), dead or dropped."""

result_runs = Table(
    "result_runs",
    metadata,
    Column("pk", _Big, primary_key=True, autoincrement=True),
    Column("run_id", Text, nullable=False, unique=True),
    Column("digest", String(64), nullable=False),
    Column("commit_id", Text, nullable=False, index=True),
    Column("branch", Text, nullable=False, index=True),
    Column("environment", Text, nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("added_at", Float, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("is_green", Integer, nullable=False),
    Column("pinned", Text, nullable=False, server_default=""),
    Column("body", JSON, nullable=False),
    Column("packed", LargeBinary, nullable=False),
    Column("red", LargeBinary, nullable=False),
    Column("rest", LargeBinary, nullable=False),
    Column("outputs", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Sets of test results, one row each. `packed` is the table of every result (test key, outcome, time); `red` has what the
failures say, `rest` what else is known of single results, `outputs` the scored outputs (zlib; see results/packing.py). `at` is
when it ran, or was added where that is unknown; `pinned` says why it must not be pruned, "" if it may."""

result_tests = Table(
    "result_tests",
    metadata,
    Column("key", _Big, primary_key=True, autoincrement=True),
    Column("digest", String(32), nullable=False, unique=True),
    Column("suite", Text, nullable=False),
    Column("name", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Every test that any run knows, once: runs hold its `key` only. `digest` is that of suite and name, too long to index."""

Index(
    "reviews_listed",
    *(reviews.c[name] for name in ("state", "gate", "kind", "deadline", "opened_at", "due_at", "assigned_to", "rules")),
    reviews.c.review_id,
    reviews.c.subject_id,
)
model_spending = Table(
    "model_spending",
    metadata,
    Column("name", Text, primary_key=True),
    Column("tokens", _Big, nullable=False),
    Column("cost", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)
"""What language models took: one row a day (`day:2026-11-22`), one a subject (`subject:` and the id of a report, plan, …)."""

model_answers = Table(
    "model_answers",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("body", JSON, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
)
"""Checked answers of language models by the hash of the whole redacted question; a cache."""

Index("intake_state", intake.c.state, intake.c.pk)
Index("jobs_state", jobs.c.state, jobs.c.pk)
Index("jobs_key", jobs.c.key, jobs.c.state, jobs.c.pk)
_IN_HAND = jobs.c.state == "doing"
Index("jobs_in_hand", jobs.c.key, unique=True, sqlite_where=_IN_HAND, postgresql_where=_IN_HAND)
Index("incidents_created", incidents.c.created)
Index("reports_received", reports.c.received_at)

__all__ = [
    "actions",
    "artifacts",
    "counters",
    "decisions",
    "incident_links",
    "incidents",
    "intake",
    "jobs",
    "leases",
    "ledger",
    "metadata",
    "model_answers",
    "model_spending",
    "plan_decisions",
    "reports",
    "result_runs",
    "result_tests",
    "reviews",
    "runs",
    "workspace_facts",
]
