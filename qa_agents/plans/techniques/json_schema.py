"""What a JSON schema of an API description says about values: samples that fit, places inside, values that do not fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_PLACES, DEPTH = 60, 5
_BY_FORMAT = {
    "email": "kim.lee@example.com",
    "uri": "https://example.com/a",
    "url": "https://example.com/a",
    "date": "2027-06-30",
    "date-time": "2027-06-30T12:00:00Z",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "password": "a sample pass phrase 1",
    "ipv4": "192.0.2.1",
    "time": "12:00:00Z",
    "hostname": "example.com",
    "byte": "c2FtcGxl",
}
_BY_NAME = {
    "email": "kim.lee@example.com",
    "password": "a sample pass phrase 1",
    "url": "https://example.com/a",
    "image": "https://example.com/a.png",
}
WRONG = {"string": 12345, "integer": "abc", "number": "abc", "boolean": "maybe", "array": "abc", "object": "abc"}
"""A value of another type, by type."""


@dataclass(frozen=True, slots=True)
class Place:
    """One property somewhere inside a body."""

    path: tuple[str, ...]
    schema: Mapping[str, Any]
    required: bool

    @property
    def pointer(self) -> str:
        """`/user/email`"""
        return "/" + "/".join(self.path)

    @property
    def name(self) -> str:
        """`user.email`"""
        return ".".join(self.path)


def merged(schema: Any) -> Mapping[str, Any]:
    """The schema with `allOf` folded in and the first of `oneOf` or `anyOf` taken; {} for anything that is no schema."""
    if not isinstance(schema, Mapping):
        return {}
    if "allOf" not in schema and "oneOf" not in schema and "anyOf" not in schema:
        return schema
    result: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("allOf", "oneOf", "anyOf")}
    parts = [part for part in schema.get("allOf") or [] if isinstance(part, Mapping)]
    for key in ("oneOf", "anyOf"):
        options = [o for o in schema.get(key) or [] if isinstance(o, Mapping) and o.get("type") != "null"]
        parts += options[:1]
    for part in map(merged, parts[:20]):
        result["properties"] = {**(result.get("properties") or {}), **(part.get("properties") or {})}
        result["required"] = list(dict.fromkeys([*(result.get("required") or []), *(part.get("required") or [])]))
        result = {**part, **{key: value for key, value in result.items() if value}}
    return result


def type_of(schema: Mapping[str, Any]) -> str:
    """The schema's type; of several the first that is not null; told from its keywords where it is not named."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def nullable(schema: Mapping[str, Any]) -> bool:
    """Whether null is a value of it, in the words of 3.0 or 3.1."""
    kinds = schema.get("type")
    return bool(schema.get("nullable")) or (isinstance(kinds, list) and "null" in kinds)


def sample(schema: Any, name: str = "", *, full: bool = False, depth: int = 0) -> Any:
    """A value that fits; with `full`, optional properties too. The same value for the same schema."""
    schema = merged(schema)
    for key in ("const", "example", "default"):
        if key in schema and not isinstance(schema[key], Mapping):
            return schema[key]
    if isinstance(schema.get("examples"), list) and schema["examples"]:
        return schema["examples"][0]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    kind = type_of(schema)
    if kind == "object":
        if depth > DEPTH:
            return {}
        required = schema.get("required") or []
        return {
            str(key): sample(value, str(key), full=full, depth=depth + 1)
            for key, value in (schema.get("properties") or {}).items()
            if (full or key in required) and not merged(value).get("readOnly")
        }
    if kind == "array":
        least = int(schema.get("minItems") or (1 if full else 0))
        return (
            [sample(schema.get("items"), name, full=full, depth=depth + 1) for _ in range(min(least, 20))]
            if depth <= DEPTH
            else []
        )
    if kind in ("integer", "number"):
        return _number(schema, kind)
    if kind == "boolean":
        return True
    return text_of_length(schema, name, None)


def _number(schema: Mapping[str, Any], kind: str) -> int | float:
    low, high = limits(schema)
    step = 1 if kind == "integer" else 0.5
    value = low if low is not None else high if high is not None and high < 1 else 1
    if low is not None and excluded(schema, "minimum"):
        value = low + step
    return int(value) if float(value).is_integer() else value


def limits(schema: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Minimum and maximum, whether inclusive or not."""
    found: list[float | None] = []
    for key, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        value = schema.get(key)
        if not _is_number(value):
            value = schema.get(strict)
        found.append(value if _is_number(value) else None)
    return found[0], found[1]


def excluded(schema: Mapping[str, Any], side: str) -> bool:
    """Whether the limit itself is no value; `true` beside it (3.0) or the limit under that name (3.1)."""
    strict = schema.get(f"exclusive{side.capitalize()}")
    return strict is True or (_is_number(strict) and not _is_number(schema.get(side)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_of_length(schema: Mapping[str, Any], name: str, length: int | None) -> str:
    """A text that fits; of exactly `length` characters when that is given."""
    base = _BY_FORMAT.get(str(schema.get("format")), _BY_NAME.get(name.lower(), f"sample {name}".strip()))
    low, high = schema.get("minLength"), schema.get("maxLength")
    if length is None:
        length = len(base)
        length = max(length, low) if isinstance(low, int) else length
        length = min(length, high) if isinstance(high, int) else length
    return base[:length] if len(base) >= length else base + "x" * (length - len(base))


def places(schema: Any) -> list[Place]:
    """The properties inside a body schema, outermost first, at most MOST_PLACES; elements of arrays are not entered."""
    found: list[Place] = []
    _walk(merged(schema), (), True, found)
    return found[:MOST_PLACES]


def _walk(schema: Mapping[str, Any], path: tuple[str, ...], required: bool, found: list[Place]) -> None:
    if path:
        found.append(Place(path, schema, required))
    if type_of(schema) != "object" or len(path) >= DEPTH or len(found) > MOST_PLACES:
        return
    needed = schema.get("required") or []
    for name, value in (schema.get("properties") or {}).items():
        inner = merged(value)
        if not inner.get("readOnly"):
            _walk(inner, (*path, str(name)), required and name in needed, found)


def leaves(schema: Any, prefix: str = "") -> Iterator[str]:
    """The names of what a response holds, `user.email`, required or not; `[]` stands for any element of a list."""
    schema = merged(schema)
    if type_of(schema) == "array":
        yield from leaves(schema.get("items"), f"{prefix}[]")
        return
    properties = schema.get("properties")
    if not properties or prefix.count(".") > DEPTH:
        if prefix:
            yield prefix
        return
    for name, value in properties.items():
        yield from leaves(value, f"{prefix}.{name}" if prefix else str(name))
