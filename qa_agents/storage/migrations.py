"""Schema versions, applied in order and recorded; a workspace from the future is refused, never touched."""

from collections.abc import Callable

from sqlalchemy import Connection, Table, inspect, text, update
from sqlalchemy.schema import CreateColumn

from qa_agents.errors import StorageError
from qa_agents.storage import tables


def m001_initial(connection: Connection) -> None:
    """Create every table of the first version."""
    tables.metadata.create_all(connection)


def m002_who_decides(connection: Connection) -> None:
    """Add what policies need: every single answer, and what a review requires."""
    tables.metadata.create_all(connection)
    for name in ("form", "requires", "assigned_to", "routed_at", "seeded"):
        _add_column(connection, tables.reviews, name)


def m003_erasable_payloads(connection: Connection) -> None:
    """Let the ledger's hash cover a salted digest of the payload, so that a payload can be erased and the chain still holds.

    Entries that are there already keep both new columns empty, which tells which rule their hash follows.
    """
    for name in ("salt", "payload_sha256"):
        _add_column(connection, tables.ledger, name)


def m004_claimed_and_undone(connection: Connection) -> None:
    """Add what the outbox needs to claim an action before it is tried, and to take one back."""
    for name in ("attempts", "tried_at", "undoes"):
        _add_column(connection, tables.actions, name)


def m005_plan_decisions(connection: Connection) -> None:
    """Add what people decide about single items of test plans."""
    tables.metadata.create_all(connection)


def m006_intake_and_jobs(connection: Connection) -> None:
    """Add what a service needs: acknowledged deliveries, and the queue of what to do about them."""
    tables.metadata.create_all(connection)


def m007_test_runs(connection: Connection) -> None:
    """Add the store of test runs, packed."""
    tables.metadata.create_all(connection)


def m008_listed_reviews(connection: Connection) -> None:
    """Let lists of reviews be sorted and filtered without opening what each of them shows."""
    table = tables.reviews
    for name in ("gate", "rules", "deadline"):
        _add_column(connection, table, name)
    due = table.c.opened_at + 3600.0 * table.c.requires["sla_hours"].as_float()
    said = {name: table.c.shown[name].as_string() for name in ("gate", "rules")}
    connection.execute(update(table).values(**said, deadline=due))
    for index in table.indexes:
        if index.name == "reviews_listed":
            index.create(connection, checkfirst=True)


def m009_model_calls(connection: Connection) -> None:
    """Add what language models took, and what they answered."""
    tables.metadata.create_all(connection)


def m010_one_job_in_hand(connection: Connection) -> None:
    """Let the database itself see to it that one job of a key is in hand at a time."""
    jobs = tables.jobs
    connection.execute(update(jobs).where(jobs.c.state == "doing").values(state="todo", lease_until=None))
    for index in jobs.indexes:
        if index.name == "jobs_in_hand":
            index.create(connection, checkfirst=True)


def _add_column(connection: Connection, table: Table, name: str) -> None:
    """Add one column to an existing table, unless a newer `create_all` made it already."""
    if name in {column["name"] for column in inspect(connection).get_columns(table.name)}:
        return
    column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column}"))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    m001_initial,
    m002_who_decides,
    m003_erasable_payloads,
    m004_claimed_and_undone,
    m005_plan_decisions,
    m006_intake_and_jobs,
    m007_test_runs,
    m008_listed_reviews,
    m009_model_calls,
    m010_one_job_in_hand,
)
CURRENT = len(MIGRATIONS)


def stored_version(connection: Connection) -> int:
    """The schema version the database is at; 0 for an empty one."""
    if not inspect(connection).has_table("schema_version"):
        return 0
    return int(connection.execute(text("SELECT max(version) FROM schema_version")).scalar() or 0)


def upgrade(connection: Connection) -> int:
    """Bring the database to CURRENT inside the caller's transaction and return how many steps were taken.

    Raises StorageError when a newer release wrote it.
    """
    version = stored_version(connection)
    if version > CURRENT:
        raise StorageError(
            f"The workspace was written by a newer qa-agents (schema {version}, this one knows {CURRENT}).",
            hint="Upgrade qa-agents, or choose another workspace with --home.",
        )
    if version == 0:
        connection.execute(text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)"))
    for number, migrate in enumerate(MIGRATIONS[version:], start=version + 1):
        migrate(connection)
        connection.execute(text("INSERT INTO schema_version (version) VALUES (:v)"), {"v": number})
    return CURRENT - version
