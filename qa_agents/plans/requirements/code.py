"""Code blocks: examples that the author marked as valid or not, JSON that shows a structure, and JSON Schema."""

import json
import re
from typing import Any

from qa_agents.plans.schema import Block, FieldSpec

INVALID = re.compile(
    r"\b(?:INVALID|NOT VALID|WRONG|DO NOT|DON'T DO|WILL NOT WORK|NOT ALLOWED|ILLEGAL|BAD|ERROR|"
    r"FAILS|REJECTED)\b|[Ii]nvalid\b|❌|✗"
)
VALID = re.compile(r"\b(?:VALID|OK|GOOD|RECOMMENDED|CORRECT|ACCEPTED|WORKS)\b|\bvalid\b|\bthis is ok\b|✅|✓")
COMMENT = re.compile(r"(?:^|\s)(?P<mark>#|//|--|;|<!--|/\*)\s?(?P<text>[^\n]{0,300})")
COMMENTED = re.compile(r"\s*(?:#|//|--|;)\s?(?=\S)")
PROGRAMS = frozenset(
    [
        "",
        "sh",
        "bash",
        "console",
        "shell",
        "text",
        "txt",
        "plain",
        "none",
        "tree",
        "diff",
        "dockerfile",
        "makefile",
        "powershell",
        "bat",
        "html",
    ]
)
MEANS = re.compile(
    r"\s*(?P<sign>\\\S{1,20}|&\w{1,20};|%\w{1,3})\s+(?:-|–|=|:)\s+"
    r"(?P<meaning>[^()\n]{2,60}?)\s*\((?P<code>[^()\n]{1,20})\)\s*\Z"
)
FEWEST_ROWS = 3
MOST_EXAMPLES = 40
MOST_CHARS = 600
MOST_FIELDS = 60
SHOWS_RESULT = re.compile(
    r"\b(?:outputs?|results?|renders?|rendered|produces?|produced|becomes?|yields?|generates?|generated|expands? to"
    r"|(?:gives?|prints?|returns?)(?: you)?|turns? into|translates? (?:in)?to|is converted to)\b[^.]{0,80}:?\s*\Z",
    re.IGNORECASE,
)
"""Leads the result of the example before it in."""
SHOWS_STRUCTURE = re.compile(
    r"\b(?:request|response|returned?|returns|payload|body|format|structure|schema|object|json|errors?)\b",
    re.IGNORECASE,
)


def marked_examples(block: Block) -> list[dict[str, Any]]:
    """`{"text", "valid", "note"}` of what the comments in a block mark as valid or invalid; [] when nothing is marked."""
    lines = block.text.split("\n")
    opening: list[str] = []
    rest = 0
    for line in lines:
        if not line.strip():
            rest += 1
            if opening:
                break
        elif COMMENT.match(line.strip()) and not COMMENT.match(line.strip()).group("text").count("="):  # type: ignore[union-attr]
            opening.append(line)
            rest += 1
        else:
            break
    heading = " ".join(opening)
    if opening and (INVALID.search(heading) or VALID.search(heading)) and "".join(lines[rest:]).strip():
        note = COMMENT.sub(lambda match: f" {match.group('text')}", heading).strip()
        body = "\n".join(lines[rest:]).strip("\n")
        return [{"text": body[:MOST_CHARS], "valid": not INVALID.search(heading), "note": note[:200]}]
    found: list[dict[str, Any]] = []
    for line in lines:
        comments = list(COMMENT.finditer(line))
        if not comments:
            continue
        last = comments[-1]
        note = last.group("text").strip()
        body = line[: last.start()].strip()
        body = COMMENTED.sub("", body, count=1) if COMMENTED.match(body) else body
        invalid = INVALID.search(note)
        complete = not line[:1].isspace()  # a line that leans on the one before is no example by itself
        if body and complete and (invalid or VALID.search(note)):
            found.append({"text": body[:MOST_CHARS], "valid": not invalid, "note": note[:200]})
    return found[:MOST_EXAMPLES]


def escape_rows(block: Block) -> list[tuple[int, int, str]]:
    """(start, end, sentence) of the lines `\\b - backspace (U+0008)` of a block that is nothing else; else [].

    Offsets are into the block's text. A sign, a dash and what it stands for: a table in all but its lines.
    """
    lines = [(match.start(), match.end(), MEANS.match(match.group())) for match in re.finditer(r"[^\n]+", block.text)]
    if len(lines) < FEWEST_ROWS or not all(row for _, _, row in lines):
        return []
    return [
        (start, end, f"`{row['sign']}` stands for {row['meaning'].strip()} ({row['code']})")
        for start, end, row in lines
        if row
    ]


