"""propose → checkpoint → decide → apply, whole cycles, beside LangGraph's bare savers driving the same four-step graph.

Ours receives the report, keeps it, opens a review, takes a decision bound to what was shown, writes the change through the
outbox, closes the account and appends to the ledger, all under leases. The bare peer invokes, interrupts, resumes and makes the
change.
Both run each step synchronously on disk. Cycles alternate, so that both meet the same machine.
"""

import argparse
import contextlib
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

from pydantic import BaseModel, Field

from evals.report import table
from evals.stats import Interval, Spread, paired_ratio, spread
from qa_agents.checkpoint.inbox import Inbox
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.node import checkpoint
from qa_agents.checkpoint.schema import Decision
from qa_agents.errors import UnavailableError
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Report
from qa_agents.runtime.desk import Desk
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.outbox import Outbox
from qa_agents.runtime.received import Received
from qa_agents.runtime.record import Recorder
from qa_agents.runtime.savers import DURABILITY, close_saver, open_saver
from qa_agents.settings import prepare_environment
from qa_agents.storage.artifacts import sha256_hex
from qa_agents.storage.engine import Database, open_database, remember_fact
from qa_agents.testing.tracker import MemoryTracker
from qa_agents.trackers.schema import Action

MAX_RATIO = 1.5
"""A cycle of ours may cost so many times the bare one."""
WARM_UP = 5


class Part(BaseModel):
    """Where a cycle's time goes."""

    name: str
    times: float
    """How often per cycle."""
    ms: float
    """Milliseconds per cycle, mean."""


class OnEngine(BaseModel):
    """Cycles on one engine, in seconds."""

    engine: str
    ours: Spread
    bare: Spread
    ratio: Interval
    """Of medians, ours by bare, on alternating cycles."""
    flush_ms: float
    """What a flush to this disk adds to a small transaction. Ours flushes four times a cycle, the bare saver with every step."""
    parts: list[Part]

    @property
    def is_within(self) -> bool:
        """Whether the promise was kept."""
        return self.ratio.value <= MAX_RATIO


class Throughput(BaseModel):
    """What a run found."""

    engines: list[OnEngine] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class State(TypedDict, total=False):
    """The state of the four steps, alike on both sides."""

    run_id: str
    subject_id: str
    shown: dict[str, Any]
    decision: dict[str, Any]


def run_throughput(cycles: int, folder: Path, postgres_url: str | None) -> Throughput:
    """Measure both engines; `cycles` per side and engine. Without a server, PostgreSQL is missing and a note says so."""
    prepare_environment()
    result = Throughput()
    result.engines.append(_measure("SQLite", cycles, folder / "qa-agents.db", folder / "checkpoints.db", folder))
    if postgres_url is None:
        result.notes.append("PostgreSQL was NOT measured: name a server with --postgres.")
        return result
    with _schema(postgres_url) as url:
        result.engines.append(_measure("PostgreSQL", cycles, url, url, None))
    return result


def throughput_report(result: Throughput) -> str:
    """The result as Markdown."""
    rows = [
        (
            at.engine,
            str(at.ours.n),
            _ms(at.ours),
            _ms(at.bare),
            f"{1 / at.ours.median:.0f} : {1 / at.bare.median:.0f}",
            f"{at.flush_ms:.2f}",
            str(at.ratio),
            "ok" if at.is_within else "MISS",
        )
        for at in result.engines
    ]
    parts = [
        (at.engine, part.name, f"{part.times:.1f}", f"{part.ms:.1f}", f"{part.ms / at.ours.mean / 10:.0f} %")
        for at in result.engines
        for part in at.parts
    ]
    ours, bare = "ours, ms: median, p95", "bare saver, ms: median, p95"
    head = ("engine", "n", ours, bare, "cycles/s, ours : bare", "a flush, ms", f"ratio, at most {MAX_RATIO}", "")
    return "\n\n".join(
        [
            "## Throughput: propose → checkpoint → decide → apply",
            table(head, rows),
            "Where a cycle of ours goes:",
            table(("engine", "what", "times", "ms", "of all"), parts),
            *(f"- {note}" for note in result.notes),
        ]
    )


