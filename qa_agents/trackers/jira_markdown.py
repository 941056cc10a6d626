"""Jira's wiki markup and document format as Markdown: headings, lists, tables and code keep their shape. Linear, tolerant.

After the text formatting notation of Jira (Data Center, and version 2 of Cloud's REST) and the Atlassian document format.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import count

from qa_agents.trackers.jira_json import Json, items, table, text
from qa_agents.trackers.jira_text import MAX_CHARS, MAX_DEPTH, plain

_HEADING = re.compile(r"[ \t]*h([1-6])\.[ \t]*(?=\S)")
_ITEM = re.compile(r"[ \t]*(?P<marks>[*#-]{1,6})[ \t]+(?=\S)")
_CODE = re.compile(r"[ \t]*\{(?:code|noformat)(?::[^{}\n]{0,200})?\}[ \t]*")
_ROW = re.compile(r"[ \t]*\|{1,2}")
_CELL = re.compile(r"\|{1,2}")
_MONOSPACE = re.compile(r"\{\{([^{}\n`]{1,300})\}\}")
_STRONG = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{1,300})(?<=[^\s*])\*(?![\w*])")
_LINKED = re.compile(r"\[[^\[\]\n|]{1,500}\|[^\[\]\n]{1,2000}\]")


def markdown_of(body: Json) -> str:
    """A body as Markdown, at most MAX_CHARS: wiki markup or an Atlassian document; anything else is empty."""
    if isinstance(body, str):
        return _of_wiki(body[:MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n"))[:MAX_CHARS]
    return _of_document(body)[:MAX_CHARS] if isinstance(body, Mapping) else ""


def _of_wiki(wiki: str) -> str:
    told: list[str] = []
    in_code = False
    in_table = False
    for line in wiki.split("\n"):
        parts = _CODE.split(line) if "{" in line else [line]
        if len(parts) == 3 and not in_code and parts[1].strip():  # opened and closed on one line
            told.append(f"{_inline(parts[0])}`{parts[1].replace('`', '')}`{_inline(parts[2])}")
            continue
        for place, part in enumerate(parts):
            if place:
                in_code = not in_code
                told += ["```"] if not in_code else ["", "```"]
            if part or len(parts) == 1:
                row = _ROW.match(part) is not None and not in_code and part.count("|") > 1
                told += [part] if in_code else _line(part, in_table and row, row)
                in_table = row
    return "\n".join([*told, "```"] if in_code else told)


def _line(line: str, goes_on: bool, is_row: bool) -> list[str]:
    if heading := _HEADING.match(line):
        return ["", f"{'#' * int(heading.group(1))} {_inline(line[heading.end() :])}", ""]
    if is_row:
        return _row(line, goes_on)
    if item := _ITEM.match(line):
        indent = "    " * (len(item["marks"]) - 1)
        return [f"{indent}{'1.' if item['marks'][-1] == '#' else '-'} {_inline(line[item.end() :])}"]
    return [_inline(line)]


def _row(line: str, goes_on: bool) -> list[str]:
    """A row of a table; columns stay without a name where the first row is no header."""
    kept = _LINKED.sub(lambda link: plain(link.group()), line.strip())
    cells = [_inline(cell.strip()) for cell in _CELL.split(kept)][1:]
    if cells and not cells[-1]:
        cells.pop()
    if goes_on:
        return [_cells(cells)]
    return (
        ["", *_table_head(cells)]
        if line.lstrip().startswith("||")
        else ["", *_table_head([""] * len(cells)), _cells(cells)]
    )


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table_head(names: Sequence[str]) -> list[str]:
    return [_cells(names), f"|{' --- |' * len(names)}"]


def _inline(words: str) -> str:
    words = _MONOSPACE.sub(r"`\1`", words)
    words = _STRONG.sub(r"**\1**", words)
    shown = plain(words)
    return f"\\{shown}" if shown.lstrip().startswith("#") else shown


def _of_document(document: Json) -> str:
    """Atlassian's document format, block by block, without recursion deeper than MAX_DEPTH."""
    told: list[str] = []
    _blocks(document, told, "", 0)
    return "\n".join(told).strip("\n")


def _blocks(node: Json, told: list[str], indent: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        return
    for child in items(node, "content"):
        kind = text(child, "type")
        if kind == "heading":
            level = text(child, "attrs", "level") or "2"
            told += ["", f"{'#' * int(level if level in '123456' else 2)} {_words(child)}", ""]
        elif kind in ("bulletList", "orderedList", "taskList"):
            _list(child, told, indent, depth, numbered=kind == "orderedList")
        elif kind == "codeBlock":
            told += ["", "```", *plain(child).split("\n"), "```", ""]
        elif kind == "table":
            rows = [
                [_words(cell).replace("|", "\\|") for cell in items(row, "content")] for row in items(child, "content")
            ]
            told += ["", *_table_head(rows[0]), *map(_cells, rows[1:]), ""] if rows else []
        elif kind == "paragraph":
            told += [f"{indent}{_words(child)}", ""]
        else:
            _blocks(child, told, indent, depth + 1)


def _list(node: Json, told: list[str], indent: str, depth: int, *, numbered: bool) -> None:
    numbers = count(1)
    for item in items(node, "content"):
        mark = f"{next(numbers)}." if numbered else "-"
        inner: list[str] = []
        if text(item, "type") == "taskItem":
            inner.append(_words(item))
        else:
            _blocks(item, inner, "", depth + 1)
        lines = [line for line in inner if line.strip()]
        told += [f"{indent}{mark} {line}" if not place else f"{indent}    {line}" for place, line in enumerate(lines)]
    if not indent:
        told.append("")


def _words(node: Json) -> str:
    """The text of one block, on one line, code in backticks."""
    found: list[str] = []
    waiting: list[tuple[Json, int]] = [(node, 0)]
    while waiting:
        part, depth = waiting.pop()
        own = text(part, "text") or text(part, "attrs", "text") or text(part, "attrs", "url")
        if own and text(part, "type") != "heading":
            code = any(text(mark, "type") == "code" for mark in items(part, "marks"))
            found.append(f"`{own}`" if code and "`" not in own else own)
        elif text(part, "type") == "hardBreak":
            found.append(" ")
        if depth < MAX_DEPTH and table(part):
            waiting.extend((child, depth + 1) for child in reversed(items(part, "content")))
    return " ".join("".join(found).split())
