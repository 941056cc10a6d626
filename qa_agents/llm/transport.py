"""The HTTP client of the gateway: one host, no redirects, no ambient proxy, and an end to every answer.

Time-outs of HTTP clients bound the wait for the next byte; here a whole answer is bounded in seconds and bytes.
"""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from qa_agents.egress import permit
from qa_agents.errors import EgressError
from qa_agents.llm import gateway
from qa_agents.llm.gateway import Cancelled, ModelRequestError
from qa_agents.settings import LOCAL_HOSTS, ModelSettings

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 2_000_000
LEAST_WAIT = 0.05
"""Seconds; a time-out of 0 would mean none."""


@dataclass(frozen=True)
class Limits:
    """How long one answer may take: until `deadline` (time.monotonic), or until the caller gives up."""

    deadline: float
    cancelled: Cancelled | None = None

    @property
    def left(self) -> float:
        """Seconds; may be negative."""
        return self.deadline - time.monotonic()

    @property
    def is_cancelled(self) -> bool:
        """Whether the caller gave up."""
        return self.cancelled is not None and self.cancelled.is_set()


_LIMITS: ContextVar[Limits | None] = ContextVar("qa_agents_model_limits", default=None)


@contextlib.contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Requests that begin inside the block keep these limits, also while their answers are read afterwards."""
    token = _LIMITS.set(limits)
    try:
        yield
    finally:
        _LIMITS.reset(token)


def refuse_in_tests(base_url: str) -> None:
    """Raises ModelRequestError for a host beyond this machine while gateway.ALLOW_MODEL_REQUESTS is False."""
    if not gateway.ALLOW_MODEL_REQUESTS and urlsplit(base_url).hostname not in LOCAL_HOSTS:
        raise ModelRequestError("A test tried to reach a model that is not on this machine.")


def open_client(settings: ModelSettings) -> "httpx.Client":
    """A client that reaches the configured host and nothing else. Raises OSError for a ca_bundle that cannot be read."""
    import ssl

    import httpx

    verify: ssl.SSLContext | bool = True
    if settings.ca_bundle is not None:
        verify = ssl.create_default_context(cafile=str(settings.ca_bundle))
    elif settings.base_url.startswith("http://"):
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; loading the public ones takes a while
    transport = _guarded(settings, httpx.HTTPTransport(verify=verify, proxy=settings.proxy, trust_env=False, retries=0))
    timeout = httpx.Timeout(settings.timeout, connect=settings.connect_timeout)
    return httpx.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=timeout)


def closed_client() -> "httpx.AsyncClient":
    """A client that reaches nothing, for the library's second, asynchronous way out."""
    import httpx

    class _Closed(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("only the guarded client asks")

    return httpx.AsyncClient(transport=_Closed(), trust_env=False)


def _guarded(settings: ModelSettings, inner: "httpx.HTTPTransport") -> "httpx.BaseTransport":
    """`inner`, for the configured origin only and within the limits of the moment."""
    import httpx

    class _Bounded(httpx.SyncByteStream):
        """The answer's bytes, as long as they come in time and are not too many."""

        def __init__(self, stream: Any, limits: Limits | None) -> None:
            self._stream, self._limits = stream, limits

        def __iter__(self) -> Iterator[bytes]:
            read = 0
            for piece in self._stream:
                read += len(piece)
                if read > MAX_ANSWER_BYTES:
                    raise httpx.ReadError("the answer is too long")
                if self._limits is not None and (self._limits.left <= 0 or self._limits.is_cancelled):
                    raise httpx.ReadTimeout("the answer took too long")
                yield piece

        def close(self) -> None:
            self._stream.close()

    class _Guarded(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            try:
                permit(str(request.url), [settings.base_url])
            except EgressError:
                raise httpx.ConnectError("only the configured endpoint may be asked") from None
            limits = _LIMITS.get()
            if limits is not None:
                left = max(limits.left, LEAST_WAIT)
                given = request.extensions.get("timeout", {})
                request.extensions["timeout"] = {
                    name: min(seconds, left) if seconds is not None else left for name, seconds in given.items()
                }
            response = inner.handle_request(request)
            return httpx.Response(
                response.status_code,
                headers=response.headers,
                stream=_Bounded(response.stream, limits),
                extensions=response.extensions,
            )

        def close(self) -> None:
            inner.close()

    return _Guarded()
