"""Reading what Jira answers without trusting its shape: every step into it may find nothing."""

from collections.abc import Mapping, Sequence

Json = object
"""What a parsed JSON document holds: told apart by the functions below, never assumed."""


def at(value: Json, *path: str) -> Json:
    """What stands under the keys, one after the other; None where one is missing or nothing can be opened."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text(value: Json, *path: str) -> str | None:
    """The text under the keys; a number as its digits; None for everything else and for an empty text."""
    found = at(value, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, int):
        return str(found)
    return found if isinstance(found, str) and found else None


def items(value: Json, *path: str) -> Sequence[Json]:
    """The list under the keys; empty when there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else ()


def table(value: Json, *path: str) -> Mapping[str, Json]:
    """The object under the keys; empty when there is none."""
    found = at(value, *path)
    return {str(key): held for key, held in found.items()} if isinstance(found, Mapping) else {}


def whole(value: Json, *path: str) -> int | None:
    """The whole number under the keys, or None."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
