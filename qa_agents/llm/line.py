"""The line to the endpoint: who may ask now, what it may take, and how long it is waited for between tries."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from qa_agents.llm.breaker import Breaker
from qa_agents.llm.budget import Budget, priced, reckoned
from qa_agents.llm.endpoint import Endpoint, Reply
from qa_agents.llm.faults import Fault, delay
from qa_agents.llm.gateway import Cancelled
from qa_agents.llm.redact import redact
from qa_agents.llm.schema import Call, Reason, RenderedPrompt, Role, Usage
from qa_agents.llm.transport import Limits
from qa_agents.settings import ModelSettings
from qa_agents.storage.engine import Database

CHARS_PER_OUTPUT_TOKEN = 3


@dataclass
class Account:
    """What one question has taken so far."""

    prompt: RenderedPrompt
    subject: str
    role: Role
    model: str
    limits: Limits
    started: float
    attempts: int = 0
    served: str = ""
    usage: Usage = field(default_factory=Usage)
    repaired: bool = False
    cached: bool = False

    def call(self, reason: Reason | None) -> Call:
        """As the ledger keeps it, now that it has ended."""
        prompt = self.prompt
        return Call(
            subject=self.subject,
            prompt=prompt.id,
            prompt_version=prompt.version,
            prompt_sha256=prompt.prompt_sha256,
            content_sha256=prompt.content_sha256,
            role=self.role,
            model=self.model,
            served=self.served,
            outcome=reason or "answered",
            attempts=self.attempts,
            repaired=self.repaired,
            cached=self.cached,
            milliseconds=round((time.monotonic() - self.started) * 1000),
            **self.usage.model_dump(),
        )


@dataclass
class Charge:
    """What one request takes: everything that it might, until more is known."""

    taken: Usage
    written: int = 0
    """Characters of the answer that came."""


class Line:
    """Breaker, places and budget around one endpoint. Safe to share between threads."""

    def __init__(
        self,
        settings: ModelSettings,
        database: Database,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        breaker: Breaker | None = None,
    ) -> None:
        self.settings = settings
        self.budget = Budget(database, settings)
        self.endpoint = Endpoint(settings)
        self._breaker = breaker or Breaker()
        self._places = BoundedSemaphore(settings.concurrency)
        self._sleep, self._jitter = sleep, jitter

    def account(self, prompt: RenderedPrompt, role: Role, subject: str, cancelled: Cancelled | None) -> Account:
        """Open the account of a question; its time runs from now. What must not leave is taken out, whoever wrote it."""
        texts = [redact(message.text).text for message in prompt.messages]
        if texts != [message.text for message in prompt.messages]:
            clean = [m.model_copy(update={"text": text}) for m, text in zip(prompt.messages, texts, strict=True)]
            prompt = prompt.model_copy(update={"messages": tuple(clean)})
        now = time.monotonic()
        limits = Limits(now + self.settings.timeout, cancelled)
        return Account(prompt, subject, role, self.settings.model_of(role), limits, now)

    @contextlib.contextmanager
    def turn(self, account: Account) -> Iterator[None]:
        """Ask within the block: while the endpoint is not left alone, and with a place among those who ask. Raises Fault."""
        if left := self._breaker.admit():
            raise Fault("circuit-open", f"It failed repeatedly and is left alone for {left:.0f} more seconds.")
        if not self._places.acquire(timeout=max(account.limits.left, 0)):
            self._breaker.abandoned()
            raise Fault("busy", f"{self.settings.concurrency} questions are being asked already.")
        try:
            yield
        except BaseException as error:
            self._learn(error)
            raise
        else:
            self._breaker.succeeded()
        finally:
            self._places.release()

    @contextlib.contextmanager
    def charged(self, account: Account, chars: int, tokens: int) -> Iterator[Charge]:
        """Make one request within the block, its price set aside before and settled after. Raises Fault `over-budget`."""
        at_most = reckoned(self.settings, account.model, chars, tokens)
        settle = self.budget.reserve(account.subject, at_most)
        account.attempts += 1
        charge = Charge(at_most)
        try:
            yield charge
        except Fault as fault:
            if fault.reason != "timeout":  # nobody can know what a time-out took
                charge.taken = self._wasted(account, fault, charge, at_most)
            raise
        finally:
            account.usage = account.usage.plus(charge.taken)
            settle(charge.taken)

    def taken(self, account: Account, reply: Reply, charge: Charge) -> Usage:
        """What an answer took, as the endpoint says; by length where it does not."""
        if reply.input_tokens is not None and reply.output_tokens is not None:
            return priced(self.settings, account.model, reply.input_tokens, reply.output_tokens)
        return self._by_length(account, charge.taken.input_tokens, charge.written or len(reply.text))

    def rest(self, account: Account, fault: Fault, number: int) -> None:
        """Wait after try `number`. Raises the fault where no other try is worth it, or there is no time for one."""
        if not fault.retry or number >= self.settings.tries or account.limits.is_cancelled:
            raise fault
        seconds = delay(number, fault, self._jitter())
        if seconds > self.settings.max_wait:
            raise Fault("unavailable", f"{fault.detail} It asks to wait {seconds:.0f} seconds.", status=fault.status)
        if seconds >= account.limits.left:
            raise fault
        self._sleep(seconds)

    def _wasted(self, account: Account, fault: Fault, charge: Charge, at_most: Usage) -> Usage:
        if fault.input_tokens or fault.output_tokens or not charge.written:
            return priced(self.settings, account.model, fault.input_tokens, fault.output_tokens)
        return self._by_length(account, at_most.input_tokens, charge.written)

    def _by_length(self, account: Account, input_tokens: int, chars: int) -> Usage:
        output_tokens = -(-chars // CHARS_PER_OUTPUT_TOKEN)
        return priced(self.settings, account.model, input_tokens, output_tokens, estimated=True)

    def _learn(self, error: BaseException) -> None:
        """What a failure says about the endpoint."""
        if not isinstance(error, Fault) or error.reason in ("cancelled", "over-budget"):
            self._breaker.abandoned()
        elif error.is_outage:
            self._breaker.failed(for_certain=error.reason == "unauthorised")
        else:
            self._breaker.succeeded()
