"""One OpenAI-compatible endpoint through ChatOpenAI: one request each, every error a Fault, no retries of its own."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from qa_agents.llm.faults import Fault, fault_of
from qa_agents.llm.schema import Message, Mode, Reason
from qa_agents.llm.transport import Limits, closed_client, limited, open_client, refuse_in_tests
from qa_agents.settings import ModelSettings

if TYPE_CHECKING:
    import httpx
    from langchain_core.messages import BaseMessage

MAX_ANSWER_CHARS = 60_000
FILTERED = "content_filter"
FOREIGN = "It wanted to call something that nobody offered."


@dataclass(frozen=True)
class Reply:
    """What came back from one request. `text` is the answer, or the arguments of the forced function call."""

    text: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    """None where the endpoint did not say."""
    finish: str = ""


class Endpoint:
    """Puts questions to the configured endpoint. Built without touching the network; safe to share between threads."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self._chats: dict[str, Any] = {}
        self._lock = Lock()

    def close(self) -> None:
        """Give the connections back."""
        if "_client" in self.__dict__:
            self._client.close()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        max_tokens: int,
        limits: Limits,
        mode: Mode | None = None,
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        """One answer: of the JSON `schema` (with a `title`) by `mode`, else text. Raises Fault."""
        refuse_in_tests(self.settings.base_url)
        try:
            chat = self._chat(model).bind(max_tokens=max_tokens)
            if mode is not None and schema is not None:
                chat = _held(self._chat(model), mode, schema).bind(max_tokens=max_tokens)
            with limited(limits), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the client's advice on models is about its own defaults
                said = chat.invoke(_as_chat(messages))
            return _checked(said, mode, schema, model)
        except Exception as error:
            raise _within(fault_of(error), limits) from None

    def stream(self, messages: Sequence[Message], *, model: str, max_tokens: int, limits: Limits) -> Iterator[Reply]:
        """Pieces of one answer as they come; the last one has `finish`. Raises Fault, also after some pieces."""
        refuse_in_tests(self.settings.base_url)
        try:
            pieces = self._chat(model).bind(max_tokens=max_tokens).stream(_as_chat(messages))
            with limited(limits):
                piece = next(pieces, None)
            while piece is not None:
                if piece.tool_call_chunks:
                    raise Fault("tool-call", FOREIGN)
                yield _reply(piece, str(piece.text), model)
                piece = next(pieces, None)
        except Exception as error:
            raise _within(fault_of(error), limits) from None

    @cached_property
    def _client(self) -> "httpx.Client":
        return open_client(self.settings)

    def _chat(self, model: str) -> Any:
        with self._lock:
            if model not in self._chats:
                self._chats[model] = _chat_model(self.settings, model, self._client)
            return self._chats[model]


def _chat_model(settings: ModelSettings, model: str, client: "httpx.Client") -> Any:
    # Everything that the library would look up in the environment is given, so that it looks nothing up.
    common: dict[str, Any] = {
        "api_key": settings.api_key or SecretStr("none"),
        "temperature": settings.temperature if settings.send_temperature else None,
        "max_retries": 0,
        "timeout": settings.timeout,
        "http_client": client,
        "http_async_client": closed_client(),
        "openai_proxy": None,
        "stream_usage": True,
        "use_responses_api": False,
        "include_response_headers": False,
    }
    if settings.azure_api_version:
        from langchain_openai import AzureChatOpenAI

        return AzureChatOpenAI(
            azure_endpoint=settings.base_url, azure_deployment=model, api_version=settings.azure_api_version, **common
        )
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(base_url=settings.base_url, model=model, **common)


def _held(chat: Any, mode: Mode, schema: dict[str, Any]) -> Any:
    """The chat model held to a shape.

    As `with_structured_output` does it, without its parsers: they take minutes over a long text that is no JSON.
    """
    named = {"name": schema["title"], "description": schema["description"]}
    if mode == "function_calling":
        function = {"type": "function", "function": {**named, "parameters": schema}}
        return chat.bind_tools([function], tool_choice=schema["title"])
    if mode == "json_schema":
        return chat.bind(response_format={"type": "json_schema", "json_schema": {**named, "schema": schema}})
    return chat.bind(response_format={"type": "json_object"})


def _as_chat(messages: Sequence[Message]) -> "list[BaseMessage]":
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return [kinds[message.role](content=message.text) for message in messages]


def _checked(said: Any, mode: Mode | None, schema: dict[str, Any] | None, model: str) -> Reply:
    """The reply, if it is one to use. Raises Fault with the tokens that it took."""
    reply = _reply(said, str(said.text), model)
    if mode == "function_calling" and schema is not None:
        # Some servers write what they were to call into the text instead; the shape is checked either way.
        arguments, foreign = _arguments(said, schema["title"])
        reply = replace(reply, text=arguments or reply.text)
    else:
        foreign = bool(said.tool_calls or said.invalid_tool_calls)
    reason: Reason
    if said.additional_kwargs.get("refusal") or reply.finish == FILTERED:
        reason, detail = "refused", "The model declined to answer."
    elif reply.finish == "length":
        reason, detail = "truncated", "The answer was cut off at the token limit."
    elif foreign:
        reason, detail = "tool-call", FOREIGN
    elif not reply.text.strip():
        reason, detail = "empty", "The answer was empty."
    elif len(reply.text) > MAX_ANSWER_CHARS:
        reason, detail = "too-long", "The answer was longer than is read."
    else:
        return reply
    raise Fault(reason, detail, input_tokens=reply.input_tokens or 0, output_tokens=reply.output_tokens or 0)


def _arguments(said: Any, name: str) -> tuple[str, bool]:
    """The arguments of the one forced call as JSON text ("" when it called nothing), and whether it called anything else."""
    import orjson

    calls = [(call["name"], orjson.dumps(call["args"]).decode()) for call in said.tool_calls]
    calls += [(call["name"], call["args"] or "") for call in said.invalid_tool_calls]
    return calls[0][1] if calls else "", any(called != name for called, _ in calls)


def _reply(said: Any, text: str, model: str) -> Reply:
    usage, about = said.usage_metadata, said.response_metadata
    return Reply(
        text=text,
        model=str(about.get("model_name") or model)[:200],
        input_tokens=usage["input_tokens"] if usage else None,
        output_tokens=usage["output_tokens"] if usage else None,
        finish=str(about.get("finish_reason") or ""),
    )


def _within(fault: Fault, limits: Limits) -> Fault:
    """The fault, or that the caller gave up, or that time ran out: whatever broke then broke because of it."""
    if limits.is_cancelled:
        return Fault("cancelled", "It was not waited for.")
    if limits.left <= 0 and fault.is_outage:
        return Fault("timeout", "It did not answer in time.")
    return fault
