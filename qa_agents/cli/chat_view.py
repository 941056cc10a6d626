"""A reply of the chat on the terminal: everything that was not written by this program is escaped and cut here."""

from typing import TYPE_CHECKING

from rich.markup import escape

from qa_agents.cli.common import console
from qa_agents.cli.text import one_line, printable

if TYPE_CHECKING:
    from qa_agents.assistant.schema import Reply, Shown

TEXT_CHARS = 1_200
POINT_CHARS = 240
LINE_CHARS = 150


def show_reply(reply: "Reply", *, streamed: bool = False) -> None:
    """Print a reply; with `streamed` its text stands on the screen already, token by token."""
    out = console()
    if not streamed:
        out.print(escape(printable(reply.text, limit=TEXT_CHARS)))
    for point in reply.points:
        ref = f" [dim]({_safe(point.ref, 60)})[/dim]" if point.ref and point.ref not in point.text else ""
        out.print(f"  · {_safe(point.text, POINT_CHARS)}{ref}")
    for number, (item, line) in enumerate(reply.listed, start=1):
        out.print(f"  {number}. [bold]{_safe(item.id, 60)}[/bold]  {_safe(line, LINE_CHARS)}")
    if reply.review is not None:
        _show_review(reply.review)
    for text in reply.notes:
        out.print(f"  [dim]{_safe(text, POINT_CHARS)}[/dim]")
    if reply.next:
        out.print(f"  [dim]→ {_safe('  ·  '.join(reply.next), 400)}[/dim]")


def _show_review(review: "Shown") -> None:
    out = console()
    out.print(f"  [bold]{_safe(review.review_id, 20)}[/bold] waits for a person: {_safe(review.summary, LINE_CHARS)}")
    for line in review.would_write[:12]:
        out.print(f"    would write: {_safe(line, LINE_CHARS)}")
    if len(review.would_write) > 12:
        out.print(f"    … and {len(review.would_write) - 12} more")
    for reason in review.because[:6]:
        rule, _, sentence = reason.partition(": ")
        out.print(f"    why: {_safe(sentence or rule, POINT_CHARS)}")
    for number, question in enumerate(review.questions, start=1):
        out.print(f"    {number}. {_safe(question.get('text'), 300)}")
        if question.get("options"):
            out.print(f"       possible: {_safe('; '.join(map(str, question['options'])), POINT_CHARS)}")
        out.print(f"       [dim]assumed until answered: {_safe(question.get('assumed'), POINT_CHARS)}[/dim]")
    out.print(f"    [bold]you can say[/bold]: {_safe(' · '.join(review.answers), 300)}")


def _safe(text: object, limit: int) -> str:
    return escape(one_line("" if text is None else text, limit=limit))
