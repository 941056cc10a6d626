"""What may be spent on language models per subject and day, counted in the workspace so that a restart forgets nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select, update

from qa_agents.llm.faults import Fault
from qa_agents.llm.schema import Usage
from qa_agents.settings import ModelSettings
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import model_spending

KEPT_DAYS = 30
"""A subject's row is dropped when nothing was spent on it for so long; days are kept as long."""
CHARS_PER_TOKEN = 3
"""Fewer than any text of any language takes on average, so that a reckoning errs on the high side."""


@dataclass(frozen=True)
class Spent:
    """What was taken so far, reservations included."""

    tokens: int
    cost: float


def reckoned(settings: ModelSettings, model: str, input_chars: int, output_tokens: int) -> Usage:
    """What a question may take at most: by its length, and as if the whole answer were used."""
    return priced(settings, model, -(-input_chars // CHARS_PER_TOKEN), output_tokens, estimated=True)


def priced(
    settings: ModelSettings, model: str, input_tokens: int, output_tokens: int, *, estimated: bool = False
) -> Usage:
    """Tokens with their cost by the configured prices; 0 for a model without one."""
    price = settings.prices.get(model)
    cost = (input_tokens * price.input + output_tokens * price.output) / 1_000_000 if price else 0.0
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, cost=cost, estimated=estimated)


class Budget:
    """Reserves before a question is put, and settles afterwards. A crash in between leaves the reservation spent."""

    def __init__(self, database: Database, settings: ModelSettings, now: Callable[[], float] = time.time) -> None:
        self._database, self._settings, self._now = database, settings, now

    def reserve(self, subject: str, at_most: Usage) -> Callable[[Usage], None]:
        """Set `at_most` aside for a subject and today; what is returned settles it with what it took.

        Raises Fault `over-budget` when either limit would be passed.
        """
        settings, at = self._settings, self._now()
        rows = {_day(at): "today", f"subject:{subject}": "this subject"}
        limits = {
            "today": (settings.tokens_per_day, settings.money_per_day),
            "this subject": (settings.tokens_per_subject, settings.money_per_subject),
        }
        with self._database.write(durable=False) as connection:
            connection.execute(delete(model_spending).where(model_spending.c.changed_at < at - KEPT_DAYS * 86_400))
            for name, whose in rows.items():
                spent, (tokens, money) = _spent(connection, name), limits[whose]
                if spent.tokens + at_most.tokens > tokens:
                    raise Fault("over-budget", f"The tokens for {whose} are used up ({spent.tokens} of {tokens}).")
                if money is not None and spent.cost + at_most.cost > money:
                    raise Fault("over-budget", f"The money for {whose} is used up ({spent.cost:.4f} of {money}).")
            for name in rows:
                _add(connection, name, at_most.tokens, at_most.cost, at)

        def settle(taken: Usage) -> None:
            with self._database.write(durable=False) as connection:
                for name in rows:
                    _add(connection, name, taken.tokens - at_most.tokens, taken.cost - at_most.cost, self._now())

        return settle

    def today(self) -> Spent:
        """What was spent today (UTC)."""
        return self._of(_day(self._now()))

    def of_subject(self, subject: str) -> Spent:
        """What was spent on one report, plan or conversation."""
        return self._of(f"subject:{subject}")

    def _of(self, name: str) -> Spent:
        with self._database.read() as connection:
            return _spent(connection, name)


def _day(at: float) -> str:
    return f"day:{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _spent(connection: Connection, name: str) -> Spent:
    table = model_spending
    row = connection.execute(select(table.c.tokens, table.c.cost).where(table.c.name == name)).first()
    return Spent(row.tokens, row.cost) if row else Spent(0, 0.0)


def _add(connection: Connection, name: str, tokens: int, cost: float, at: float) -> None:
    table = model_spending
    values = {"tokens": table.c.tokens + tokens, "cost": table.c.cost + cost, "changed_at": at}
    if connection.execute(update(table).where(table.c.name == name).values(values)).rowcount == 0:
        connection.execute(insert(table).values(name=name, tokens=tokens, cost=cost, changed_at=at))
