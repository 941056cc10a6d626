"""Requirements of an API description: one an operation, and one for each error or rule that it states in words of its own."""

import http
import re
from collections.abc import Iterator
from typing import Any

from qa_agents.plans.read import Document
from qa_agents.plans.read.parsed import plain
from qa_agents.plans.requirements.code import schema_fields, spec_of
from qa_agents.plans.requirements.drafts import Draft
from qa_agents.plans.requirements.ears import Shape
from qa_agents.plans.requirements.judge import Context, is_negated, judge, modality_of
from qa_agents.plans.requirements.limits import fields_of
from qa_agents.plans.requirements.sentences import split
from qa_agents.plans.schema import Block, FieldSpec

PHRASES = frozenset(status.phrase.lower() for status in http.HTTPStatus) | frozenset(
    "error default unexpected unexpected|error generic|error ok success successful|operation not|"
    "found invalid|input bad|request".replace("|", " ").split(" ")
)
STATED = ("strong words", "condition and consequence", "capability")


def drafts_of_operation(document: Document, block: Block) -> Iterator[Draft]:
    """The operation itself with its fields, then what its description and its errors say beyond their names."""
    data = block.data
    name = f"{str(data.get('method', '')).upper()} {data.get('path', '')}"
    told = str(data.get("summary") or data.get("description") or data.get("operationId") or "").strip()
    success = next(
        ((code, answer) for code, answer in sorted(data.get("responses", {}).items()) if code.startswith("2")), None
    )
    answer = f"answers {success[0]}" + (f" ({_said(success[1])})" if _said(success[1]) else "") if success else None
    main = Draft(
        document,
        [block],
        block.start,
        block.end,
        f"{name}: {told}" if told else name,
        kind="interface",
        data=dict(data),
    )
    main.shape = Shape("event", None, f"{name} is called", None, answer)
    main.fields = list(_fields(data))
    yield main
    places = data.get("places", {})
    if "description" in places:
        start, end = places["description"]
        text = document.text[start:end]
        for first, last in split(text):
            sentence = text[first:last]
            verdict = judge(sentence, Context(tuple(block.heading_path)))
            if verdict.kind == "functional" and verdict.rule in STATED:
                said = plain(sentence)
                draft = Draft(document, [block], start + first, start + last, f"{name}: {said}", stated=said)
                draft.modality, draft.negated = modality_of(sentence, Context()), is_negated(sentence)
                draft.fields, draft.data = fields_of(sentence), {"operation": name}
                yield draft
    for code, response in data.get("responses", {}).items():
        said = _said(response)
        if code[:1] in "45" and f"responses {code}" in places and _is_telling(said):
            start, end = places[f"responses {code}"]
            draft = Draft(document, [block], start, end, f"{name} answers {code}: {said}", kind="interface")
            draft.shape = Shape("unwanted", None, None, said.rstrip("."), f"{name} answers {code}")
            draft.data = {"operation": name, "status": code}
            yield draft


def _said(response: Any) -> str:
    return (
        re.sub(r"\s+", " ", str(response.get("description") or "")).strip()[:300] if isinstance(response, dict) else ""
    )


def _is_telling(text: str) -> bool:
    """More than the name of the status: `Not found` says nothing that the code does not."""
    return len(text.split()) >= 4 and not all(word.strip(".,").lower() in PHRASES for word in text.split())


def _fields(data: dict[str, Any]) -> Iterator[FieldSpec]:
    for parameter in data.get("parameters", []):
        schema = parameter.get("schema")
        if not isinstance(schema, dict):
            content = parameter.get("content")
            first: Any = next(iter(content.values()), None) if isinstance(content, dict) else None
            schema = first.get("schema") if isinstance(first, dict) else None
        schema = schema if isinstance(schema, dict) else {}
        required = bool(parameter.get("required")) or parameter.get("in") == "path"
        yield spec_of(str(parameter.get("name")), schema, str(parameter.get("in") or "query"), required)
    body = data.get("requestBody")
    content = body.get("content") if isinstance(body, dict) else None
    if isinstance(content, dict) and content:
        media = content.get("application/json") or next(iter(content.values()))
        if isinstance(media, dict):
            yield from schema_fields(media.get("schema"), "body")
