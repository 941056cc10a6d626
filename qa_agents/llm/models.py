"""The gateway to configured models: kept answers, one repair, and an account of every question."""

import contextvars
import random
import time
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from qa_agents.errors import InvalidInputError
from qa_agents.llm.ability import Abilities
from qa_agents.llm.breaker import Breaker
from qa_agents.llm.endpoint import Reply
from qa_agents.llm.faults import Fault
from qa_agents.llm.gateway import Cancelled, Stream
from qa_agents.llm.kept import Kept, KeptAnswers
from qa_agents.llm.line import Account, Line
from qa_agents.llm.schema import Answer, Call, Message, Mode, RenderedPrompt, Role
from qa_agents.llm.streaming import LOOK_SECONDS, Told
from qa_agents.llm.structured import messages_for, parsed, repair, wire_schema
from qa_agents.llm.tracing import Tracer
from qa_agents.llm.transport import refuse_in_tests
from qa_agents.llm.uses import USES
from qa_agents.settings import ModelSettings
from qa_agents.storage.engine import Database

T = TypeVar("T", bound=BaseModel)


class Models:
    """Implements Gateway over one endpoint. Safe to share between threads; `close` gives its connections back."""

    available = True

    def __init__(
        self,
        settings: ModelSettings,
        database: Database,
        record: Callable[[Call], None],
        *,
        tracer: Tracer | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        breaker: Breaker | None = None,
        earned: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`earned` says whether a use that nobody switched was shown to help on the team's own outcomes."""
        if unknown := sorted(set(settings.uses) - set(USES)):
            raise InvalidInputError(
                f"The setting model.uses names no use of a model: {', '.join(unknown)[:100]}.",
                hint="`qa-agents prompts list` names them.",
            )
        self.settings = settings
        self._line = Line(settings, database, sleep=sleep, jitter=jitter, breaker=breaker)
        self.budget = self._line.budget
        self._abilities = Abilities(database, settings.base_url)
        self._kept = KeptAnswers(database, settings)
        self._record, self._tracer, self._earned = record, tracer or Tracer(), earned

    def close(self) -> None:
        """Give the connections back."""
        self._line.endpoint.close()

    def allows(self, use: str) -> bool:
        """Whether this use is switched on: by the settings, else by its record, else by default. KeyError for an unknown use."""
        chosen, by_default = self.settings.uses.get(use), USES[use].on
        return chosen if chosen is not None else by_default or self._earned(use)

    def ask(
        self,
        prompt: RenderedPrompt,
        schema: type[T],
        *,
        role: Role = "fast",
        budget_key: str,
        cancelled: Cancelled | None = None,
    ) -> Answer[T]:
        """See Gateway."""
        refuse_in_tests(self.settings.base_url)
        account = self._line.account(prompt, role, budget_key, cancelled)
        if cancelled is None:
            return self._asked(account, schema)
        return _unless_cancelled(lambda: self._asked(account, schema), cancelled, prompt)

    def stream(
        self, prompt: RenderedPrompt, *, role: Role = "fast", budget_key: str, cancelled: Cancelled | None = None
    ) -> Stream:
        """See Gateway. A caller that gives up is noticed between pieces."""
        refuse_in_tests(self.settings.base_url)
        return Told(self._line, self._record, self._tracer, prompt, role=role, subject=budget_key, cancelled=cancelled)

    def probe(self, role: Role = "fast") -> tuple[Mode | None, str]:
        """Ask the endpoint a tiny question: the way it can be held to a shape, or None and why not."""
        refuse_in_tests(self.settings.base_url)
        nothing = RenderedPrompt(id="probe", version=1, prompt_sha256="", content_sha256="", messages=())
        account = self._line.account(nothing, role, "doctor", None)
        self._abilities.forget(account.model)
        try:
            mode = self._mode(account)
        except Fault as fault:
            self._record(account.call(fault.reason))
            return None, fault.detail
        self._record(account.call(None))
        return mode, ""

    def _asked(self, account: Account, schema: type[T]) -> Answer[T]:
        """The answer: on the account, in the trace, and in the ledger."""
        value: T | None = None
        fault: Fault | None = None
        with self._tracer.question("chat", account.model) as tell:
            try:
                value = self._answered(account, schema)
            except Fault as met:
                fault = met
            call = account.call(fault.reason if fault else None)
            tell(call)
        self._record(call)
        return Answer[T](
            value=value,
            reason=fault.reason if fault else None,
            detail=fault.detail if fault else "",
            repaired=account.repaired,
            cached=account.cached,
            model=account.served or account.model,
            prompt_sha256=account.prompt.prompt_sha256,
            usage=account.usage,
            milliseconds=call.milliseconds,
            placeholders=account.prompt.placeholders,
        )

    def _answered(self, account: Account, schema: type[T]) -> T:
        """The object, as it was kept or as it is written now. Raises Fault."""
        wire = wire_schema(schema)
        key = self._kept.key(account.prompt, account.model, wire)
        if (kept := self._kept.get(key)) is not None:
            try:
                value = schema.model_validate(kept.value)
            except ValidationError:
                pass  # the shape has become stricter: ask anew
            else:
                account.cached, account.repaired, account.served = True, kept.repaired, kept.model
                return value
        with self._line.turn(account):
            value = self._shaped(account, schema, wire)
        body = value.model_dump(mode="json")
        self._kept.keep(key, Kept(value=body, model=account.served, repaired=account.repaired))
        return value

    def _shaped(self, account: Account, schema: type[T], wire: dict[str, Any]) -> T:
        """The object: asked for, and asked for once more where it does not fit."""
        mode, tokens = self._mode(account), account.prompt.max_output_tokens
        messages = messages_for(account.prompt.messages, mode, wire)
        try:
            reply = self._patiently(account, messages, mode, wire, tokens)
        except Fault as fault:
            if fault.reason == "rejected":
                self._abilities.forget(account.model)
            raise
        try:
            return parsed(reply.text, schema)
        except Fault as fault:
            if account.limits.is_cancelled or account.limits.left <= 0:
                raise
            again = self._patiently(account, repair(messages, reply.text, fault), mode, wire, tokens)
            value = parsed(again.text, schema)
            account.repaired = True
            return value

    def _mode(self, account: Account) -> Mode:
        return self._abilities.mode_of(
            account.model,
            lambda messages, mode, wire, tokens: self._patiently(account, messages, mode, wire, tokens),
        )

    def _patiently(
        self, account: Account, messages: Sequence[Message], mode: Mode, wire: dict[str, Any], tokens: int
    ) -> Reply:
        """One reply, asked for again while the endpoint is busy and there is time. Raises Fault."""
        chars = sum(len(message.text) for message in messages) + len(str(wire))
        for number in range(1, self.settings.tries + 1):
            try:
                with self._line.charged(account, chars, tokens) as charge:
                    reply = self._line.endpoint.complete(
                        messages,
                        model=account.model,
                        max_tokens=tokens,
                        limits=account.limits,
                        mode=mode,
                        schema=wire,
                    )
                    charge.taken = self._line.taken(account, reply, charge)
                    account.served = reply.model
                    return reply
            except Fault as fault:
                self._line.rest(account, fault, number)
        raise AssertionError  # the last rest has raised


def _unless_cancelled(work: Callable[[], Answer[T]], cancelled: Cancelled, prompt: RenderedPrompt) -> Answer[T]:
    """The answer, or `cancelled` as soon as the caller gives up; what runs on then ends by its own limits."""
    found: list[Answer[T]] = []
    failed: list[BaseException] = []
    done = Event()

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    while not done.wait(LOOK_SECONDS):
        if cancelled.is_set():
            return Answer[T](reason="cancelled", detail="It was not waited for.", prompt_sha256=prompt.prompt_sha256)
    if failed:
        raise failed[0]
    return found[0]
