"""Text as a model writes it, with the reason where it ends early."""

import contextvars
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from queue import Empty, SimpleQueue
from threading import Event, Thread

from qa_agents.llm.endpoint import FILTERED, Reply
from qa_agents.llm.faults import Fault
from qa_agents.llm.gateway import Cancelled
from qa_agents.llm.line import Account, Line
from qa_agents.llm.schema import Call, Reason, RenderedPrompt, Role, Usage
from qa_agents.llm.tracing import Tracer
from qa_agents.llm.transport import Limits

LOOK_SECONDS = 0.05
"""How often it is looked whether a caller gave up."""


class Told:
    """Implements Stream over a line. Retries only before the first piece: what was shown is never begun anew."""

    def __init__(
        self,
        line: Line,
        record: Callable[[Call], None],
        tracer: Tracer,
        prompt: RenderedPrompt,
        *,
        role: Role,
        subject: str,
        cancelled: Cancelled | None,
    ) -> None:
        self.reason: Reason | None = None
        self.detail = ""
        self.usage = Usage()
        self._line, self._record, self._tracer = line, record, tracer
        self._closed = Event()
        self._asked = (prompt, role, subject, _Either(self._closed, cancelled))

    def close(self) -> None:
        """See Stream."""
        self._closed.set()

    def __iter__(self) -> Iterator[str]:
        account = self._line.account(*self._asked)
        with self._tracer.question("chat", account.model) as tell:
            try:
                with self._line.turn(account):
                    yield from self._pieces(account)
            except Fault as fault:
                self.reason, self.detail = fault.reason, fault.detail
            except GeneratorExit:
                self._closed.set()
                self.reason, self.detail = "cancelled", "It was not waited for."
                raise
            finally:
                self.usage = account.usage
                call = account.call(self.reason)
                tell(call)
                self._record(call)

    def _pieces(self, account: Account) -> Iterator[str]:
        for number in range(1, self._line.settings.tries + 1):
            told = False
            try:
                with closing(self._once(account)) as pieces:
                    for piece in pieces:
                        told = True
                        yield piece
            except Fault as fault:
                if told:
                    raise
                self._line.rest(account, fault, number)
            else:
                return

    def _once(self, account: Account) -> Generator[str, None, None]:
        line, prompt = self._line, account.prompt
        chars, tokens = sum(len(message.text) for message in prompt.messages), prompt.max_output_tokens
        with line.charged(account, chars, tokens) as charge:
            finish, last = "", None
            replies = line.endpoint.stream(
                prompt.messages, model=account.model, max_tokens=tokens, limits=account.limits
            )
            for reply in _unless_cancelled(replies, account.limits):
                finish, account.served = reply.finish or finish, reply.model or account.served
                charge.written += len(reply.text)
                last = reply if reply.input_tokens is not None else last
                if reply.text:
                    yield reply.text
                if account.limits.left <= 0:
                    raise Fault("timeout", "It did not answer in time.")
            charge.taken = line.taken(account, last or _unsaid(account), charge)
            _complete(finish, charge.written)


def _unless_cancelled(replies: Iterator[Reply], limits: Limits) -> Iterator[Reply]:
    """The replies. Raises Fault as soon as the caller gives up, also where the endpoint is silent; what is asked then ends by
    its own limits."""
    came: SimpleQueue[Reply | BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            for reply in replies:
                came.put(reply)
                if limits.is_cancelled:
                    break
            came.put(None)
        except BaseException as error:
            came.put(error)

    Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    while not limits.is_cancelled:
        try:
            reply = came.get(timeout=LOOK_SECONDS)
        except Empty:
            continue
        if reply is None:
            return
        if isinstance(reply, BaseException):
            raise reply
        yield reply
    raise Fault("cancelled", "It was not waited for.")


def _complete(finish: str, written: int) -> None:
    """Raises Fault unless the text is whole."""
    if finish == FILTERED:
        raise Fault("refused", "The endpoint's content filter withheld the rest.")
    if finish == "length":
        raise Fault("truncated", "The answer was cut off at the token limit.")
    if not finish:
        raise Fault("truncated", "The connection ended within the answer.")
    if not written:
        raise Fault("empty", "The answer was empty.", retry=False)


def _unsaid(account: Account) -> Reply:
    return Reply("", account.model, None, None)


class _Either:
    """Set when either of two is."""

    def __init__(self, first: Cancelled, second: Cancelled | None) -> None:
        self._first, self._second = first, second

    def is_set(self) -> bool:
        """Whether one of them gave up."""
        return self._first.is_set() or (self._second is not None and self._second.is_set())
