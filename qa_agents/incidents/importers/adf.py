"""Text out of the Atlassian Document Format (the bodies of Jira's REST v3): tolerant, linear, bounded."""

from collections.abc import Mapping
from typing import NamedTuple

MAX_CHARS = 2_000_000
MAX_DEPTH = 150
_LINES = frozenset({"paragraph", "heading", "codeBlock", "rule", "tableRow", "blockCard", "embedCard"})
"""Nodes that end their line; whatever holds them needs no line end of its own."""
_LISTS = frozenset({"bulletList", "taskList", "decisionList"})

Node = Mapping[str, object]


def text_of_body(body: object) -> str:
    """A body as text: wiki markup and plain text as they are, ADF flattened, anything else empty. Line ends are `\\n`.

    Cut at MAX_CHARS; what is nested deeper than MAX_DEPTH is left out.
    """
    if isinstance(body, str):
        return body.replace("\r\n", "\n")
    if not isinstance(body, Mapping):
        return ""
    parts: list[str] = []
    room = MAX_CHARS
    waiting: list[_Waiting] = [_Waiting(body, "\n", 0)]
    while waiting and room > 0:
        item = waiting.pop()
        if isinstance(item.part, str):
            parts.append(item.part[:room])
            room -= len(item.part)
        elif item.depth < MAX_DEPTH:
            waiting.extend(reversed(_opened(item.part, item.line_end, item.depth + 1)))
    return "".join(parts).strip("\n")


class _Waiting(NamedTuple):
    part: str | Node
    line_end: str
    """A line break; a blank inside a table cell, whose paragraphs stay on the row's line."""
    depth: int


def _opened(node: Node, line_end: str, depth: int) -> list[_Waiting]:
    """What a node consists of, in reading order: texts, and nodes still to be opened."""
    kind, children = _word(node.get("type")), node.get("content")
    inner = " " if kind == "tableRow" else line_end
    parts = [_Waiting(_own_text(node, kind), inner, depth)]
    for position, child in enumerate(children if isinstance(children, list) else []):
        if isinstance(child, Mapping):
            parts += [_Waiting(_mark_before(kind, position), inner, depth), _Waiting(child, inner, depth)]
    if kind in _LINES:
        parts.append(_Waiting(line_end, inner, depth))
    return parts


def _mark_before(parent: str, position: int) -> str:
    """What goes before a child: a list item's mark, a cell's border."""
    if parent in _LISTS:
        return "- "
    if parent == "orderedList":
        return f"{position + 1}. "
    return "| " if parent == "tableRow" and position else ""


def _own_text(node: Node, kind: str) -> str:
    attrs = node.get("attrs")
    about = attrs if isinstance(attrs, Mapping) else {}
    if kind == "text":
        return _word(node.get("text")) + _address(node)
    if kind == "hardBreak":
        return "\n"
    if kind == "rule":
        return "---"
    if kind in ("mention", "status", "emoji"):
        return _word(about.get("text")) or _word(about.get("shortName"))
    if kind in ("inlineCard", "blockCard", "embedCard"):
        return _word(about.get("url"))
    if kind in ("expand", "nestedExpand") and about.get("title"):
        return f"{_word(about.get('title'))}\n"
    return ""


def _address(node: Node) -> str:
    """Where a link leads, unless its text says so already."""
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else []:
        attrs = mark.get("attrs") if isinstance(mark, Mapping) and mark.get("type") == "link" else None
        target = _word(attrs.get("href")) if isinstance(attrs, Mapping) else ""
        if target and target != node.get("text"):
            return f" ({target})"
    return ""


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
