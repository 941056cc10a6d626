"""`qa-agents inbox`: what could not be handled, and the way back."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import As, Json, console, open_workspace, print_json
from qa_agents.cli.text import one_line

if TYPE_CHECKING:
    from qa_agents.runtime.dead_letters import Letter

app = typer.Typer(help="Deliveries and jobs that could not be handled.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="As `inbox list` calls it: d12, j7.")]
SHOWN_BYTES = 4_000


@app.command("list")
def list_(
    context: typer.Context,
    state: Annotated[
        str, typer.Option(help="Which: dead, received, routed, ignored, duplicate, dropped, todo, …")
    ] = "dead",
    limit: Annotated[int, typer.Option("-n", min=1, max=10_000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List what is dead, newest first, with the reason; or what is in another state."""
    with open_workspace(context) as workspace:
        found = workspace.dead_letters.listed(state, limit)
    if as_json:
        print_json([_told(letter) for letter in found])
        return
    from rich.markup import escape

    out = console()
    for letter in found:
        when = f"{datetime.fromtimestamp(letter.at, UTC):%Y-%m-%d %H:%M}"
        about = one_line(letter.subject or letter.source, limit=60)
        out.print(escape(f"{letter.id:<8}{when}  {about}  {one_line(letter.reason or '', limit=200)}"))
    if not found:
        out.print(f"Nothing is {escape(one_line(state, limit=20))}.")


@app.command()
def show(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show one with its reason and the beginning of its body, secrets hidden."""
    with open_workspace(context) as workspace:
        letter, mask = workspace.dead_letters.find(name), workspace.mask
        body = mask(letter.body[:SHOWN_BYTES].decode("utf-8", "replace"))
    if as_json:
        print_json({**_told(letter), "body": body})
        return
    from rich.markup import escape

    from qa_agents.cli.text import printable

    out = console()
    for key, value in _told(letter).items():
        if value not in (None, "", {}, 0):
            out.print(escape(f"{key:<10}{one_line(value, limit=600)}"))
    if body:
        out.print(escape(printable(body)))


@app.command()
def replay(context: typer.Context, name: Name, reviewer: As = None, as_json: Json = False) -> None:
    """Let it be handled once more, whatever its age."""
    from qa_agents.operations.deciding import recognise

    with open_workspace(context) as workspace:
        by = recognise(workspace, reviewer, workspace.settings.reviewer_token).name
        letter = workspace.dead_letters.replay(name, by=by)
    _say(letter, "will be handled again", as_json)


@app.command()
def drop(
    context: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the ledger; required.")],
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Give it up: its body is erased, its hash and the reason stay."""
    from qa_agents.operations.deciding import recognise

    with open_workspace(context) as workspace:
        by = recognise(workspace, reviewer, workspace.settings.reviewer_token).name
        letter = workspace.dead_letters.drop(name, by=by, reason=reason)
    _say(letter, "was dropped", as_json)


def _say(letter: "Letter", what: str, as_json: bool) -> None:
    if as_json:
        print_json(_told(letter))
    else:
        console().print(f"{letter.id} {what}.")


def _told(letter: "Letter") -> dict[str, Any]:
    return letter.model_dump(mode="json")
