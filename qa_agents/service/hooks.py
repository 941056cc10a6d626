"""Receiving deliveries: size, sender, disk, 202. Nothing is parsed here, no model is asked and no tracker called."""

import asyncio
import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qa_agents.errors import QAAgentsError
from qa_agents.runtime.events import Kind
from qa_agents.runtime.intake import Delivery
from qa_agents.service.intake import GroupCommit, OverloadedError
from qa_agents.service.metrics import Metrics
from qa_agents.service.signatures import Secret, check_bearer, check_signature, secrets_of
from qa_agents.settings import HookSettings, Settings

if TYPE_CHECKING:
    from starlette.requests import Request

READ_SECONDS = 15.0
"""How long a sender may take for its body."""
ANSWER_SECONDS = 2.0
"""How long the disk may take; the sender is told to come back, and its repetition will be recognised."""
RETRY_AFTER = 30
DISK_LOOK_SECONDS = 1.0
WARNING_SECONDS = 10.0
"""The same refusal is logged so often at most."""
MAX_ID_CHARS = 200
_KEPT_HEADERS = ("x-atlassian-webhook-retry", "x-atlassian-webhook-flow", "content-type", "user-agent")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told: a status, a word for the metrics and a sentence."""

    status: int
    outcome: str
    said: str


ACCEPTED = Answer(202, "accepted", "accepted")
DUPLICATE = Answer(202, "duplicate", "accepted")
CONFLICT = Answer(202, "conflict", "accepted")
"""The same id with another body: kept for a person to look at, and no business of the sender's."""
_STORED = {"new": ACCEPTED, "duplicate": DUPLICATE, "conflict": CONFLICT}


@dataclass(frozen=True, slots=True)
class Hook:
    """A configured sender, its secrets as bytes."""

    settings: HookSettings
    secrets: tuple[Secret, ...]
    tokens: tuple[Secret, ...]


class Receiver:
    """Answers one delivery at a time; shares nothing between them but the writer and the counters."""

    def __init__(
        self,
        settings: Settings,
        writer: GroupCommit,
        metrics: Metrics,
        now: Callable[[], float] = time.time,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._settings = settings
        self._hooks = {
            name: Hook(hook, secrets_of(hook.secrets), secrets_of(hook.tokens)) for name, hook in settings.hooks.items()
        }
        self._writer = writer
        self._metrics = metrics
        self._now = now
        self._free_bytes = free_bytes
        self._disk: tuple[float, bool] = (0.0, True)
        self._warned: dict[tuple[str, str, str], float] = {}

    async def receive(self, kind: Kind, source: str, request: "Request") -> Answer:
        """Take one delivery; it is on disk when this says 202."""
        began = time.perf_counter()
        try:
            answer = await self._take(kind, source, request)
        except OverloadedError as error:
            answer = Answer(503, "overloaded", error.message)
        except QAAgentsError as error:
            answer = Answer(503, "unavailable", error.message)
        known = source if source in self._hooks else "unknown"
        self._metrics.count("qa_agents_deliveries_total", source=known, kind=kind, outcome=answer.outcome)
        if answer.status == 202:
            self._metrics.acknowledged(time.perf_counter() - began)
        else:
            self._warn(kind, known, answer)
        return answer

    def _warn(self, kind: Kind, source: str, answer: Answer) -> None:
        """A sender does not repeat what was refused with 4xx, so that somebody should see it; the numbers count every one."""
        what, now = (kind, source, answer.outcome), time.monotonic()
        if now - self._warned.get(what, float("-inf")) >= WARNING_SECONDS:
            self._warned[what] = now
            log.warning("delivery to %s/%s: %s %s", kind, source, answer.status, answer.outcome)

    async def _take(self, kind: Kind, source: str, request: "Request") -> Answer:
        hook = self._hooks.get(source)
        wanted = () if hook is None else (hook.secrets if kind == "webhook" else hook.tokens)
        if hook is None or not wanted:
            return Answer(404, "no_hook", "There is no such hook.")
        if hook.settings.networks and not _is_within(request, hook.settings):
            return Answer(403, "network", "This address may not send.")
        headers = request.headers
        if kind == "automation":  # what can be known before the body is read
            refused = _refusal(check_bearer(headers.get("authorization"), wanted, self._now))
            if refused:
                return refused
        if not self._has_room():
            raise OverloadedError("The disk is nearly full.")
        body = await self._body(request)
        if isinstance(body, Answer):
            return body
        if kind == "webhook":
            refused = _refusal(check_signature(headers.get("x-hub-signature"), body, wanted, self._now))
            if refused:
                return refused
        waiting = self._writer.submit(self._delivery(kind, source, headers, body))
        # Waited for and never cancelled: once submitted, it is stored whatever the sender does.
        stored, _ = await asyncio.wait((waiting,), timeout=ANSWER_SECONDS)
        if not stored:
            waiting.add_done_callback(_forget)
            raise OverloadedError("The disk does not follow.")
        return _STORED[waiting.result()]

    async def _body(self, request: "Request") -> bytes | Answer:
        """All of the body, or why not: never more than the limit is held."""
        from starlette.requests import ClientDisconnect

        limit = self._settings.max_delivery_bytes
        too_large = Answer(413, "too_large", f"More than {limit} bytes.")
        said = request.headers.get("content-length", "")
        if said.isascii() and said.isdigit() and (len(said) > 15 or int(said) > limit):
            return too_large
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit:
                        return too_large
                    chunks.append(chunk)
        except TimeoutError:
            return Answer(408, "slow", "The body took too long.")
        except ClientDisconnect:
            return Answer(400, "cut_off", "The body was cut off.")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _delivery(self, kind: Kind, source: str, headers: Mapping[str, str], body: bytes) -> Delivery:
        digest = hashlib.sha256(body)
        if kind == "automation":
            # Two honest bodies of an automation may be equal ("look at WB-7"), so that each is one of its own.
            digest.update(secrets.token_bytes(16))
        id_ = headers.get("x-atlassian-webhook-identifier", "").strip() if kind == "webhook" else ""
        kept = {name: _plain(value)[:MAX_ID_CHARS] for name in _KEPT_HEADERS if (value := headers.get(name))}
        return Delivery(
            source=source,
            kind=kind,
            delivery=id_ if id_ and id_ == _plain(id_) and len(id_) <= MAX_ID_CHARS else None,
            body=body,
            body_sha256=digest.hexdigest(),
            received_at=self._now(),
            headers=kept,
        )

    def _has_room(self) -> bool:
        looked, enough = self._disk
        now = time.monotonic()
        if now - looked > DISK_LOOK_SECONDS:
            try:
                enough = self._free_bytes(self._settings.home) >= self._settings.min_free_bytes
            except OSError:
                enough = True  # the writer will say what is wrong with the disk
            self._disk = (now, enough)
        return enough


def _refusal(verdict: str) -> Answer | None:
    if verdict == "ok":
        return None
    return Answer(401, f"signature_{verdict}", "The sender could not be recognised.")


def _is_within(request: "Request", settings: HookSettings) -> bool:
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    return any(address in network for network in settings.networks)


def _plain(text: str) -> str:
    """Printable ASCII only: a header may hold any byte."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char for char in text if char.isascii() and char.isprintable())


def _forget(future: "asyncio.Future[Any]") -> None:
    """Look at a result that nobody waits for any more, so that it is not reported as lost."""
    if not future.cancelled():
        future.exception()
