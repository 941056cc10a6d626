"""What a text file is, judged by its first bytes."""

import json
from typing import Literal

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.importers.source import Source, require_text
from qa_agents.incidents.importers.values import holds_issues

Layout = Literal["lines", "objects", "issues", "table"]
"""JSON object per line; JSON array or spread-out objects; objects with an array `issues`; text with a header."""

_MARKUP = (b"<?xml", b"<!doctype", b"<html", b"<rss")
_LOOKED_AT = 20


def layout_of(source: Source) -> Layout:
    """How the records lie in this file. One broken record at its start does not mislead.

    Raises InvalidInputError for what is no text at all, and for XML and HTML.
    """
    require_text(source)
    head = source.head.lstrip()
    if head[:9].lower().startswith(_MARKUP):
        raise InvalidInputError(
            f"{source.name} is XML or HTML.", hint="Export the issues as JSON or CSV; Jira offers both."
        )
    lines = head.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]
    if not head.startswith((b"{", b"[")):
        return "lines" if any(map(_object_in, lines)) else "table"
    first = _object_in(lines[0])
    if holds_issues(head) and not (first and "id" in first):
        return "issues"
    if head.startswith(b"["):
        return "objects"
    opens_next = len(lines) == 1 or lines[1].lstrip().startswith(b"{")
    return "lines" if first is not None or opens_next else "objects"


def _object_in(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line) if line.lstrip().startswith(b"{") else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
