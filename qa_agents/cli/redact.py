"""`qa-agents redact`: erase what people wrote in a report."""

from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import As, Json, console, note, open_workspace, print_json
from qa_agents.cli.text import one_line
from qa_agents.errors import FindingsError

if TYPE_CHECKING:
    from qa_agents.runtime.redact import Redacted


def redact(
    context: typer.Context,
    report_id: Annotated[str, typer.Argument(help="The report, or the past incident, to be erased.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger, so it should name nobody.")],
    unsettled: Annotated[
        bool,
        typer.Option("--unsettled", help="Also while it waits for a person, which settles it: nothing is written."),
    ] = False,
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Erase what people wrote in a report, everywhere but in the tracker: documents, reviews, actions, memory, ledger payloads.

    Hashes, verdicts, the names of those who decided and the team's own labels stay, so that the ledger still verifies. It cannot
    be undone, and what it erases cannot be undone in the tracker either: `qa-agents undo` first, where that is wanted. What the
    tracker still holds of ours is listed. Exit 1 when something is left to be done by repeating it.
    """
    from qa_agents.operations.intervening import redact as redact_

    with open_workspace(context) as workspace:
        token = workspace.settings.reviewer_token
        result = redact_(workspace, report_id, reviewer=reviewer, token=token, reason=reason, unsettled=unsettled)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        _show(result)
    if result.left:
        raise FindingsError(result.left[0], hint="Nothing of it can be read here any more; repeat to finish.")


def _show(result: "Redacted") -> None:
    from rich.markup import escape

    out = console()
    memory = "the memory forgot it" if result.memory else "the memory held nothing more of it"
    out.print(
        f"{escape(one_line(result.report_id, limit=80))}: {result.documents} documents, {result.reviews} reviews, "
        f"{result.actions} actions, {result.letters} dead letters and {len(result.entries)} ledger payloads erased; {memory}."
    )
    for line in result.in_tracker:
        out.print(f"  still in the tracker, written by us: {escape(one_line(line, limit=140))}")
    for name in result.cited_in:
        out.print(f"  may be quoted in the verdict of: {escape(one_line(name, limit=80))}")
    if result.unerasable:
        note(f"{len(result.unerasable)} ledger entries of an older release were left: their hash covers what they say.")
