"""What is told of a run, before it is Markdown or HTML: sections of lines in which every number knows its source. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qa_agents.plurals import plural
from qa_agents.results.summary import Figure, Summary


class Number(NamedTuple):
    """A number as it is written, and the name of the figure it is."""

    text: str
    figure: str


class Code(NamedTuple):
    """Something out of the results: a test's name, a message, a command. It is never markup."""

    text: str


class Link(NamedTuple):
    """Words that lead to another part of the page, where that part is on it."""

    text: str
    anchor: str


Span = str | Number | Code | Link
Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph."""

    line: Line


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; `more` are left out and counted."""

    items: tuple[Line, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table with named columns, the first of which names the row. `anchors` gives rows a place to link to."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    anchors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that is shown as it is; `title` says what it is. Folded away where the page can fold."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section, and the place it gives to link to."""

    line: Line
    anchor: str = ""


Block = Paragraph | Bullets | Table | Verbatim | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page with a heading of its own."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]


def cause_anchor(cause_id: str) -> str:
    """Where a cause is told."""
    return f"cause-{cause_id}"


def anchors_of(sections: Sequence[Section]) -> set[str]:
    """Every place on a page of these sections that can be linked to."""
    found = {section.anchor for section in sections}
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Heading) and block.anchor:
                found.add(block.anchor)
            elif isinstance(block, Table):
                found.update(block.anchors)
    return found


def source_anchor(figure: str) -> str:
    """Where the source of a figure is told."""
    return f"source-{figure.replace('_', '-')}"


def shown(figure: Figure, value: float | None = None) -> str:
    """A figure's value as people write it: whole numbers with thousands' commas, percentages with one digit."""
    number = figure.value if value is None else value
    return f"{number:.1f} %" if figure.unit == "%" else f"{number:,.0f}"


def linked(summary: Summary, name: str) -> Number:
    """The figure's number, linked to its source. Raises KeyError where the summary does not have it."""
    figure = summary.figure(name)
    if figure is None:
        raise KeyError(name)
    return Number(shown(figure), name)


def count(summary: Summary, name: str) -> int:
    """The figure's value as a whole number; 0 where the summary does not have it."""
    figure = summary.figure(name)
    return int(figure.value) if figure else 0


def many(summary: Summary, name: str, one: str, more: str = "") -> Line:
    """A figure with its noun: `1 test`, `1,204 tests`; the number is linked."""
    return linked(summary, name), f" {plural(count(summary, name), one, more)}"


def be(number: int) -> str:
    """is or are."""
    return "is" if number == 1 else "are"


def joined(lines: Sequence[Line], last: str = " and ") -> Line:
    """Lines put together as a person lists them: a, b and c."""
    spans: list[Span] = []
    for at, line in enumerate(lines):
        if at:
            spans.append(last if at == len(lines) - 1 else ", ")
        spans += line
    return tuple(spans)


def text_of(line: Line) -> str:
    """The line without links and marks."""
    return "".join(span if isinstance(span, str) else span.text for span in line)


def sources(summary: Summary) -> Section:
    """Every figure with its value, the baseline's, and what was counted: what the numbers elsewhere link to."""
    told = [one for one in summary.figures if one.value or one.before]
    rows = tuple(
        (
            (one.label,),
            (shown(one),),
            (shown(one, one.before) if one.before is not None else "–",),
            (one.source,),
        )
        for one in told
    )
    anchors = tuple(source_anchor(one.name) for one in told)
    table = Table("Every number, and what was counted", ("number", "this run", "baseline", "source"), rows, anchors)
    return Section("Where the numbers come from", "sources", (table,))
