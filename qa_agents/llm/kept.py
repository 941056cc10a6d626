"""Answers kept for the very same question, in the workspace's database."""

import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, delete, select

from qa_agents.llm.schema import RenderedPrompt
from qa_agents.settings import ModelSettings
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, insert_new
from qa_agents.storage.tables import model_answers

DAY = 86_400.0


class Kept(BaseModel):
    """One checked answer: the object as it was written, and who wrote it."""

    model_config = ConfigDict(frozen=True)

    value: dict[str, Any]
    model: str
    repaired: bool


class KeptAnswers:
    """Answers by the hash of endpoint, model, shape and redacted question."""

    def __init__(self, database: Database, settings: ModelSettings, now: Callable[[], float] = time.time) -> None:
        self._database, self._now = database, now
        self._seconds = settings.cache_days * DAY
        self._about = [settings.base_url, settings.temperature if settings.send_temperature else None]

    def key(self, prompt: RenderedPrompt, model: str, schema: dict[str, Any]) -> str:
        """Equal for questions that would be put alike."""
        return digest_of([*self._about, model, schema, prompt.content_sha256, prompt.max_output_tokens])

    def get(self, key: str) -> Kept | None:
        """The answer, unless there is none or it is too old."""
        if not self._seconds:
            return None
        table = model_answers
        query = select(table.c.body).where(table.c.key == key, table.c.created_at >= self._now() - self._seconds)
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return Kept.model_validate(body) if body is not None else None

    def keep(self, key: str, answer: Kept) -> None:
        """Keep an answer, and drop those that are too old."""
        if not self._seconds:
            return
        at, table = self._now(), model_answers
        with self._database.write(durable=False) as connection:
            connection.execute(delete(table).where(table.c.created_at < at - self._seconds))
            body = answer.model_dump(mode="json")
            insert_new(connection, table, "key", key=key, body=body, created_at=at)


def forget_answers(connection: Connection) -> int:
    """Delete every kept answer, inside the caller's transaction; how many there were.

    For erasing a report: an answer about another one may quote it, and asking anew is all that is lost.
    """
    return connection.execute(delete(model_answers)).rowcount
