"""`qa-agents incidents`: fill the memory and look into it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, paths, print_json, progress
from qa_agents.cli.text import one_line, printable
from qa_agents.errors import NotFoundError

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

app = typer.Typer(help="The team's memory: past reports with what became of them.", no_args_is_help=True)


@app.command("import")
def import_(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(help="Files to read; - is stdin. .gz and .zst too.")],
    format: Annotated[str, typer.Option("--format", help="auto, jsonl, csv or jira.")] = "auto",
    vectors: Annotated[bool, typer.Option(help="Compute vectors now; without, the next search does.")] = True,
    rejects: Annotated[
        Path | None, typer.Option(help="Write rejected rows with line and reason here (JSON Lines).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import incidents; the same file twice changes nothing. Exit 1 when rows were rejected."""
    from qa_agents.incidents.importers import import_files

    with open_workspace(context) as workspace:
        with progress() as show:
            report = import_files(
                paths(files),
                workspace.store.upsert,
                format=format,
                progress=lambda rows, *_: show("reading", rows, None),
            )
        index(workspace, vectors)
    if rejects is not None:
        rejects.write_text("".join(f"{rejection.model_dump_json()}\n" for rejection in report.rejections), "utf-8")
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        console().print(
            f"{report.imported} imported, {report.updated} updated, {report.unchanged} unchanged, "
            f"{report.rejected} rejected in {report.seconds:.1f} s."
        )
        for text in report.notes:
            note(f"note: {text}")
        for rejection in report.rejections[:20]:
            note(f"rejected: {rejection.file} line {rejection.line}: {rejection.reason}")
        if len(report.rejections) > 20:
            note(f"… and {len(report.rejections) - 20} more; --rejects FILE lists all.")
    if report.rejected:
        raise typer.Exit(1)


def index(workspace: "Workspace", vectors: bool) -> None:
    """Bring the indexes up to the store, and fit anew what is fitted on outcomes, when that is due."""
    with progress() as show:
        if not vectors:
            workspace.lexical.catch_up(show)
            return
        for problem in workspace.memory.catch_up(show):
            note(problem)
    if workspace.settings.learn != "auto":
        return
    with progress() as show:
        if not workspace.standing.due:
            workspace.follow(show)
        else:
            for step in workspace.learn(show).steps:
                if step.state == "failed":
                    note(f"{step.name} was not fitted: {step.says}")


@app.command()
def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=200, help="How many.")] = 10,
    as_json: Json = False,
) -> None:
    """Find past incidents like a text."""
    with open_workspace(context) as workspace:
        with progress() as show:
            workspace.memory.catch_up(show)
        retrieval = workspace.memory.ask(text, k=k)
        found = workspace.memory.neighbours(retrieval)
    if as_json:
        print_json(retrieval.model_dump(mode="json"))
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("score", "incident", "summary", "component", "state", "shared words")
    for candidate, incident in found:
        table.add_row(
            f"{candidate.score:.2f}",
            escape(printable(incident.id)),
            escape(one_line(incident.summary, limit=70)),
            escape(one_line(incident.component or "", limit=24)),
            escape(one_line(incident.resolution or "open", limit=20)),
            escape(one_line(", ".join(candidate.shared), limit=40)),
        )
    console().print(table)
    for text_ in retrieval.notes:
        note(f"note: {text_}")


@app.command()
def show(context: typer.Context, incident_id: str, as_json: Json = False) -> None:
    """Show one incident whole."""
    with open_workspace(context) as workspace:
        incident = workspace.store.get(incident_id)
    if incident is None:
        raise NotFoundError(
            f"There is no incident {incident_id}.", hint="`qa-agents incidents search TEXT` finds some."
        )
    if as_json:
        print_json(incident.model_dump(mode="json"))
        return
    from rich.markup import escape

    out = console()
    out.print(f"[bold]{escape(incident.id)}[/bold]  {escape(one_line(incident.summary, limit=200))}")
    for name, value in incident.model_dump(mode="json", exclude={"id", "summary", "description"}).items():
        if value not in (None, [], ""):
            said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            out.print(f"  {escape(printable(name))}: {escape(printable(said))}")
    out.print(f"\n{escape(printable(incident.description))}")


@app.command()
def stats(context: typer.Context, as_json: Json = False) -> None:
    """What the memory holds."""
    with open_workspace(context) as workspace:
        found, meter = workspace.store.stats(), workspace.inflation()
    if as_json:
        print_json({**found.model_dump(mode="json"), "inflation": meter.model_dump(mode="json")})
        return
    from rich.markup import escape

    out = console()
    for name, value in found.model_dump(mode="json").items():
        if isinstance(value, dict):
            value = ", ".join(f"{printable(key)} {count}" for key, count in list(value.items())[:12])
        out.print(f"{name}: {escape(str(value))}")
    out.print(f"severity inflation: {escape(printable(meter.told()))}")
    for one in meter.reporters:
        out.print(f"  {escape(printable(one.reporter))}: {one.share} of their reports end up severe")


@app.command()
def reindex(context: typer.Context, as_json: Json = False) -> None:
    """Build both indexes anew from the incidents' table; needed after the embedder was changed."""
    with open_workspace(context) as workspace:
        with progress() as show:
            workspace.memory.reindex(show)
        count = workspace.store.count()
    if as_json:
        print_json({"incidents": count})
    else:
        console().print(f"{count} incidents indexed.")
