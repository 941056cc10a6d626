"""A server that conforms to the RealWorld API (its prose and its OpenAPI description), and faults that can be put into it.

It keeps everything in memory and speaks HTTP on loopback. Each fault is one small mistake that real servers make; a suite
that was drafted from the specification is measured by how many it notices.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from evals.conduit import articles, people
from evals.conduit.faults import FAULTS
from evals.conduit.memory import Memory, RefusedError, Reply, Request
from evals.conduit.shapes import refusal

__all__ = ["FAULTS", "Conduit", "serving"]

Verb = Callable[[Memory, Request], Reply]
_SLUG = r"/articles/(?P<slug>[^/]+)"
_ROUTES: tuple[tuple[str, dict[str, Verb]], ...] = (
    (r"/users/login", {"POST": people.login}),
    (r"/users", {"POST": people.register}),
    (r"/user", {"GET": people.own, "PUT": people.change_own}),
    (r"/profiles/(?P<username>[^/]+)", {"GET": people.profile}),
    (r"/profiles/(?P<username>[^/]+)/follow", {"POST": people.follow, "DELETE": people.unfollow}),
    (r"/articles/feed", {"GET": articles.feed}),
    (r"/articles", {"GET": articles.listing, "POST": articles.write}),
    (_SLUG, {"GET": articles.read, "PUT": articles.rewrite, "DELETE": articles.remove}),
    (_SLUG + r"/comments", {"GET": articles.comments, "POST": articles.add_comment}),
    (_SLUG + r"/comments/(?P<id>[^/]+)", {"DELETE": articles.remove_comment}),
    (_SLUG + r"/favorite", {"POST": articles.favorite, "DELETE": articles.unfavorite}),
    (r"/tags", {"GET": articles.tags}),
)


class Conduit(Memory):
    """The whole API over one memory."""

    def __init__(self, fault: str | None = None) -> None:
        super().__init__(fault)
        self._lock = threading.Lock()

    def handle(self, method: str, target: str, headers: dict[str, str], raw: bytes) -> Reply:
        """Answer one request."""
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        with self._lock:
            self.requests += 1
            try:
                for pattern, verbs in _ROUTES:
                    match = re.fullmatch(pattern, parts.path)
                    if match is None:
                        continue
                    if method not in verbs:
                        return 405, refusal("method not allowed")
                    request = Request(headers, raw, query, {k: unquote(v) for k, v in match.groupdict().items()})
                    return verbs[method](self, request)
                return 404, refusal("not found")
            except RefusedError as refused:
                if refused.status == 422 and self.fault == "errors-without-list":
                    return 422, {"errors": {"body": refused.reasons[0]}}
                return refused.status, refusal(*refused.reasons)


@contextmanager
def serving(conduit: Conduit) -> Iterator[str]:
    """Serve on a free port of loopback for the block; its base URL. `conduit.requests` counts what came."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length) if length else b""
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = conduit.handle(self.command, self.path, headers, raw)
            body = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
