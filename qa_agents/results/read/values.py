"""Values out of JSON that may be anything: what is not of the expected kind is as if it were not there."""

from collections.abc import Iterator
from typing import Any

from qa_agents.results.read.reading import number_of, whole_of

CUT = "\ue000the text ends in here\ue000"
"""Key of an object that was closed only because the text ended inside it."""


def fields(value: Any) -> dict[str, Any]:
    """An object's members; none for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list's items; none for anything else."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """The objects in a list; none for anything else."""
    return (item for item in items(value) if isinstance(item, dict))


def text(value: Any) -> str:
    """A text or number as text; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def word(value: Any) -> str:
    """A status word: lower case, without blanks, dashes and underscores."""
    return "".join(c for c in text(value).lower() if c not in " -_")


def number(value: Any) -> float | None:
    """A finite number that is none below zero; None for anything else."""
    found = number_of(value)
    return found if found is not None and found >= 0 else None


def scaled(value: Any, unit: float) -> float | None:
    """A duration given in `unit` seconds, in seconds."""
    found = number(value)
    return None if found is None else found * unit


def whole(value: Any) -> int | None:
    """A whole number; None for anything else."""
    return whole_of(value)


def is_cut(value: Any) -> bool:
    """Whether the text ended inside this object."""
    return isinstance(value, dict) and CUT in value
