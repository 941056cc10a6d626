"""Sections as one HTML file: charts inline, no script, nothing loaded, readable in light, dark and on paper."""

from collections.abc import Callable, Sequence
from html import escape

from qa_agents.checkpoint.markup import Markup, Writer, document, tag
from qa_agents.results.narrate.charts import cause_bars, outcome_bars, trend
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
from qa_agents.results.store import StoredRun
from qa_agents.results.summary import Summary

_LIGHTS = {"red": "#c63d39", "yellow": "#8f6a00", "green": "#2f7a52"}
"""Dark enough for the white sign in them."""
_SIGNS = {"red": "✕", "yellow": "!", "green": "✓"}


def as_html(
    summary: Summary, sections: Sequence[Section], history: Sequence[StoredRun], mask: Callable[[str], str]
) -> str:
    """The page. `history` are the last runs, oldest first, for the trend; `mask` hides secrets in every text."""
    page = _Page(Writer(mask), anchors_of(sections))
    against = f" against {summary.baseline.run_id}" if summary.baseline else ""
    name = page.writer.text(f"{summary.light.capitalize()}: tests of {summary.run.run_id}{against}")
    # The light is a sign and a word as well as a colour.
    sign = (
        f'<span aria-hidden="true" style="display:inline-block;width:1.5em;height:1.5em;border-radius:50%;line-height:1.5em;'
        f'text-align:center;color:#fff;background:{_LIGHTS[summary.light]};print-color-adjust:exact">{_SIGNS[summary.light]}</span>'
    )
    links = "".join(f'<li><a href="#{section.anchor}">{escape(section.title)}</a></li>' for section in sections)
    parts = [
        f"<header><h1>{sign} {name}</h1>",
        f'<nav aria-label="On this page"><ul>{links}</ul></nav></header><main style="overflow-wrap:anywhere">',
    ]
    for at, section in enumerate(sections):
        parts.append(
            f'<section aria-labelledby="{section.anchor}"><h2 id="{section.anchor}">{escape(section.title)}</h2>'
        )
        parts += [page.block(block) for block in section.blocks]
        if not at:
            parts.append(_charts(summary, history))
        parts.append("</section>")
    parts.append("</main>")
    return document(name, Markup("\n".join(parts)))


def _charts(summary: Summary, history: Sequence[StoredRun]) -> str:
    charts = (
        ("Tests by outcome", outcome_bars(summary)),
        (f"Red tests of the last {len(history)} runs", trend(history)),
        ("Tests that each cause explains", cause_bars(summary)),
    )
    return "".join(f'<h3>{escape(title)}</h3><div class="wide">{chart}</div>' for title, chart in charts if chart)


class _Page:
    def __init__(self, writer: Writer, there: set[str]) -> None:
        self.writer, self._there = writer, there

    def block(self, block: Block) -> str:
        match block:
            case Paragraph(line):
                return tag("p", self.line(line))
            case Heading(line, anchor):
                place = f' id="{anchor}"' if anchor else ""
                return f"<h3{place}>{self.line(line)}</h3>"
            case Bullets(items, more):
                rows = [*(self.line(item) for item in items), *([Markup(f"… {more:,} more")] if more else [])]
                return self.writer.items(rows)
            case Verbatim(title, text):
                is_open = " open" if title.startswith("To run") else ""
                shown = tag("pre", self.writer.text(text))
                return f"<details{is_open}><summary>{escape(title)}</summary>{shown}</details>"
            case Table():
                return self._table(block)

    def line(self, line: Line) -> Markup:
        return Markup("".join(self._span(span) for span in line))

    def _span(self, span: Span) -> str:
        if isinstance(span, Number):
            return f'<a href="#{source_anchor(span.figure)}">{escape(span.text)}</a>'
        if isinstance(span, Link):
            text = self.writer.text(span.text)
            return f'<a href="#{span.anchor}">{text}</a>' if span.anchor in self._there else text
        if isinstance(span, Code):
            return tag("code", self.writer.text(" ".join(span.text.split())))
        return self.writer.text(span)

    def _table(self, table: Table) -> str:
        rows = []
        for at, row in enumerate(table.rows):
            cells: list[object] = [self.line(cell) for cell in row]
            if table.anchors:
                cells[0] = Markup(f'<span id="{table.anchors[at]}">{cells[0]}</span>')
            rows.append(cells)
        return self.writer.table(table.caption, table.head, rows)
