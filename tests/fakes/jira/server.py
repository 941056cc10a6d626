"""The stand-in as a real server on loopback: authentication, faults by name, and a record of every exchange."""

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.jira.api import Api
from tests.fakes.jira.site import FakeSite, RefusalError

USER, TOKEN = "bot@wickerbell.test", "token-of-the-bot-4711"
HTML = b"<html><body>Jira is being maintained. Please come back later.</body></html>"
FAULTS = (
    "429", "429-date", "429-issue", "503", "500", "409", "413", "502-html", "html200", "drop-before", "drop-after",
    "503-after", "slow", "401", "captcha", "302",
)  # fmt: skip
"""`-after` and `drop-after`, `html200`: the change is made, and its answer spoiled; in all others nothing happens."""
SPOILED = ("drop-after", "503-after", "html200", "slow")
Faults = Callable[[str, str, int], str | None]
"""(method, path, number of the call from 0) to a fault, or None."""


@dataclass
class Exchange:
    """One request with its answer."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    status: int = 0
    answer: bytes = b""
    fault: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class FakeJira:
    """`with FakeJira() as jira:` serves `jira.site` at `jira.url` until the block ends."""

    def __init__(self, site: FakeSite | None = None, faults: Faults | None = None) -> None:
        self.site = site or FakeSite()
        self.faults = faults or (lambda method, path, number: None)
        self.exchanges: list[Exchange] = []
        self.slow_seconds = 1.0
        self._api = Api(self.site)
        self._count = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._api.base = self.url

    def __enter__(self) -> "FakeJira":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def writes(self) -> list[Exchange]:
        """The exchanges that were to change something."""
        return [one for one in self.exchanges if one.method != "GET" and "/search" not in one.path]

    def serve(self, exchange: Exchange) -> None:
        """Answer into the exchange; `status` stays 0 where the connection is dropped."""
        with self._lock:
            number, self._count = self._count, self._count + 1
        exchange.fault = fault = self.faults(exchange.method, exchange.path, number)
        if not self._is_known(exchange.headers.get("authorization", "")):
            self._refuse(exchange, RefusalError(401, "Client must be authenticated to access this resource."))
        elif fault in SPOILED:
            self._carry_out(exchange)
            if fault == "slow":
                time.sleep(self.slow_seconds)
            else:
                exchange.status = {"html200": 200, "503-after": 503, "drop-after": 0}[fault]
                exchange.answer = HTML
        elif fault is not None:
            self._fail(exchange, fault)
        else:
            self._carry_out(exchange)
        with self._lock:
            self.exchanges.append(exchange)

    def _carry_out(self, exchange: Exchange) -> None:
        try:
            body = json.loads(exchange.body) if exchange.body else None
            status, answer = self._api.answer(exchange.method, exchange.path, exchange.query, body)
        except RefusalError as refusal:
            self._refuse(exchange, refusal)
            return
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self._refuse(exchange, RefusalError(400, f"Invalid request payload: {type(error).__name__} {error}"))
            return
        exchange.headers = {}
        exchange.status, exchange.answer = status, b"" if answer is None else json.dumps(answer).encode()

    @staticmethod
    def _refuse(exchange: Exchange, refusal: RefusalError) -> None:
        told = {"errorMessages": refusal.messages, "errors": refusal.errors}
        exchange.status, exchange.answer, exchange.headers = refusal.status, json.dumps(told).encode(), refusal.headers

    def _fail(self, exchange: Exchange, fault: str) -> None:
        headers: dict[str, str] = {}
        if fault.startswith("429"):
            seconds = (
                {"Retry-After": formatdate(self.site.clock() + 2, usegmt=True)}
                if fault == "429-date"
                else {"Retry-After": "1"}
            )
            reason = "jira-per-issue-on-write" if fault == "429-issue" else "jira-burst-based"
            headers = {**seconds, "RateLimit-Reason": reason}
        elif fault == "503":
            headers = {"Retry-After": "1"}
        elif fault == "captcha":
            headers = {"X-Seraph-LoginReason": "AUTHENTICATION_DENIED"}
        elif fault == "302":
            headers = {"Location": "http://127.0.0.1:9/login"}
        if fault == "drop-before":
            exchange.status = 0
            return
        status = 403 if fault == "captcha" else int(fault.partition("-")[0])
        self._refuse(exchange, RefusalError(status, f"Fault {fault}.", headers=headers))
        if fault.endswith("html"):
            exchange.answer = HTML

    def _is_known(self, authorization: str) -> bool:
        if self.site.cloud:
            return authorization == "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        return authorization == f"Bearer {TOKEN}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(fake.site.clock(), usegmt=True)

            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet an answer: two would wait for each other
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                size = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                exchange = Exchange(self.command, unquote(parts.path), query, self.rfile.read(size), headers=headers)
                fake.serve(exchange)
                if exchange.status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(exchange.status)
                for name, value in exchange.headers.items():
                    self.send_header(name, value)
                is_page = exchange.answer == HTML
                self.send_header("Content-Type", "text/html" if is_page else "application/json;charset=UTF-8")
                body = b"" if exchange.status == 204 else exchange.answer
                if exchange.status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        for verb in ("GET", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{verb}", Handler.handle_any)
        return Handler
