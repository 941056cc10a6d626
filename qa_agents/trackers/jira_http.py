"""One session with one Jira site: what is asked, how often, how fast, and what an answer means.

The `jira` package builds the session and its authentication; its own retries, error handling and redirects are passed by,
because they repeat POSTs, follow addresses that a server names and put whole answers into error texts.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import orjson

from qa_agents.egress import permit
from qa_agents.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from qa_agents.settings import JiraSettings
from qa_agents.trackers.jira_json import Json, items, table

if TYPE_CHECKING:
    import requests

MAX_ANSWER_BYTES = 20_000_000
ANSWER_SECONDS = 60.0
"""A whole answer has to be there by then, however slowly it drips."""
MAX_SAID_CHARS = 300
"""How much of the server's own words goes into an error."""
WINDOW_SECONDS = 30.0
WINDOW_WRITES = 90
"""Writes to one issue in any 30 seconds; Jira's limit is 100."""
KEPT_ISSUES = 2_000
LONGEST_BACKOFF = 20.0

Params = Mapping[str, str | int]
T = TypeVar("T")


class TryAgainError(UnavailableError):
    """Jira gave no usable answer, and may have carried the request out: look before asking again.

    `wait`: the seconds it asked for, None when it did not say. `status`: of its answer, 0 where there was none.
    """

    def __init__(self, message: str, *, wait: float | None = None, status: int = 0) -> None:
        super().__init__(message, hint="Nothing is lost; it is tried again.")
        self.wait = wait
        self.status = status

    @property
    def refused(self) -> bool:
        """Whether it certainly did nothing."""
        return self.status in (409, 429)


