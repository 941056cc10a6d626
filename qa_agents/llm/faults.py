"""What can go wrong on the way to a model and back, mapped from the client's errors to one reason and one sentence."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from qa_agents.llm.schema import Reason

FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
"""Seconds between tries where the endpoint does not say how long to wait."""
_BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_NOT_UNDERSTOOD = frozenset({400, 404, 405, 415, 422, 500, 501})
"""Answers of servers that do not know a way of asking; some answer 500 to it."""


@dataclass(eq=False)
class Fault(Exception):  # noqa: N818 - a value as much as an error
    """Why there is no answer. `detail` is for a person and repeats nothing that was asked or answered."""

    reason: Reason
    detail: str
    retry: bool = False
    """Whether the same question may be answered later."""
    wait: float | None = None
    """Seconds that the endpoint asked for."""
    status: int = 0
    """Of the HTTP answer; 0 where there was none."""
    input_tokens: int = 0
    output_tokens: int = 0
    """What was used up for nothing."""

    @property
    def unsupported(self) -> bool:
        """Whether the endpoint may just not know this way of asking."""
        return self.status in _NOT_UNDERSTOOD or self.reason in ("invalid", "not-json", "empty", "tool-call")

    @property
    def is_outage(self) -> bool:
        """Whether it says something about the endpoint, and not about this one question."""
        return self.reason in ("unavailable", "timeout", "unauthorised", "garbage")


def fault_of(error: BaseException) -> Fault:
    """The fault that an error of the client stands for; everything unknown is `garbage`, and nothing is raised."""
    import openai

    if isinstance(error, Fault):
        return error
    if isinstance(error, openai.LengthFinishReasonError):
        usage = error.completion.usage
        return Fault(
            "truncated",
            "The answer was cut off at the token limit.",
            input_tokens=usage.prompt_tokens if usage else 0,
            output_tokens=usage.completion_tokens if usage else 0,
        )
    if isinstance(error, openai.ContentFilterFinishReasonError):
        return Fault("refused", "The endpoint's content filter withheld the answer.")
    if isinstance(error, openai.APIStatusError):
        return _of_status(error.status_code, error.response.headers)
    names = {cls.__name__ for cls in type(error).__mro__}
    if isinstance(error, openai.APITimeoutError) or "TimeoutException" in names:
        return Fault("timeout", "It did not answer in time.", retry=_was_connecting(error))
    if "too long" in str(error.__cause__ or error) and "ReadError" in _chain(error):
        return Fault("too-long", "The answer was longer than is read.")
    if _chain(error) & {"RemoteProtocolError", "ReadError", "IncompleteRead"}:
        return Fault("unavailable", "The connection ended within the answer.", retry=True)
    if isinstance(error, openai.APIConnectionError) or "TransportError" in names:
        return Fault("unavailable", "It cannot be reached.", retry=True)
    return Fault("garbage", f"It did not speak the protocol ({type(error).__name__}).")


def delay(number: int, fault: Fault, jitter: float) -> float:
    """Seconds before try `number + 1`: as the endpoint asked, else doubling; `jitter` in 0 … 1 spreads callers apart."""
    if fault.wait is not None:
        return fault.wait + 0.1 * jitter
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (number - 1))) * (0.5 + 0.5 * jitter)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that Retry-After (seconds or a date, RFC 9110 section 10.2.3) or retry-after-ms asks for; None without one."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(milliseconds) / 1000)
        said = headers.get("retry-after")
        if said is None:
            return None
        if said.strip().replace(".", "", 1).isdigit():
            return float(said)
        moment = parsedate_to_datetime(said)
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _of_status(status: int, headers: Any) -> Fault:
    if status in (401, 403):
        return Fault("unauthorised", f"It does not accept the key (HTTP {status}).", status=status)
    if 300 <= status < 400:
        return Fault("unavailable", f"It redirects (HTTP {status}), which is not followed.", status=status)
    if status in _BUSY:
        wait = retry_after(headers, time.time())
        said = "It is busy" if status in (429, 503, 529) else "It failed"
        return Fault("unavailable", f"{said} (HTTP {status}).", retry=True, wait=wait, status=status)
    if status >= 500:
        return Fault("unavailable", f"It failed (HTTP {status}).", status=status)
    return Fault("rejected", f"It refuses the request (HTTP {status}).", status=status)


def _chain(error: BaseException) -> set[str]:
    """Names of the classes of an error and of what caused it."""
    found: set[str] = set()
    link: BaseException | None = error
    while link is not None and len(found) < 100:
        found |= {cls.__name__ for cls in type(link).__mro__}
        link = link.__cause__ or link.__context__
    return found


def _was_connecting(error: BaseException) -> bool:
    return bool(_chain(error) & {"ConnectTimeout", "PoolTimeout"})
