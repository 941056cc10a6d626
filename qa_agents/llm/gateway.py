"""The one way to a language model: ask for an object of a shape, or for text as it is written.

No model fault is ever raised here: an answer is checked, or it is absent with one reason. Whoever asks goes on without it.
"""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from pydantic import BaseModel

from qa_agents.llm.schema import Answer, Mode, Reason, RenderedPrompt, Role, Usage

T = TypeVar("T", bound=BaseModel)

NOT_CONFIGURED = "No language model is configured."
ALLOW_MODEL_REQUESTS = True
"""Tests set this to False: a request to a model that is not on this machine then raises ModelRequestError."""


class ModelRequestError(RuntimeError):
    """A request to a model beyond this machine was attempted while ALLOW_MODEL_REQUESTS is False."""


class Cancelled(Protocol):
    """What tells that the caller gave up; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether it gave up."""
        ...


class Stream(Protocol):
    """Text as it is written. Iterate to the end (or stop), then look at `reason`."""

    @property
    def reason(self) -> Reason | None:
        """None when the text is complete; else why it ended early or never began. Meaningful after iterating."""

    @property
    def detail(self) -> str:
        """The reason in one sentence for a person."""

    @property
    def usage(self) -> Usage:
        """What it took, so far."""

    def __iter__(self) -> Iterator[str]:
        """Pieces of text, as they come. Ends early for every fault, and never raises for one."""
        ...

    def close(self) -> None:
        """Stop reading; may be called from another thread."""
        ...


class Gateway(Protocol):
    """Asks the configured models, within budgets; implemented for OpenAI-compatible endpoints and for having none."""

    @property
    def available(self) -> bool:
        """Whether a model is configured at all; says nothing about whether it answers."""

    def allows(self, use: str) -> bool:
        """Whether this use (`triage.relations`, `chat.answer`, …; see `llm/uses.py`) is switched on."""
        ...

    def ask(
        self,
        prompt: RenderedPrompt,
        schema: type[T],
        *,
        role: Role = "fast",
        budget_key: str,
        cancelled: Cancelled | None = None,
    ) -> Answer[T]:
        """One object of `schema`, its bounds checked by pydantic, after at most one repair (which is marked).

        `budget_key` is whom it is charged to: a report's, plan's or thread's id. Blocks for at most the configured time.
        """
        ...

    def stream(
        self, prompt: RenderedPrompt, *, role: Role = "fast", budget_key: str, cancelled: Cancelled | None = None
    ) -> Stream:
        """Text, piece by piece. The request is made when iterating begins."""
        ...

    def probe(self, role: Role = "fast") -> tuple[Mode | None, str]:
        """Ask a tiny question: the way in which the model can be held to a shape, or None and why it gave no answer."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class EmptyStream:
    """A stream that holds nothing, and says why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason: Reason | None = reason
        self.detail = detail
        self.usage = Usage()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


class NoModel:
    """The gateway where none is configured: everything is absent, for that reason."""

    available = False

    def allows(self, use: str) -> bool:
        """Nothing is."""
        return False

    def ask(
        self,
        prompt: RenderedPrompt,
        schema: type[T],
        *,
        role: Role = "fast",
        budget_key: str,
        cancelled: Cancelled | None = None,
    ) -> Answer[T]:
        """Absent."""
        return Answer[T](reason="no-model", detail=NOT_CONFIGURED, prompt_sha256=prompt.prompt_sha256)

    def stream(
        self, prompt: RenderedPrompt, *, role: Role = "fast", budget_key: str, cancelled: Cancelled | None = None
    ) -> Stream:
        """Absent."""
        return EmptyStream("no-model", NOT_CONFIGURED)

    def probe(self, role: Role = "fast") -> tuple[Mode | None, str]:
        """Absent."""
        return None, NOT_CONFIGURED

    def close(self) -> None:
        """Nothing is open."""
