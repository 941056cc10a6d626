"""An object of a shape out of what a model wrote: JSON schema to send, text to read, and one request to repair."""

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from qa_agents.llm.faults import Fault
from qa_agents.llm.schema import Message, Mode

T = TypeVar("T", bound=BaseModel)

MAX_TOLD = 6
"""Errors that a repair is told about."""
_FENCED = re.compile(r"\A\s*```(?:json)?[ \t]*\n(?P<body>.*?)\n?```\s*\Z", re.DOTALL)


def wire_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema that is sent: with a title, and without what servers disagree about (defaults, formats)."""
    sent: dict[str, Any] = _without(schema.model_json_schema(), {"default", "format"})
    sent["title"] = schema.__name__
    sent.setdefault("description", schema.__name__)
    return sent


def messages_for(messages: Sequence[Message], mode: Mode, schema: dict[str, Any]) -> list[Message]:
    """The messages as this way of asking needs them: JSON mode is told the schema in words."""
    if mode != "json_mode":
        return list(messages)
    import orjson

    told = (
        "Answer with one JSON object and nothing else. It must fit this JSON Schema:\n" + orjson.dumps(schema).decode()
    )
    if messages and messages[0].role == "system":
        first = Message(role="system", text=f"{messages[0].text}\n\n{told}")
        return [first, *messages[1:]]
    return [Message(role="system", text=told), *messages]


def parsed(text: str, schema: type[T]) -> T:
    """The object that the text is, every bound checked; a code fence around it is taken off.

    Raises Fault `not-json` or `invalid`; its `detail` names fields and rules, never what was written.
    """
    fenced = _FENCED.match(text)
    body = fenced["body"] if fenced else text
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        told = errors_told(error)
        if error.errors()[0]["type"] == "json_invalid":
            raise Fault("not-json", "The answer was no JSON object.") from None
        raise Fault("invalid", f"The answer does not fit: {told}.") from None


def errors_told(error: ValidationError) -> str:
    """What does not fit, by field and rule, without the values."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    names = (".".join(_named(part) for part in one["loc"]) or "the object" for one in found[:MAX_TOLD])
    return "; ".join(f"{name}: {one['msg']}" for name, one in zip(names, found, strict=False))


def repair(messages: Sequence[Message], answer: str, fault: Fault) -> list[Message]:
    """The question once more, with the answer that did not fit and why."""
    again = f"{fault.detail} Write the whole JSON object again, corrected, and nothing else."
    return [*messages, Message(role="assistant", text=answer), Message(role="user", text=again)]


def _named(part: object) -> str:
    """A step of a path; names that the model made up are not repeated."""
    return str(part) if isinstance(part, int) or (str(part).isidentifier() and len(str(part)) <= 40) else "…"


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: {field: _without(inner, names) for field, inner in part.items()}
            if name == "properties"
            else _without(part, names)
            for name, part in value.items()
            if name not in names
        }
    return [_without(part, names) for part in value] if isinstance(value, list) else value
