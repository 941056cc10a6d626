"""Every correction becomes an eval case: what was filed, what a person made of it. At most the redacted text leaves."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from qa_agents.checkpoint.oversight import Answer, answers
from qa_agents.errors import ErasedError, NotFoundError
from qa_agents.incidents.schema import Report
from qa_agents.llm.redact import mask
from qa_agents.storage.artifacts import get_artifact
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import reviews, runs
from qa_agents.triage.gate.track_record import written

CORRECTING = ("edit", "reject")
MAX_TEXT_CHARS = 20_000
FILED = ("id", "summary", "description", "created", "product", "version", "platform")
"""What of the report leaves: no reporter, no labels, no unknown keys."""


class EvalCase(BaseModel):
    """One correction in the shape of the eval data sets."""

    model_config = ConfigDict(frozen=True)

    id: str
    input: dict[str, Any]
    """The report as filed, secrets and personal data masked."""
    expected: dict[str, Any]
    """Field to the value that a person set; `not` names per field the value that was refused."""
    tags: list[str] = Field(default_factory=list)
    source: str
    group: str
    """The report it is about: several corrections of one report are not independent."""


def correction_cases(database: Database, *, since: float = 0.0) -> Iterator[EvalCase]:
    """Edits and rejections since then, oldest first; of several answers to one review only the newest, canaries excluded.

    A report whose text was erased on request gives no case.
    """
    newest: dict[str, Answer] = {}
    for answer in answers(database, since=since):
        if answer.purpose != "canary":
            newest.pop(answer.review_id, None)
            newest[answer.review_id] = answer
    with database.read() as connection:
        for answer in newest.values():
            if answer.verdict in CORRECTING and (report := _filed(connection, answer.review_id)) is not None:
                yield _case(report, answer)


def _case(report: Report, answer: Answer) -> EvalCase:
    proposed = written(answer.shown)
    refused = (
        proposed if answer.verdict == "reject" else {name: proposed[name] for name in answer.edits if name in proposed}
    )
    expected: dict[str, Any] = dict(answer.edits)
    wrong = {name: value for name, value in refused.items() if answer.edits.get(name) != value}
    if wrong:
        expected["not"] = wrong
    return EvalCase(
        id=f"correction-{digest_of([answer.review_id, answer.at])[:12]}",
        input=_redacted(report),
        expected=expected,
        tags=["triage", "correction", answer.verdict, *([answer.reason_code] if answer.reason_code else [])],
        source=f"review {answer.review_id}",
        group=report.id,
    )


def _redacted(report: Report) -> dict[str, Any]:
    fields = report.model_dump(mode="json", include=set(FILED), exclude_none=True)
    for name in ("summary", "description"):
        fields[name] = mask(str(fields[name])[: 2 * MAX_TEXT_CHARS], personal=True)[:MAX_TEXT_CHARS]
    return fields


def _filed(connection: Connection, review_id: str) -> Report | None:
    query = (
        select(runs.c.input_sha256)
        .join(reviews, reviews.c.run_id == runs.c.run_id)
        .where(reviews.c.review_id == review_id, reviews.c.kind == "triage")
    )
    sha256 = connection.execute(query).scalar()
    if sha256 is None:
        return None
    try:
        return Report.model_validate(json.loads(get_artifact(connection, sha256)))
    except (NotFoundError, ErasedError):
        return None
