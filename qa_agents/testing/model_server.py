"""A scripted model server: real HTTP on this machine in OpenAI's format, with every fault that a real one can show.

    with ModelServer() as server:
        server.say(Turn.of({"intent": "help", "argument": ""}))
        settings = ModelSettings(base_url=server.base_url, fast="scripted")

Turns that were said are given in order; after them `server.answer` decides, by default with the smallest object that fits.
"""

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

Ability = Literal["json_schema", "tools", "json_object"]
ALL_ABILITIES: frozenset[Ability] = frozenset(("json_schema", "tools", "json_object"))
DRIP_SECONDS = 0.02
PIECE = 7
"""Characters of a streamed piece."""


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """The turns that were sent."""
        return list(self.body.get("messages", []))

    @property
    def text(self) -> str:
        """Everything that was sent as words."""
        return "\n".join(str(message.get("content", "")) for message in self.messages)

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The shape that is asked for by JSON schema or by a function; None without one."""
        shape = self.body.get("response_format") or {}
        if shape.get("type") == "json_schema":
            found: Mapping[str, Any] = shape["json_schema"]["schema"]
            return found
        tools = self.body.get("tools") or []
        return tools[0]["function"]["parameters"] if tools else None

    @property
    def way(self) -> Ability | None:
        """How the answer is to be held to a shape; None for plain text."""
        if self.body.get("tools"):
            return "tools"
        kind = (self.body.get("response_format") or {}).get("type")
        return kind if kind in ("json_schema", "json_object") else None


@dataclass(frozen=True)
class Turn:
    """What the server does for one request: an answer, or a fault."""

    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    finish: str = "stop"
    refusal: str | None = None
    calls: str | None = None
    """Name of a function that it wants to call, whether offered or not."""
    raw: bytes | None = None
    """Sent instead of OpenAI's format."""
    cut: int | None = None
    """The connection ends after so many bytes of the body (streamed: after so many pieces)."""
    drip: bool = False
    """Byte by byte, for ever: the answer never ends by itself."""
    hang: bool = False
    """Nothing is sent until the server closes."""
    model: str | None = None
    """Another name than was asked for."""
    usage: bool = True
    """Whether it says how many tokens it took."""

    @classmethod
    def of(cls, value: Any, **more: Any) -> "Turn":
        """The value as JSON."""
        return cls(json.dumps(value, ensure_ascii=False), **more)


