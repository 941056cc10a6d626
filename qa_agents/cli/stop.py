"""`qa-agents stop` and `qa-agents resume`: the switch over every outside effect."""

from typing import Annotated

import typer

from qa_agents.cli.common import As, Json, console, open_workspace, print_json
from qa_agents.cli.text import one_line


def stop(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who find it stopped.")] = "",
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Stop every write outside at once, for every process on this workspace, until `resume`.

    Reports are still received and decisions still recorded; they are carried out afterwards.
    """
    from qa_agents.operations.intervening import stop as stop_

    with open_workspace(context) as workspace:
        token = workspace.settings.reviewer_token
        stopping = stop_(workspace, by=reviewer, token=token, reason=reason)
    if as_json:
        print_json(stopping.model_dump(mode="json"))
        return
    from rich.markup import escape

    out = console()
    out.print(escape(one_line(stopping.stop, limit=400)))
    if not stopping.fresh:
        out.print("It had been stopped before; nothing was changed.")
    for key in stopping.on_the_way:
        out.print(f"  sent before the stop, may still arrive: {key[:12]}")
    out.print("`qa-agents resume --reason …` allows them again.")


def resume(
    context: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe again; required.")],
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Allow writes outside again; `qa-agents recover` then carries out what was held back."""
    from qa_agents.operations.intervening import resume as resume_

    with open_workspace(context) as workspace:
        token = workspace.settings.reviewer_token
        lifted, unfinished = resume_(workspace, reviewer=reviewer, token=token, reason=reason)
    if as_json:
        print_json({"lifted": lifted.model_dump(mode="json"), "unfinished": unfinished})
        return
    runs = "1 run was" if unfinished == 1 else f"{unfinished} runs were"
    todo = "; `qa-agents recover` takes them up now" if unfinished else ""
    console().print(f"Outside effects are allowed again. {runs} held back or interrupted{todo}.")
