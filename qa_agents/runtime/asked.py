"""The question ledger: what a report's reporter was asked before, read off the actions that asked it."""

from collections.abc import Sequence

from sqlalchemy import select

from qa_agents.storage.engine import Database
from qa_agents.storage.tables import actions

LIVE = ("planned", "trying", "done")
"""States of an action that was or will be carried out; a question that failed or was taken back was not asked."""
MARK = "- "
"""Each line of the comment that asks begins with it."""


def asked_questions(database: Database, target: str) -> Sequence[str]:
    """The questions put to the reporter of this issue, in order, each once."""
    query = select(actions.c.body, actions.c.state).where(actions.c.target == target).order_by(actions.c.planned_at)
    found: list[str] = []
    with database.read() as connection:
        for body, state in connection.execute(query):
            if state in LIVE and body.get("kind") == "add_comment" and body.get("params", {}).get("public"):
                lines = str(body["params"].get("text", "")).splitlines()
                found += [line.removeprefix(MARK).strip() for line in lines if line.startswith(MARK)]
    return list(dict.fromkeys(found))
