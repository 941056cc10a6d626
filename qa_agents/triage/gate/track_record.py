"""What people made of proposals: read from decisions, blind second looks, audits and later corrections, each value once.

Kept: approved, or edited elsewhere. Not kept: the field was edited to something else, the review was rejected, a blind second
look or an audit would have had something else, or a person took it back later. A question to the reporter judges nothing. What
was applied without a person counts only where somebody looked afterwards.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from qa_agents.checkpoint.audits import band_of
from qa_agents.checkpoint.gate_policy import OTHER_FILER
from qa_agents.errors import ErasedError, NotFoundError
from qa_agents.storage.artifacts import get_artifact
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions, decisions, reviews, runs
from qa_agents.triage.gate.standing import Judged

LOOKBACK = 20_000
"""Only so many of the newest answers are read."""
_IN_CHUNK = 500
JUDGING = ("approve", "edit", "reject")
PROPOSED = "proposed"
"""Key of what is shown at the checkpoint that holds the fields' values with their probabilities."""

Shown = Mapping[str, Any]


def stamp(connection: Connection) -> tuple[int, int]:
    """Changes whenever the record may have changed; two index look-ups."""
    newest = connection.execute(select(func.max(decisions.c.pk))).scalar() or 0
    undone = connection.execute(select(func.count()).where(actions.c.state == "undone")).scalar() or 0
    return int(newest), int(undone)


def read_record(database: Database) -> list[Judged]:
    """Every judged value of the newest LOOKBACK answers; one item per run and field, canaries excluded."""
    with database.read() as connection:
        found: dict[tuple[str, str], Judged] = {}
        for judged in (*_answered(connection), *_audited(connection), *_undone(connection)):
            before = found.get((judged.run_id, judged.field))
            kept = judged.kept and (before is None or before.kept)
            found[judged.run_id, judged.field] = (before or judged)._replace(kept=kept)
    return list(found.values())


def judged_by(run_id: str, shown: Shown, answer: Mapping[str, Any], at: float) -> Iterator[Judged]:
    """What one answer says about each value that would have been written."""
    verdict, edits = str(answer.get("verdict")), dict(answer.get("edits") or {})
    if verdict not in JUDGING:
        return
    for field, value in written(shown).items():
        kept = verdict != "reject" and edits.get(field, value) == value
        yield _judged(run_id, shown, field, kept, at)


def written(shown: Shown) -> dict[str, str]:
    """The field values that approving would write."""
    return {
        str(action["params"]["field"]): str(action["params"]["value"])
        for action in shown.get("actions") or ()
        if action.get("kind") == "set_field"
    }


def _judged(run_id: str, shown: Shown, field: str, kept: bool, at: float) -> Judged:
    proposed = {str(one.get("field")): one for one in shown.get(PROPOSED) or ()}
    return Judged(
        run_id=run_id,
        field=field,
        band=band_of((proposed.get(field) or {}).get("probability")),
        component=str((proposed.get("component") or {}).get("value") or ""),
        filer=str(shown.get("filer") or OTHER_FILER),
        kept=kept,
        at=at,
    )


def _answered(connection: Connection) -> Iterator[Judged]:
    """Votes and blind second looks. Who approves another person's edit stands behind that edit."""
    query = (
        select(
            decisions.c.body, decisions.c.at, reviews.c.run_id, reviews.c.shown, reviews.c.digest, reviews.c.decision
        )
        .join(reviews, reviews.c.review_id == decisions.c.review_id)
        .where(
            decisions.c.purpose.in_(("vote", "second")),
            reviews.c.kind == "triage",
            reviews.c.state == "decided",
            reviews.c.seeded.is_(None),
        )
        .order_by(decisions.c.pk.desc())
        .limit(LOOKBACK)
    )
    for row in connection.execute(query):
        answer = row.body
        if answer.get("verdict") == "approve" and answer.get("digest") != row.digest and row.decision:
            answer = row.decision
        yield from judged_by(row.run_id, row.shown or {}, answer, row.at)


def _audited(connection: Connection) -> Iterator[Judged]:
    """Audits of what went through alone; what was found wrong counts against every field that was written."""
    query = (
        select(decisions.c.review_id, decisions.c.body, decisions.c.at)
        .where(decisions.c.purpose == "audit")
        .order_by(decisions.c.pk.desc())
        .limit(LOOKBACK)
    )
    rows = {row.review_id: row for row in connection.execute(query)}
    for run_id, shown in _published(connection, list(rows)):
        row = rows[run_id]
        for field in written(shown):
            yield _judged(run_id, shown, field, row.body.get("verdict") == "confirm", row.at)


def _undone(connection: Connection) -> Iterator[Judged]:
    """Values of ours that a person took back afterwards."""
    query = (
        select(actions.c.run_id, actions.c.body, actions.c.done_at, actions.c.planned_at)
        .where(actions.c.state == "undone")
        .order_by(actions.c.planned_at.desc())
        .limit(LOOKBACK)
    )
    rows = [row for row in connection.execute(query) if row.body.get("kind") == "set_field"]
    shown = dict(_published(connection, [row.run_id for row in rows]))
    for row in rows:
        params, about = row.body["params"], shown.get(row.run_id, {})
        field = str(params["field"])
        if written(about).get(field) == str(params["value"]):
            yield _judged(row.run_id, about, field, False, row.done_at or row.planned_at)


def _published(connection: Connection, run_ids: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a person would have been shown for these runs, from the verdicts they published; erased ones are left out."""
    names = list(dict.fromkeys(run_ids))
    for start in range(0, len(names), _IN_CHUNK):
        chosen = runs.c.run_id.in_(names[start : start + _IN_CHUNK]), runs.c.outcome_sha256.is_not(None)
        for row in connection.execute(select(runs.c.run_id, runs.c.outcome_sha256).where(*chosen)).all():
            try:
                verdict = json.loads(get_artifact(connection, row.outcome_sha256))
            except (NotFoundError, ErasedError):
                continue
            filer = (verdict.get("provenance") or {}).get("filer")
            proposed = [{"field": name, **one} for name, one in (verdict.get("proposals") or {}).items()]
            yield row.run_id, {"actions": verdict.get("actions"), PROPOSED: proposed, "filer": filer}
