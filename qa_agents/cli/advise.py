"""`qa-agents plans advise`: what a language model suggests about a plan, checked; the plan stays as it is."""

from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, print_json
from qa_agents.cli.text import one_line

if TYPE_CHECKING:
    from qa_agents.advising import PlanAdvice


def advise(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The plan's name, as `plans list` shows it.")],
    as_json: Json = False,
) -> None:
    """Ask the language model what a plan misses, contradicts or words badly; exit 3 where none is configured.

    Quotes and numbers are checked, and nothing of it enters the plan by itself.
    """
    from qa_agents import advising

    with open_workspace(context) as workspace:
        if not as_json:
            note("Asking the language model …")
        found = advising.advise(workspace, name)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)


def _show(found: "PlanAdvice") -> None:
    from rich.markup import escape

    def safe(text: str, limit: int = 300) -> str:
        return escape(one_line(text, limit=limit))

    out = console()
    if found.ideas:
        out.print("[bold]More to try[/bold]")
    for idea in found.ideas:
        out.print(f"  · {safe(idea.title)} → {safe(idea.expectation)}")
        out.print(f"    [dim]{safe(idea.requirement_id)}, {idea.technique}: “{safe(idea.quote)}”[/dim]")
    if found.clashes:
        out.print("[bold]May contradict[/bold]")
    for clash in found.clashes:
        out.print(f"  · {safe(' and '.join(clash.requirement_ids))}: {safe(clash.why)}")
        out.print("".join(f"    [dim]“{safe(quote)}”[/dim]\n" for quote in clash.quotes), end="")
    if found.titles:
        out.print("[bold]Clearer titles[/bold]")
    for case_id, title in found.titles.items():
        out.print(f"  · {safe(case_id)}: {safe(title)}")
    if not (found.ideas or found.clashes or found.titles):
        out.print("It suggests nothing that holds.")
    if found.dropped:
        out.print(f"{found.dropped} suggestions were dropped: a quote or a number of theirs is in no requirement.")
    for text in found.absent:
        out.print(f"No answer to {safe(text)}")