def _measure(engine: str, cycles: int, database: Path | str, saver: Path | str, folder: Path | None) -> OnEngine:
    clock = _Clock()
    ours, bare = Ours(database, saver, clock), _Bare(folder / "bare.db" if folder else str(saver))
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    try:
        flush_ms = _flush_ms(ours.db)
        for number in range(cycles + WARM_UP):
            if number == WARM_UP:
                clock.clear()
            sides: list[tuple[str, Callable[[int], None]]] = [("ours", ours.cycle), ("bare", bare.cycle)]
            for name, cycle in sides if number % 2 else sides[::-1]:
                started = time.perf_counter()
                cycle(number)
                if number >= WARM_UP:
                    taken[name].append(time.perf_counter() - started)
    finally:
        ours.close()
        bare.close()
    return OnEngine(
        engine=engine,
        ours=spread(taken["ours"]),
        bare=spread(taken["bare"]),
        ratio=paired_ratio(taken["ours"], taken["bare"]),
        flush_ms=flush_ms,
        parts=clock.parts(cycles, sum(taken["ours"])),
    )


def _flush_ms(database: Database, times: int = 40) -> float:
    """Medians of one small transaction, flushed less not flushed, in turns."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(times):
        for durable, found in taken.items():
            started = time.perf_counter()
            with database.write(durable=durable) as connection:
                remember_fact(connection, "flush", number)
            found.append(time.perf_counter() - started)
    return (spread(taken[True]).median - spread(taken[False]).median) * 1e3


class _Clock:
    """Adds up what is spent where."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = {}

    def clear(self) -> None:
        self._spent.clear()

    @contextlib.contextmanager
    def timing(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._spent.setdefault(name, []).append(time.perf_counter() - started)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.timing(name):
                return function(*args, **kwargs)

        return timed

    def parts(self, cycles: int, whole: float) -> list[Part]:
        found = [
            Part(name=name, times=len(spent) / cycles, ms=sum(spent) / cycles * 1e3)
            for name, spent in self._spent.items()
        ]
        rest = whole / cycles * 1e3 - sum(part.ms for part in found)
        found.append(Part(name="the rest: LangGraph's machinery, reading, Python", times=1, ms=rest))
        return sorted(found, key=lambda part: -part.ms)


class _TimedDatabase(Database):
    """A database whose write transactions are timed, their commit included."""

    clock: _Clock

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Any]:
        name = f"write transactions, {'flushed' if durable else 'not flushed'}"
        with self.clock.timing(name), super().write(durable=durable) as connection:
            yield connection


class Ours:
    """The real parts around the four-step graph."""

    def __init__(self, database: Path | str, saver: Path | str, clock: _Clock | None = None) -> None:
        self.db = open_database(database)
        if clock is not None:
            self.db.__class__ = _TimedDatabase
            self.db.clock = clock  # type: ignore[attr-defined]
        ledger = Ledger()
        self.inbox = Inbox(self.db, ledger)
        self.received = Received(self.db, self.inbox, ledger)
        self.outbox = Outbox(self.db, MemoryTracker(), ledger)
        self.recorder = Recorder(self.db, ledger)
        self.saver = open_saver(saver)
        for name in ("put", "put_writes", "get_tuple", "delete_thread"):
            if clock is not None:
                setattr(self.saver, name, clock.around(f"saver: {name}", getattr(self.saver, name)))
        self.desk = Desk(self.db, self.inbox, ledger, Leases(self.db), self.saver, {"triage": self._graph})

    def cycle(self, number: int) -> None:
        """One report from its arrival to the change that was approved. Raises UnavailableError when it did not stop."""
        report = Report(id=f"R-{number}", summary="It crashes")
        raw = report.model_dump_json().encode()
        received = ReceivedReport(report=report, raw=raw, raw_sha256=sha256_hex(raw), line=1, problem=None, notes=[])
        account = self.received.accept(received, source="evals", kind="triage", options={})
        review = self.desk.run(str(account.run_id))
        if review is None:
            raise UnavailableError("The run did not stop at the checkpoint.")
        self.desk.decide(Decision(review_id=review.review_id, verdict="approve", reviewer="ada", digest=review.digest))

    def close(self) -> None:
        """Give everything back."""
        close_saver(self.saver)
        self.db.close()

    def _graph(self) -> Any:
        return _four_steps(self._apply, self._record)

    def _apply(self, state: State) -> State:
        actions = [Action.model_validate(action) for action in state["shown"]["actions"]]
        self.outbox.carry_out(state["run_id"], actions, None)
        return {}

    def _record(self, state: State) -> State:
        self.recorder.finish(state["run_id"], "decided")
        return {}


