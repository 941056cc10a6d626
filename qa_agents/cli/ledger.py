"""`qa-agents ledger`: the record of everything, checked, shown, exported and added up."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, print_json
from qa_agents.errors import FindingsError, NotFoundError, UsageError

if TYPE_CHECKING:
    from qa_agents.checkpoint.anchor import Anchors
    from qa_agents.checkpoint.chain import Entry, Verification
    from qa_agents.wiring import Workspace

app = typer.Typer(
    help="The hash-chained record of everything received, proposed, decided and done.", no_args_is_help=True
)
AnchorFile = Annotated[Path | None, typer.Option("--anchor", help="The anchor file (default: the configured one).")]
_SHOWN_FINDINGS = 5


@app.command()
def balance(context: typer.Context, as_json: Json = False) -> None:
    """Count every received report in exactly one state; exit 1 when one is unaccounted for."""
    with open_workspace(context) as workspace:
        result = workspace.received.balance()
    if as_json:
        print_json(result.model_dump())
    else:
        from rich.table import Table

        columns = ("received", "decided", "waiting", "asked", "will_retry", "rejected")
        table = Table("source", *columns, "unaccounted")
        for source, counts in sorted(result.by_source.items()):
            cells = [str(counts.get(column, 0)) for column in columns[1:]]
            table.add_row(source, str(sum(counts.values())), *cells, "")
        total = [str(getattr(result, column)) for column in columns]
        table.add_row("all", *total, str(len(result.unaccounted)), style="bold")
        console().print(table)
    if result.unaccounted:
        raise FindingsError(" ".join(result.unaccounted[:5]), hint="`qa-agents recover` takes up what can be taken up.")


@app.command()
def verify(
    context: typer.Context,
    anchor: AnchorFile = None,
    since: Annotated[int, typer.Option(min=0, help="Follow the chain from this entry on, whose hash is trusted.")] = 0,
    start_hash: Annotated[
        str | None, typer.Option(help="The hash of entry --since (default: as the anchor file has it).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the chain and the anchors; exit 1 for any entry edited, deleted, inserted, moved, cut off, or a clock gone back."""
    from qa_agents.checkpoint.chain import GENESIS
    from qa_agents.checkpoint.ledger import verify as verify_ledger

    with open_workspace(context) as workspace:
        anchors = _anchors(workspace, anchor)
        if start_hash is None and since:
            start_hash = _anchored_hash(anchors, since)
        if start_hash is not None and not since:
            raise UsageError("--start-hash says the hash of an entry, and --since must say which.")
        result = verify_ledger(workspace.database, since=since, trusted=start_hash or GENESIS, anchors=anchors)
    if as_json:
        print_json(_as_json(result))
    else:
        _tell(result)
    if not result.intact:
        raise FindingsError(result.findings[0].says, hint="Compare with a copy of the workspace.")


@app.command()
def show(
    context: typer.Context,
    subject: Annotated[str | None, typer.Argument(help="A report, run or review; everything when left out.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest entries, without a subject.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the entries about one report, run or review, or the newest of all; --json prints one entry a line."""
    from qa_agents.checkpoint.ledger import entries_about, newest

    with open_workspace(context) as workspace:
        about = None if subject is None else list(entries_about(workspace.database, subject))
        chosen = newest(workspace.database, last) if about is None else about
    if subject is not None and not chosen:
        raise NotFoundError(
            f"The ledger has no entry about {subject}.", hint="`qa-agents ledger show` lists the newest."
        )
    if as_json:
        for entry in chosen:
            print_json(entry.as_json())
    else:
        _show(chosen)


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    reports: Annotated[list[str] | None, typer.Argument(metavar="[REPORT_ID]...", help="Default: all.")] = None,
    anchor: AnchorFile = None,
    as_json: Json = False,
) -> None:
    """Write the ledger and a readable page per report for auditors; exit 1 when the ledger does not verify."""
    from qa_agents.checkpoint.export import chain_says, export_ledger

    with open_workspace(context) as workspace:
        done = export_ledger(
            workspace.database,
            out,
            mask=workspace.mask,
            report_ids=reports or (),
            anchors=_anchors(workspace, anchor),
        )
    if as_json:
        counted = {"folder": str(done.folder), "entries": done.entries, "reports": done.reports}
        print_json({**counted, "verification": _as_json(done.verification)})
    else:
        from rich.markup import escape

        console().print(f"{done.entries} entries and {done.reports} pages are in {escape(str(done.folder))}.")
    if not done.verification.intact:
        raise FindingsError(chain_says(done.verification), hint="The export is complete and says so, too.")


def _anchors(workspace: "Workspace", chosen: Path | None) -> "Anchors":
    """The anchor file to compare with. Raises NotFoundError when the named one is not there."""
    from qa_agents.checkpoint.anchor import Anchors

    if chosen is None:
        return workspace.anchors
    anchors = Anchors(chosen)
    if not anchors.exists():
        raise NotFoundError(f"There is no anchor file {chosen}.", hint="Name the copy that you keep elsewhere.")
    return anchors


def _anchored_hash(anchors: "Anchors", seq: int) -> str:
    from qa_agents.checkpoint.anchor import Anchor

    stored = next((anchor.hash for anchor in anchors.read() if isinstance(anchor, Anchor) and anchor.seq == seq), None)
    if stored is None:
        raise UsageError(f"There is no anchor of entry {seq}.", hint="Say its trusted hash with --start-hash.")
    return stored


def _as_json(result: "Verification") -> dict[str, Any]:
    first = result.findings[0].says if result.findings else None
    return {"intact": result.intact, "break": first, **result.model_dump(mode="json")}


def _tell(result: "Verification") -> None:
    from rich.markup import escape

    from qa_agents.cli.text import one_line

    out = console()
    for finding in islice(result.findings, 1, _SHOWN_FINDINGS + 1):  # the first is told as the error
        out.print(f"{finding.kind}: {escape(one_line(finding.says, limit=300))}")
    hidden = len(result.findings) - _SHOWN_FINDINGS - 1 + result.more
    if hidden > 0:
        out.print(f"and {hidden} more; --json lists them.")
    anchored = f", {result.anchors} anchors agree" if result.anchors else ""
    if result.intact:
        out.print(f"{result.entries} entries, the chain holds{anchored}; {result.erased} payloads were erased.")
    for said in result.notes:
        note(said)


def _show(chosen: "Iterable[Entry]") -> None:
    import json

    from rich.markup import escape
    from rich.table import Table

    from qa_agents.checkpoint.chain import moment
    from qa_agents.cli.text import one_line

    table = Table("no.", "when", "event", "about", "who", "what", box=None, padding=(0, 2, 0, 0))
    for entry in chosen:
        what = "(erased)" if entry.erased else json.dumps(entry.payload, ensure_ascii=False)
        cells = (moment(entry.at), entry.event, entry.subject, entry.actor, what)
        table.add_row(str(entry.seq), *(escape(one_line(cell, limit=160)) for cell in cells))
    console().print(table)