class JiraHttp:
    """Asks one site, at most as fast as it allows. Answers are parsed JSON; errors are of our own tree."""

    def __init__(
        self,
        settings: JiraSettings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self._sleep, self._clock, self._now, self._jitter = sleep, clock, now, jitter
        self._session = _open_session(settings)
        self._pace = Pace(settings.writes_per_second, clock)
        self._not_before = 0.0
        self._locked_out = ""
        self.skew: float | None = None
        """Seconds that Jira's clock was ahead of ours at its last answer; None before one."""

    def read(self, path: str, params: Params | None = None) -> Json:
        """GET, repeated while Jira is busy. Raises NotFoundError, UnavailableError, … as `ask`, but never TryAgainError."""
        return self.patiently(lambda: self.ask("GET", path, params=params))

    def search(self, path: str, body: Json) -> Json:
        """POST that only reads, repeated while Jira is busy."""
        return self.patiently(lambda: self.ask("POST", path, body=body))

    def patiently(self, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, which is made again after every TryAgainError.

        Raises UnavailableError after the allowed tries, or at once when Jira asks to wait for longer than is waited here.
        """
        for number in range(1, self.settings.tries + 1):
            try:
                return attempt()
            except TryAgainError as error:
                self._wait_after(error, number)
        raise AssertionError  # the last wait has raised

    def ask(
        self, method: str, path: str, *, params: Params | None = None, body: Json = None, issue: str | None = None
    ) -> Json:
        """One request and its answer; `issue` names the issue that it writes to.

        Raises TryAgainError where what happened is unknown or temporary, NotFoundError for 404, ConflictError for 403,
        InvalidInputError for what Jira will never accept, UnavailableError where the account is not let in.
        """
        if self._locked_out:
            raise UnavailableError(self._locked_out, hint="Log in with a browser once, check the token, start again.")
        self._rest(self._not_before - self._clock())
        if issue is not None:
            self._rest(self._pace.reserve(issue))
        status, headers, raw = self._exchange(method, path, params, body)
        return self._understood(method, path, status, headers, raw, issue)

    def _exchange(
        self, method: str, path: str, params: Params | None, body: Json
    ) -> tuple[int, Mapping[str, str], bytes]:
        import requests

        started, url = self._clock(), f"{self.settings.base_url}{path}"
        permit(url, [self.settings.base_url])
        try:
            with requests.Session.request(
                self._session,
                method,
                url,
                params=dict(params or {}),
                data=None if body is None else orjson.dumps(body),
                timeout=self.settings.timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                chunks, size = [], 0
                for chunk in response.iter_content(65_536):
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > MAX_ANSWER_BYTES or self._clock() - started > ANSWER_SECONDS:
                        raise TryAgainError("Jira's answer was too large or too slow to be read.")
                sent = moment_of(response.headers.get("Date", ""))
                self.skew = self.skew if sent is None else sent - self._now()
                return response.status_code, response.headers, b"".join(chunks)
        except requests.RequestException as error:
            raise TryAgainError(f"Jira could not be reached ({type(error).__name__}).") from None

    def _understood(
        self, method: str, path: str, status: int, headers: Mapping[str, str], raw: bytes, issue: str | None
    ) -> Json:
        denied = headers.get("X-Seraph-LoginReason", "")
        if status == 401 or "DENIED" in denied:
            self._locked_out = f"Jira does not let this account in (HTTP {status} {denied[:60]}).".replace(" )", ")")
            raise UnavailableError(
                self._locked_out, hint="Check `jira.user` and `jira.token`; CAPTCHA asks for a login."
            )
        parsed, is_data = _parsed(raw)
        if 200 <= status < 300:
            if raw and not is_data:
                raise TryAgainError("Jira answered with a page instead of data.")
            return parsed
        said = self._said(parsed)
        if status in (408, 409, 425, 429) or (status >= 500 and status != 501):
            wait = retry_after(headers, self._now())
            if status == 429:
                self._slow_down(headers.get("RateLimit-Reason", ""), wait or 1.0, issue)
            what = "was busy" if status != 409 else "met another change at the same time"
            raise TryAgainError(f"Jira {what} (HTTP {status}).{said}", wait=wait, status=status)
        if status == 404:
            raise NotFoundError(f"Jira knows no {_named(path)}, or does not show it to this account.{said}")
        if status == 403:
            raise ConflictError(f"Jira does not allow this account to {method} {_named(path)}.{said}")
        raise InvalidInputError(f"Jira refused {method} {_named(path)} (HTTP {status}).{said}")

    def _said(self, parsed: Json) -> str:
        """The server's own reasons, cut, on one line, without our credentials."""
        reasons = [str(reason) for reason in items(parsed, "errorMessages")]
        reasons += [f"{name}: {reason}" for name, reason in table(parsed, "errors").items()]
        words = " ".join("".join(c if c.isprintable() else " " for c in " ".join(reasons)).split())
        for secret in (self.settings.token.get_secret_value(), self.settings.user or ""):
            words = words.replace(secret, "…") if len(secret) > 3 else words
        return f' It says: "{words[:MAX_SAID_CHARS]}".' if words else ""

    def _slow_down(self, reason: str, seconds: float, issue: str | None) -> None:
        """Only what the reason names: one issue, or everything."""
        until = self._clock() + min(seconds, self.settings.max_wait)
        if reason == "jira-per-issue-on-write" and issue is not None:
            self._pace.hold(issue, until)
        else:
            self._not_before = max(self._not_before, until)

    def _wait_after(self, error: TryAgainError, number: int) -> None:
        asked = error.wait
        if asked is not None and asked > self.settings.max_wait:
            raise UnavailableError(f"{error.message} It asks to wait {asked:.0f} s.", hint=error.hint) from None
        if number >= self.settings.tries:
            raise UnavailableError(f"{error.message} It was asked {number} times.", hint=error.hint) from None
        backoff = min(LONGEST_BACKOFF, 0.25 * 2 ** min(number, 10)) * (0.5 + self._jitter() / 2)
        self._rest(backoff if asked is None else asked)

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)


class Pace:
    """When the next write to an issue may start: so many a second, so many in 30 seconds, never while it is held."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._gap, self._clock = 1.0 / per_second, clock
        self._written: dict[str, deque[float]] = {}
        self._held: dict[str, float] = {}
        self._lock = Lock()

    def reserve(self, issue: str) -> float:
        """Take the next turn for this issue; returns the seconds until it comes."""
        with self._lock:
            now = self._clock()
            turns = self._written.setdefault(issue, deque(maxlen=WINDOW_WRITES))
            turn = max(now, self._held.pop(issue, 0.0))
            if turns:
                turn = max(turn, turns[-1] + self._gap)
            if len(turns) == WINDOW_WRITES:
                turn = max(turn, turns[0] + WINDOW_SECONDS)
            turns.append(turn)
            while len(self._written) > KEPT_ISSUES:
                self._written.pop(next(iter(self._written)))
            return turn - now

    def hold(self, issue: str, until: float) -> None:
        """No write to this issue before `until` (of the clock)."""
        with self._lock:
            self._held[issue] = max(until, self._held.get(issue, 0.0))


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that Retry-After asks for, in either form of RFC 9110 10.2.3; None when it is absent or unreadable.

    A date is taken relative to the answer's own Date, so that a clock that is wrong on either side does not matter.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit() and len(asked) < 8:
        return float(asked)
    until, sent = moment_of(asked), moment_of(headers.get("Date", ""))
    return None if until is None else max(0.0, until - (now if sent is None else sent))


def moment_of(http_date: str) -> float | None:
    """Seconds since the epoch of an HTTP date, or None."""
    try:
        found = parsedate_to_datetime(http_date)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _parsed(raw: bytes) -> tuple[Json, bool]:
    """The document and whether it is one; what is cut, nested too deep or not JSON is none."""
    try:
        found = orjson.loads(raw)
    except ValueError:
        return None, False
    return found, isinstance(found, dict | list)


def _named(path: str) -> str:
    """The part of an address that means something to people."""
    return path.removeprefix("/rest/api/2/")[:80]


def _open_session(settings: JiraSettings) -> "requests.Session":
    from jira import JIRA

    token = settings.token.get_secret_value()
    known = {"basic_auth": (settings.user or "", token)} if settings.deployment == "cloud" else {"token_auth": token}
    client = JIRA(
        server=settings.base_url,
        options={"rest_api_version": "2"},
        get_server_info=False,  # asks at once, without our rules; and what it decides is not used here
        max_retries=0,
        timeout=settings.timeout,
        **known,
    )
    session = client._session
    session.trust_env = False  # neither proxies nor a .netrc that would replace the credentials
    session.proxies = {"https": settings.proxy, "http": settings.proxy} if settings.proxy else {}
    session.verify = str(settings.ca_bundle) if settings.ca_bundle else True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session