class _Bare:
    """What one writes with LangGraph alone: the saver as shipped, invoke, resume, make the change."""

    def __init__(self, saver: Path | str) -> None:
        self._stack = contextlib.ExitStack()
        self._tracker = MemoryTracker()
        self._graph = _four_steps(self._apply, lambda _state: {}).compile(checkpointer=self._saver(saver))

    def cycle(self, number: int) -> None:
        from langgraph.types import Command

        run_id = f"bare-{number}"
        config = {"configurable": {"thread_id": run_id}}
        asked = self._graph.invoke({"run_id": run_id, "subject_id": f"B-{number}"}, config, durability=DURABILITY)
        answer = Decision(review_id=run_id, verdict="approve", reviewer="ada", digest="0" * 64)
        given = {asked["__interrupt__"][0].id: answer.model_dump(mode="json")}
        self._graph.invoke(Command(resume=given), config, durability=DURABILITY)

    def close(self) -> None:
        self._stack.close()

    def _apply(self, state: State) -> State:
        for number, action in enumerate(state["shown"]["actions"]):
            self._tracker.apply(Action.model_validate(action), f"{state['run_id']}-{number}")
        return {}

    def _saver(self, target: Path | str) -> Any:
        if isinstance(target, Path):
            from langgraph.checkpoint.sqlite import SqliteSaver

            return self._stack.enter_context(SqliteSaver.from_conn_string(str(target)))
        from langgraph.checkpoint.postgres import PostgresSaver

        saver = self._stack.enter_context(PostgresSaver.from_conn_string(target))
        saver.setup()
        return saver


def _four_steps(apply: Callable[[State], State], record: Callable[[State], State]) -> Any:
    from langgraph.graph import END, START, StateGraph

    graph: Any = StateGraph(State)
    steps = {"propose": _propose, "checkpoint": checkpoint, "apply": apply, "record": record}
    for name, step in steps.items():
        graph.add_node(name, step)
    for edge in zip([START, *steps], [*steps, END], strict=True):
        graph.add_edge(*edge)
    return graph


def _propose(state: State) -> State:
    action = Action(kind="create_issue", target=state["subject_id"], params={"fields": {"summary": "It crashes"}})
    return {"shown": {"summary": "It crashes", "actions": [action.model_dump(mode="json")], "editable": []}}


@contextlib.contextmanager
def _schema(server: str) -> Iterator[str]:
    """The URL of a schema of its own on the server, dropped afterwards."""
    import psycopg

    name = f"qa_evals_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
        try:
            yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{name}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def _ms(found: Spread) -> str:
    return f"{found.median * 1e3:.1f}, {found.p95 * 1e3:.1f}"


def main() -> int:
    """Measure and print; 1 when the promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m evals.suites.throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=100, help="whole cycles per side and engine (100)")
    parser.add_argument("--postgres", metavar="URL", help="a database nobody uses meanwhile: postgresql://…")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qa-agents-evals-") as work:
        result = run_throughput(options.cycles, Path(work), options.postgres)
    print(throughput_report(result))
    if options.json:
        options.json.write_text(result.model_dump_json(indent=2))
    return 0 if all(at.is_within for at in result.engines) else 1


if __name__ == "__main__":
    sys.exit(main())
