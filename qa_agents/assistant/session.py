"""A conversation at work: messages in, events out; all work happens in one thread beside the one that talks to the person.

That is why Ctrl-C is safe: it reaches the talking thread only, which asks the work to stop between two steps.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from qa_agents.assistant.schema import Message, Reply
from qa_agents.errors import QAAgentsError
from qa_agents.runtime.drain import Drain

if TYPE_CHECKING:
    from qa_agents.assistant.deeds import Parts
    from qa_agents.assistant.threads import Threads
    from qa_agents.wiring import Workspace

NAMES = 500
"""How many ids of each kind are offered for completion."""


class Event(BaseModel):
    """One thing to tell the person, or another program."""

    model_config = ConfigDict(frozen=True)

    event: Literal["thread", "progress", "token", "reply", "failed"]
    text: str = ""
    reply: Reply | None = None
    exit_code: int = 0
    """For `failed`: why the conversation cannot be held at all."""


class Session:
    """One conversation. Start it, talk, and close it: closing waits until what is being done has come to a safe end."""

    def __init__(self, open_workspace: "Callable[[], Workspace]", thread: str, reviewer: str | None = None) -> None:
        self._open, self._reviewer = open_workspace, reviewer
        self.thread = thread
        self.names: list[str] = []
        """Ids that can be completed, as far as known yet."""
        self._messages: queue.Queue[tuple[int, Message, Drain] | None] = queue.Queue()
        self._events: queue.Queue[tuple[int, Event]] = queue.Queue()
        self._said = self._answering = 0
        self._drain = Drain()
        self._failed: Event | None = None
        self._ended = threading.Event()
        self._worker = threading.Thread(target=self._work, name="chat", daemon=True)

    def __enter__(self) -> "Session":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to get ready, beside the caller; at the latest the first message does it."""
        if not self._worker.is_alive() and not self._ended.is_set():
            self._worker.start()

    def close(self) -> None:
        """End when what is being done is done."""
        self._messages.put(None)
        while self._worker.is_alive():  # in slices, so that an impatient Ctrl-C is heard between them
            self._worker.join(timeout=0.2)

    def say(self, message: Message) -> Iterator[Event]:
        """Hand a message in; its events, as they come, the last of which is its `reply`, or `failed`."""
        self.start()
        self._said += 1
        self._drain = Drain()
        self._messages.put((self._said, message, self._drain))
        yield from self.events()

    def events(self) -> Iterator[Event]:
        """The events up to the reply to the last message; those of earlier messages that nobody waited for come first."""
        while True:
            try:
                number, event = self._events.get(timeout=0.2)
            except queue.Empty:
                if self._ended.is_set() and self._events.empty():
                    yield self._failed or Event(event="failed", text="The chat has ended.", exit_code=3)
                    return
                continue
            yield event
            if event.event == "failed" or (event.event == "reply" and number == self._said):
                return

    def cancel(self) -> None:
        """Ask what is being done to stop after the step it is in; its reply still comes."""
        self._drain.request()

    def _work(self) -> None:
        try:
            with self._open() as workspace:
                from qa_agents.assistant import lookup

                threads, parts = self._prepared(workspace)
                self._resumed(threads)
                self.names = lookup.names(workspace, NAMES)
                if self._messages.empty():
                    parts.warm()
                while (given := self._messages.get()) is not None:
                    self._answering, message, parts.drain = given
                    reply = self._reply(threads, message)
                    self._events.put((self._answering, Event(event="reply", reply=reply)))
                    self.names = lookup.names(workspace, NAMES)
        except QAAgentsError as error:
            self._fail(str(error), error.exit_code)
        except Exception as error:
            self._fail(f"Unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]}", 3)
        finally:
            self._ended.set()

    def _fail(self, sentence: str, code: int) -> None:
        self._failed = Event(event="failed", text=sentence, exit_code=code)

    def _prepared(self, workspace: "Workspace") -> "tuple[Threads, Parts]":
        """The graph over this workspace, compiled, its saver open."""
        from qa_agents.assistant.asking import Ask
        from qa_agents.assistant.deeds import Parts
        from qa_agents.assistant.graph import build_chat
        from qa_agents.assistant.nearest import Nearest
        from qa_agents.assistant.steps import ChatSteps
        from qa_agents.assistant.threads import Threads

        model = workspace.settings.model
        ask = Ask(workspace.models, workspace.prompts, self.thread, model.levels) if model else None
        nearest = Nearest(workspace.embedder) if workspace.embedder is not None else None
        parts = Parts(
            workspace=workspace,
            reviewer=self._reviewer,
            token=workspace.settings.reviewer_token,
            ask=ask,
            nearest=nearest,
            emit=self._emit,
        )
        threads = Threads(workspace, lambda: build_chat(ChatSteps(parts)))
        threads.memory(self.thread)
        return threads, parts

    def _resumed(self, threads: "Threads") -> None:
        """Say where a kept conversation stands."""
        known = threads.find(self.thread)
        if known is None:
            return
        if known.busy:
            said = f"I was stopped while working on “{known.busy}”. Nothing is lost; say it again if you still want it."
            self._emit("thread", said)
        elif known.messages:
            self._emit(
                "thread", f"Going on with {self.thread}: {known.messages} messages so far, first “{known.first}”."
            )

    def _reply(self, threads: "Threads", message: Message) -> Reply:
        try:
            return threads.say(self.thread, message)
        except QAAgentsError as error:
            return Reply(text=str(error), ok=False)
        except Exception as error:  # one message must not end the conversation
            said = " ".join(str(error).split())[:300]
            text = f"That failed unexpectedly ({type(error).__name__}: {said}). Nothing else is affected."
            return Reply(text=text, ok=False)

    def _emit(self, kind: str, text: str) -> None:
        event: Any = kind
        self._events.put((self._answering, Event(event=event, text=text)))
