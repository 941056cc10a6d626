"""JSON as strictly as a memory needs it: what cannot be stored, or would be read differently elsewhere, is refused."""

import json
import math
import re
from collections import Counter

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MAX_DEPTH = 200
_MAX_WHOLE = 2**63


class RowError(Exception):
    """Why one record cannot be used, as a clause that follows `line 7:`."""


def parse_object(raw: bytes, line: int) -> dict[str, object]:
    """The JSON object in `raw`, which starts on `line` (named in messages about encoding only).

    Raises RowError for anything else: no UTF-8, no JSON, no object, a key twice, NaN or an infinity, a whole number
    beyond 64 bits, half a surrogate pair, nesting beyond 200 levels. NUL becomes U+FFFD: PostgreSQL cannot hold it.
    """
    text = decode(raw, line)
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise RowError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise RowError(f"is not JSON ({error.msg}, at character {error.pos + 1})") from None
    if not isinstance(value, dict):
        raise RowError(f"is {_kind(value)} where a JSON object is expected")
    if text.count("{") + text.count("[") > _MAX_DEPTH and _is_deeper(value, _MAX_DEPTH):
        raise RowError("is nested too deeply")
    if _SURROGATE.search(text):
        _refuse_half_characters(value)
    return {str(_without_nul(name)): _without_nul(item) for name, item in value.items()} if "\\u0000" in text else value


def decode(raw: bytes, line: int) -> str:
    """`raw` as UTF-8 text. Raises RowError naming the first byte that is not."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        where = f"byte 0x{raw[error.start]:02x} at {error.start + 1}"
        raise RowError(f"line {line} is not UTF-8 ({where})") from None


def _is_deeper(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for node in level if isinstance(node, dict | list) for child in _children(node)]
    return bool(level)


def _children(node: dict[str, object] | list[object]) -> list[object]:
    return list(node.values()) if isinstance(node, dict) else node


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise RowError(f"has the key {_quoted(twice)} twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -_MAX_WHOLE <= int(digits) < _MAX_WHOLE:
        raise RowError(f"has a number of {len(digits)} digits; put it in quotes")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise RowError("has a number too large to keep; put it in quotes")
    return number


def _refuse_constant(name: str) -> float:
    raise RowError(f"has {name} for a number, which JSON does not know")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_whole, parse_float=_finite, parse_constant=_refuse_constant
)


def _refuse_half_characters(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RowError("holds half of a character (a lone surrogate)") from None


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {str(_without_nul(name)): _without_nul(item) for name, item in value.items()}
    return value


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _quoted(text: str) -> str:
    return json.dumps(text[:60])
