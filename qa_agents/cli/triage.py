"""`qa-agents triage`, `explain` and `recover`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, paths, print_json, progress
from qa_agents.cli.text import one_line
from qa_agents.errors import FindingsError, InvalidInputError, UsageError

if TYPE_CHECKING:
    from qa_agents.incidents.intake import ReceivedReport
    from qa_agents.operations.handling import Handled
    from qa_agents.wiring import Workspace


def triage(
    context: typer.Context,
    reports: Annotated[list[str], typer.Argument(help="Report files (JSON, text, Markdown); - is stdin.")],
    batch: Annotated[bool, typer.Option("--batch", help="The files are JSON Lines, one report a line.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the verdicts here, as JSON Lines.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, max=200, help="How many similar incidents to print.")] = 20,
    remember: Annotated[bool, typer.Option(help="Keep the reports in memory as open incidents.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Triage anew what was triaged before.")] = False,
    as_json: Json = False,
) -> None:
    """Triage reports; each stops at the checkpoint unless the policy opened the gate.

    Exit 0 when every report has a verdict (waiting for a person included), 1 when some report of a batch has none, 2 when the
    only report cannot be read.
    """
    from qa_agents.operations.handling import handle, looking_ahead

    options = {"k": k, "remember": remember}
    unread = 0
    # In a batch the next report's vector is computed beside the current report's triage: one core for each.
    changes = {"embedder_threads": 1} if batch else {}
    with open_workspace(context, **changes) as workspace, _sink(out) as sink:
        _take_up(workspace)
        with progress() as show:
            for problem in workspace.memory.catch_up(show):
                note(problem)
            stream = _read(workspace, reports, batch)
            if "-" not in reports:  # whoever writes to a pipe may wait for our answer before writing on
                stream = looking_ahead(workspace, stream)
            for count, received in enumerate(stream, start=1):
                handled = handle(workspace, received, options=options, again=again)
                unread += handled.triage is None
                _emit(handled, as_json=as_json, alone=not batch and len(reports) == 1, sink=sink, home=context.obj)
                show("triaging", count, None)
    if unread and not batch and len(reports) == 1:
        raise typer.Exit(2)
    if unread:
        raise FindingsError(f"{unread} reports have no verdict; each was named above.")


def explain(context: typer.Context, report_id: str, as_json: Json = False) -> None:
    """Say why a verdict came out so, and why something did not happen."""
    from qa_agents.cli.explanation import show_explanation
    from qa_agents.operations.handling import explain as explain_

    with open_workspace(context) as workspace:
        explanation = explain_(workspace, report_id)
    if as_json:
        print_json(explanation.model_dump(mode="json"))
    else:
        show_explanation(explanation)


def recover(context: typer.Context, as_json: Json = False) -> None:
    """Take up every run that a crash, an outage or a full disk left unfinished."""
    from qa_agents.operations.handling import recover as recover_

    with open_workspace(context) as workspace:
        done, failed = recover_(workspace)
    if as_json:
        print_json({"finished": done, "failed": failed})
    else:
        console().print(f"Runs taken up: {len(done)}; failed again: {len(failed)}.")
    if failed:
        raise FindingsError("; ".join(f"{run}: {error}" for run, error in failed.items()))


def _take_up(workspace: "Workspace") -> None:
    from qa_agents.operations.handling import recover as recover_

    done, failed = recover_(workspace, max_attempts=3)
    if done:
        note(f"Runs that were interrupted before and are taken up now: {len(done)}.")
    for run_id, error in failed.items():
        note(f"{run_id} failed again: {error}")


def _read(workspace: "Workspace", names: list[str], batch: bool) -> Iterator["ReceivedReport"]:
    from qa_agents.incidents.intake import read_batch, read_report

    if names.count("-") > 1:
        raise UsageError("Standard input can be read once only.")
    limit = workspace.settings.max_report_bytes
    for name in paths(names):
        yield from read_batch(name, limit) if batch else read_report(name, limit)


@contextlib.contextmanager
def _sink(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written ({error.strerror}).", hint="Choose another --out.") from None
    with file:
        yield file


def _emit(handled: "Handled", *, as_json: bool, alone: bool, sink: TextIO | None, home: Path | None) -> None:
    document = handled.as_json()
    if sink is not None:
        import json

        sink.write(json.dumps(document, default=str) + "\n")
        sink.flush()
    if as_json:
        print_json(document)
    if handled.triage is None:
        note(f"line {handled.line}: {handled.account.report_id}: {handled.account.error}")
    elif not as_json:
        _print(handled, alone, home)
    for text in handled.notes:
        note(f"note: {handled.account.report_id}: {text}")


def _print(handled: "Handled", alone: bool, home: Path | None) -> None:
    from rich.markup import escape

    verdict: Any = handled.triage
    if alone:
        from qa_agents.cli.verdict import show_verdict

        show_verdict(verdict, home=home)
        return
    proposals = verdict.proposals
    waits = verdict.review_id if verdict.state == "waiting" else verdict.state
    relation = f"{verdict.relations[0].kind} {verdict.relations[0].incident_id}" if verdict.relations else "–"
    cells = (
        verdict.report_id,
        waits,
        verdict.gate.decision,
        proposals["component"].value or "undetermined",
        proposals["severity"].value or "undetermined",
        relation,
        one_line(verdict.summary, limit=60),
    )
    console().print(escape("  ".join(one_line(cell, limit=60) for cell in cells)))
