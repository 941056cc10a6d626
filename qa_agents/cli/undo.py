"""`qa-agents undo`: take back what was written outside."""

from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import As, Json, console, open_workspace, print_json
from qa_agents.cli.text import one_line
from qa_agents.moments import moment_back

if TYPE_CHECKING:
    from qa_agents.runtime.undo import Undone


def undo(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A run, an action's key (8 characters do) or a report.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only what was done since: a span (2h, 3d, 1w) or a date (2026-12-01)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and write nothing.")] = False,
    while_stopped: Annotated[
        bool, typer.Option("--while-stopped", help="Undo although outside effects are stopped; all else stays stopped.")
    ] = False,
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Restore what was there before, wherever what stands there now is still ours; exit 1 when something is not.

    A person's later change is never overwritten: it is reported with both values. An issue that was created is marked as
    withdrawn, not deleted. Repeating changes nothing. While outside effects are stopped, undoing is refused like any other.
    """
    from qa_agents.operations.intervening import undo as undo_

    moment = moment_back(since).timestamp() if since is not None else None
    with open_workspace(context) as workspace:
        token = workspace.settings.reviewer_token
        result = undo_(
            workspace,
            name,
            reviewer=reviewer,
            token=token,
            since=moment,
            dry_run=dry_run,
            while_stopped=while_stopped,
        )
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        _show(result)
    if result.conflicts:
        raise typer.Exit(1)


def _show(result: "Undone") -> None:
    from rich.markup import escape

    def line(text: object) -> str:
        return escape(one_line(text, limit=140))

    out = console()
    for told, heading in (
        (result.cancelled, "would be cancelled" if result.dry_run else "cancelled before it was made"),
        (result.undone, "would be undone" if result.dry_run else "undone"),
        (result.already, "nothing to undo"),
        (result.erased, "left as it is, what stood there before was erased on request"),
    ):
        for action in told:
            out.print(f"  {heading}: {line(action.target)}: {line(action.what)}  [dim]{line(action.key[:8])}[/dim]")
    for conflict in result.conflicts:
        out.print(f"  [bold]left as it is[/bold]: {line(conflict.target)}: {line(conflict.what)}")
        if "issue" not in conflict.ours:
            out.print(f"    ours: {line(_value(conflict.ours))}")
        out.print(f"    now:  {line(_value(conflict.now))}")
    counts = f"{len(result.undone) + len(result.cancelled)} {'would be ' if result.dry_run else ''}undone"
    out.print(
        f"{counts}, {len(result.conflicts)} changed by somebody else since, {len(result.already)} with nothing to undo."
    )


def _value(place: dict[str, object]) -> object:
    """The one value in the place; a whole issue is spoken of rather than printed."""
    if not place:
        return "nothing"
    kind, value = next(iter(place.items()))
    return "not as we made it; people work with it" if kind == "issue" else value
