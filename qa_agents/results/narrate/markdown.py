"""Sections as Markdown. Whatever comes from results is a code span or escaped, so that it cannot become a link, image or HTML."""

from collections.abc import Sequence

from qa_agents.results.narrate.story import (
    Block,
    Bullets,
    Code,
    Heading,
    Line,
    Link,
    Number,
    Paragraph,
    Section,
    Span,
    Table,
    Verbatim,
    anchors_of,
    source_anchor,
)
from qa_agents.results.report_formats.job_summary import LIGHTS, code, plain
from qa_agents.results.summary import Summary

_CODE, _TEXT, _TRACE = 300, 1_000, 4_000


def as_markdown(summary: Summary, sections: Sequence[Section]) -> str:
    """A page of these sections, with the run and its light on top."""
    against = f" against {code(summary.baseline.run_id)}" if summary.baseline else ""
    parts = [f"# {LIGHTS[summary.light]} Tests of {code(summary.run.run_id)}{against}"]
    there = anchors_of(sections)
    for section in sections:
        parts.append(f'## <a id="{section.anchor}"></a>{section.title}')
        parts += [_block(block, there) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, there: set[str]) -> str:
    match block:
        case Paragraph(line):
            return _line(line, there)
        case Heading(line, anchor):
            return f"### {_anchored(anchor)}{_line(line, there)}"
        case Bullets(items, more):
            rows = [f"- {_line(item, there)}" for item in items] + ([f"- … {more:,} more"] if more else [])
            return "\n".join(rows)
        case Verbatim(title, text):
            return f"{title}:\n\n{_fenced(text)}"
        case Table():
            return _table(block, there)


def _table(table: Table, there: set[str]) -> str:
    rows = [f"| {' | '.join(table.head)} |", f"|{' --- |' * len(table.head)}"]
    for at, row in enumerate(table.rows):
        anchor = _anchored(table.anchors[at]) if table.anchors else ""
        rows.append(f"| {anchor}{' | '.join(_cell(cell, there) for cell in row)} |")
    return f"**{table.caption}**\n\n" + "\n".join(rows)


def _cell(cell: Line, there: set[str]) -> str:
    """A line within a table: a bar in a code span would end the cell; in plain text it is escaped already."""
    return "".join(
        _span(span, there).replace("|", "\\|") if isinstance(span, Code) else _span(span, there) for span in cell
    )


def _anchored(anchor: str) -> str:
    return f'<a id="{anchor}"></a>' if anchor else ""


def _line(line: Line, there: set[str]) -> str:
    return "".join(_span(span, there) for span in line)


def _span(span: Span, there: set[str]) -> str:
    if isinstance(span, Link):
        return f"[{plain(span.text)}](#{span.anchor})" if span.anchor in there else plain(span.text)
    if isinstance(span, Number):
        return f"[{span.text}](#{source_anchor(span.figure)})"
    if isinstance(span, Code):
        return code(span.text, _CODE)
    lead, trail = span[: len(span) - len(span.lstrip())], span[len(span.rstrip()) :]
    return f"{' ' if lead else ''}{plain(span, _TEXT)}{' ' if trail and span.strip() else ''}"


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text[:_TRACE].rstrip()}\n{fence}"