class ModelServer:
    """Serves until the block ends. `requests` holds everything that was asked, in order."""

    def __init__(
        self,
        answer: Callable[[Asked], Turn] | None = None,
        *,
        abilities: frozenset[Ability] = ALL_ABILITIES,
        unable: int = 400,
        ignores: frozenset[Ability] = frozenset(),
    ) -> None:
        self.answer = answer or fitting
        self.abilities = abilities
        self.unable = unable
        """HTTP status for a way of asking that it does not know."""
        self.ignores = ignores
        """Ways of asking that it accepts and pays no heed to: it answers in words."""
        self.requests: list[Asked] = []
        self.closing = threading.Event()
        self._turns: deque[Turn] = deque()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """What `base_url` of the settings is for this server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def say(self, *turns: Turn | str) -> None:
        """Give these for the next requests."""
        with self._lock:
            self._turns += [turn if isinstance(turn, Turn) else Turn(turn) for turn in turns]

    def __enter__(self) -> "ModelServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def turn_for(self, asked: Asked) -> Turn:
        """What to do about a request; notes it."""
        with self._lock:
            self.requests.append(asked)
            if asked.way is not None and asked.way not in self.abilities:
                return Turn(status=self.unable)
            if self._turns:
                return self._turns.popleft()
        return Turn("I would rather tell you in words.") if asked.way in self.ignores else self.answer(asked)


def fitting(asked: Asked) -> Turn:
    """The smallest answer that fits the shape which is asked for; a word where none is."""
    schema = asked.schema
    if schema is None and asked.way == "json_object":
        told = asked.text.partition("JSON Schema:\n")[2]
        with contextlib.suppress(ValueError):
            schema, _ = json.JSONDecoder().raw_decode(told)
    return Turn("Understood.") if schema is None else Turn.of(smallest(schema, schema))


def smallest(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """The smallest value that a JSON schema of the kind pydantic writes accepts."""
    if "$ref" in schema:
        return smallest(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema or "const" in schema:
        return schema["enum"][0] if "enum" in schema else schema["const"]
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        return {name: smallest(fields[name], root) for name in schema.get("required", fields)}
    if kind == "array":
        return [smallest(schema["items"], root) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return {"boolean": False, "null": None}.get(str(kind), "x" * schema.get("minLength", 0))


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: `requests` has it all."""

        def do_GET(self) -> None:
            """The list of models."""
            self._send(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})

        def do_POST(self) -> None:
            """One chat completion."""
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            asked = Asked(body, dict(self.headers.items()))
            turn = server.turn_for(asked)
            with contextlib.suppress(ConnectionError, TimeoutError):
                if turn.hang:
                    server.closing.wait()
                    self.close_connection = True
                elif turn.status >= 300:
                    self._send(turn.status, {"error": {"message": "scripted", "code": turn.status}}, turn.headers)
                elif turn.drip:
                    self._drip(turn)
                elif body.get("stream") and turn.raw is None:
                    self._stream(turn, asked)
                else:
                    self._whole(turn, asked)

        def _whole(self, turn: Turn, asked: Asked) -> None:
            data = turn.raw if turn.raw is not None else json.dumps(_completion(turn, asked)).encode()
            self._head(200, {"content-length": str(len(data)), **turn.headers})
            self.wfile.write(data[: turn.cut])
            self.close_connection = turn.cut is not None

        def _stream(self, turn: Turn, asked: Asked) -> None:
            self._head(200, {"content-type": "text/event-stream", "connection": "close"})
            self.close_connection = True
            for number, chunk in enumerate(_chunks(turn, asked)):
                if turn.cut is not None and number >= turn.cut:
                    return
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.flush()
            self.wfile.write(b"data: [DONE]\n\n")

        def _drip(self, turn: Turn) -> None:
            self._head(200, {"content-length": "1000000"})
            self.close_connection = True
            while not server.closing.wait(DRIP_SECONDS):
                self.wfile.write(b" ")
                self.wfile.flush()

        def _send(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
            data = json.dumps(value).encode()
            self._head(status, {"content-length": str(len(data)), **(headers or {})})
            self.wfile.write(data)

        def _head(self, status: int, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

    return Handler


def _completion(turn: Turn, asked: Asked) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.refusal is not None:
        message |= {"content": None, "refusal": turn.refusal}
    called = turn.calls or _offered(asked)
    if called and (turn.calls or "tools" not in _ignored(asked, turn)):
        function = {"name": called, "arguments": turn.text if turn.calls is None else "{}"}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    finish = "tool_calls" if "tool_calls" in message and turn.finish == "stop" else turn.finish
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": turn.model or asked.body.get("model", ""),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        **({"usage": _usage(turn, asked)} if turn.usage else {}),
    }


def _offered(asked: Asked) -> str | None:
    """The function that must be called, if one must."""
    chosen = asked.body.get("tool_choice")
    return str(chosen["function"]["name"]) if isinstance(chosen, dict) else None


def _ignored(asked: Asked, turn: Turn) -> frozenset[str]:
    """Words cannot be arguments: a turn of plain words to a forced call is one that pays no heed to it."""
    return frozenset(("tools",)) if turn.text and turn.text[0] not in "{[" and asked.way == "tools" else frozenset()


def _chunks(turn: Turn, asked: Asked) -> list[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_700_000_000,
            "model": turn.model or asked.body.get("model", ""),
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    pieces = [turn.text[at : at + PIECE] for at in range(0, len(turn.text), PIECE)]
    told = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in pieces)]
    if turn.calls:
        function = {"name": turn.calls, "arguments": "{}"}
        told.append(chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}))
    told.append(chunk({}, "tool_calls" if turn.calls else turn.finish))
    if turn.usage and (asked.body.get("stream_options") or {}).get("include_usage"):
        told.append({**chunk({}), "choices": [], "usage": _usage(turn, asked)})
    return told


def _usage(turn: Turn, asked: Asked) -> dict[str, int]:
    read, written = max(1, len(asked.text) // 4), max(1, len(turn.text) // 4)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
