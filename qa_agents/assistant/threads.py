"""Conversations: kept per thread through LangGraph's saver, one message at a time under a lease, listed and forgotten here."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, select

from qa_agents.assistant.schema import Memory, Message, Reply
from qa_agents.errors import ConflictError, NotFoundError
from qa_agents.runtime.lease import Leases
from qa_agents.runtime.savers import forget_threads, run_config
from qa_agents.storage.engine import recall_fact, remember_fact
from qa_agents.storage.tables import workspace_facts

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

PREFIX = "chat/"
DURABILITY = "exit"
"""One stored step per message: what is done for a message has its own record, and only the conversation's memory is kept here."""


class Thread(BaseModel):
    """One kept conversation."""

    model_config = ConfigDict(frozen=True)

    thread: str
    started_at: float
    last_at: float
    messages: int = 0
    first: str = ""
    """What was typed first, shortened; never a report."""
    busy: str = ""
    """What was being worked on; still there when the process died over it."""


class Threads:
    """The conversations of one workspace. Every object over the same workspace speaks of the same ones."""

    def __init__(self, workspace: "Workspace", build: Callable[[], Any], now: Callable[[], float] = time.time) -> None:
        self._workspace, self._build, self._now = workspace, build, now
        self._leases = Leases(workspace.database)
        self._graph: Any = None

    def say(self, thread: str, message: Message) -> Reply:
        """Answer one message in a thread and keep what must be remembered.

        Raises ConflictError when another process answers in the same thread just now.
        """
        key = f"{PREFIX}{thread}"
        try:
            with self._leases.hold(key):
                known = self._begin(thread, message)
                try:
                    reply = self._answer(message, run_config(key))
                finally:  # a process that dies leaves `busy` behind, one that only fails does not
                    done = {"busy": "", "messages": known.messages + 1, "last_at": self._now()}
                    self._keep(known.model_copy(update=done))
        except ConflictError as error:
            if error.message.startswith(key):
                raise ConflictError(
                    f"The conversation {thread} is being answered elsewhere.", hint="Repeat, or use another --thread."
                ) from None
            raise
        return reply

    def memory(self, thread: str) -> Memory:
        """What the conversation remembers; empty for a new one."""
        state = self._compiled().get_state(run_config(f"{PREFIX}{thread}"))
        return Memory.model_validate(state.values.get("memory") or {})

    def find(self, thread: str) -> Thread | None:
        """The conversation of this name, or None."""
        with self._workspace.database.read() as connection:
            stored = recall_fact(connection, f"{PREFIX}{thread}")
        return Thread.model_validate(stored) if stored is not None else None

    def list(self) -> "list[Thread]":
        """Every kept conversation, the newest first."""
        query = select(workspace_facts.c.value).where(workspace_facts.c.name.startswith(PREFIX))
        with self._workspace.database.read() as connection:
            found = [Thread.model_validate(value) for value in connection.execute(query).scalars()]
        return sorted(found, key=lambda one: -one.last_at)

    def forget(self, thread: str) -> None:
        """Delete a conversation for good. Raises NotFoundError."""
        if self.find(thread) is None:
            raise NotFoundError(f"There is no conversation {thread}.", hint="`qa-agents chat --list` shows them.")
        with self._leases.hold(f"{PREFIX}{thread}"):
            forget_threads(self._workspace.saver, [f"{PREFIX}{thread}"])
            with self._workspace.database.write() as connection:
                connection.execute(delete(workspace_facts).where(workspace_facts.c.name == f"{PREFIX}{thread}"))

    def _answer(self, message: Message, config: dict[str, Any]) -> Reply:
        """Run the graph over one message. The reply is taken out of the updates: it may quote reports, and is not kept."""
        given = {"message": message.model_dump(mode="json")}
        found: dict[str, Any] = {}
        for update in self._compiled().stream(given, config, stream_mode="updates", durability=DURABILITY):
            for node in update.values():
                found = (node or {}).get("reply") or found
        return Reply.model_validate(found)

    def _begin(self, thread: str, message: Message) -> Thread:
        now = self._now()
        said = "(a report)" if message.pasted or len(message.typed) > 120 else self._workspace.mask(message.typed)
        known = self.find(thread) or Thread(thread=thread, started_at=now, last_at=now, first=said)
        known = known.model_copy(update={"busy": said or "(nothing)", "last_at": now})
        self._keep(known)
        return known

    def _keep(self, known: Thread) -> None:
        with self._workspace.database.write(durable=False) as connection:
            remember_fact(connection, f"{PREFIX}{known.thread}", known.model_dump(mode="json"))

    def _compiled(self) -> Any:
        if self._graph is None:
            self._graph = self._build().compile(checkpointer=self._workspace.saver)
        return self._graph
