"""Giving up a piece of work between two steps: a person's Ctrl-C ends runs where a crash could, and `recover` goes on."""

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any


class Drain:
    """Asked from any thread to stop what runs under `drained_by`; once asked it stays asked."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._controls: list[Any] = []
        self._lock = threading.Lock()

    def request(self) -> None:
        """Stop after the step that is being done now."""
        self._asked.set()
        with self._lock:
            for control in self._controls:
                control.request_drain("given up by a person")

    def is_set(self) -> bool:
        """Whether it was asked."""
        return self._asked.is_set()

    def control(self) -> Any:
        """LangGraph's handle for one run that ends when this is asked."""
        from langgraph.runtime import RunControl

        control = RunControl()
        with self._lock:
            self._controls.append(control)
        if self.is_set():
            control.request_drain("given up by a person")
        return control


_current: ContextVar[Drain | None] = ContextVar("drain", default=None)


@contextlib.contextmanager
def drained_by(drain: Drain) -> Iterator[None]:
    """Let `drain` stop every run that the block drives."""
    reset = _current.set(drain)
    try:
        yield
    finally:
        _current.reset(reset)


def draining() -> dict[str, Any]:
    """What a graph is invoked with, beside its input: a control where the caller may give up, else nothing."""
    drain = _current.get()
    return {} if drain is None else {"control": drain.control()}