def plain_example(block: Block) -> dict[str, Any] | None:
    """A block in the notation that the text is about, not marked: what the author shows is meant to be valid."""
    language = str(block.data.get("language", "")).lower()
    if language in PROGRAMS or language in ("json", "data") or len(block.text) > MOST_CHARS:
        return None
    return {"text": block.text.strip("\n"), "valid": True, "note": "shown without a mark"}


def structure(block: Block) -> tuple[str, list[FieldSpec]] | None:
    """(`schema` or `example`, fields) of a block of JSON; None for anything else."""
    text = block.text.strip()
    if text[:1] not in ("{", "[") or len(text) > 50_000 or max_depth(text) > 60:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict | list):
        return None
    if (
        isinstance(value, dict)
        and isinstance(value.get("properties"), dict)
        and ("type" in value or "$schema" in value)
    ):
        return "schema", schema_fields(value, "body")
    fields: list[FieldSpec] = []
    _example_fields(value, "", fields)
    return ("example", fields) if fields else None


def max_depth(text: str) -> int:
    """Deepest nesting of brackets, counted, for the JSON parser recurses."""
    depth = deepest = 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', text):
        if match.group() in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match.group() in "]}":
            depth -= 1
    return deepest


def _example_fields(value: Any, path: str, fields: list[FieldSpec]) -> None:
    if len(fields) >= MOST_FIELDS:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            _example_fields(item, f"{path}.{key}" if path else str(key), fields)
    elif isinstance(value, list):
        if value:
            _example_fields(value[0], f"{path}[]", fields)
    elif path:
        kinds: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
        fields.append(FieldSpec(name=path, type=kinds.get(type(value)), place="body"))


def schema_fields(
    schema: Any, place: str, path: str = "", required: bool | None = None, depth: int = 0
) -> list[FieldSpec]:
    """Fields of a JSON Schema with their limits, nested names joined with points; bounded in number and depth."""
    if not isinstance(schema, dict) or depth > 8:
        return []
    merged = _merged(schema)
    fields: list[FieldSpec] = []
    properties = merged.get("properties")
    if isinstance(properties, dict):
        needed = _names(merged.get("required"))
        for name, part in list(properties.items())[:MOST_FIELDS]:
            fields += schema_fields(part, place, f"{path}.{name}" if path else str(name), name in needed, depth + 1)
        return fields[:MOST_FIELDS]
    if isinstance(merged.get("items"), dict) and isinstance(merged["items"].get("properties"), dict):
        return schema_fields(merged["items"], place, f"{path}[]", None, depth + 1)
    return [spec_of(path, merged, place, required)] if path else []


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the parts of its `allOf` laid over one another."""
    parts = schema.get("allOf")
    merged = dict(schema)
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            both = [one.get("properties") for one in (merged, part)]
            needed = [*_names(merged.get("required")), *_names(part.get("required"))]
            merged = {**part, **merged, "required": list(dict.fromkeys(needed))}
            properties = {name: item for one in both if isinstance(one, dict) for name, item in one.items()}
            if properties:
                merged["properties"] = properties
    return merged


def _names(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def spec_of(name: str, schema: dict[str, Any], place: str, required: bool | None) -> FieldSpec:
    """One FieldSpec for a schema without properties of its own; understands 3.0's boolean and 3.1's numeric exclusive bounds."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), None)
    form = schema.get("format")
    formats = {
        "email": "email",
        "uri": "url",
        "url": "url",
        "date": "date",
        "date-time": "datetime",
        "uuid": "uuid",
        "binary": "file",
        "password": "string",
    }
    low, low_in = _bound(schema, "minimum", "exclusiveMinimum")
    high, high_in = _bound(schema, "maximum", "exclusiveMaximum")
    of_list = kind == "array"
    return FieldSpec(
        name=name,
        type=formats.get(str(form), str(kind) if kind else None),
        unit=str(form) if form and str(form) not in formats else None,
        minimum=low,
        maximum=high,
        minimum_inclusive=low_in,
        maximum_inclusive=high_in,
        min_length=_whole(schema.get("minItems" if of_list else "minLength")),
        max_length=_whole(schema.get("maxItems" if of_list else "maxLength")),
        enum=[str(item) for item in schema["enum"]][:100] if isinstance(schema.get("enum"), list) else [],
        pattern=str(schema["pattern"])[:500] if isinstance(schema.get("pattern"), str) else None,
        required=required,
        default=json.dumps(schema["default"])
        if schema.get("default") is not None and not isinstance(schema["default"], str)
        else schema.get("default"),
        place=place,
    )


def _bound(schema: dict[str, Any], plain: str, exclusive: str) -> tuple[float | None, bool]:
    value, strict = schema.get(plain), schema.get(exclusive)
    if isinstance(strict, int | float) and not isinstance(strict, bool):
        return float(strict), False
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value), strict is not True
    return None, True


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
