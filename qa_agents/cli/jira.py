"""`qa-agents jira`: look whether the site is as configured, read its history, show what would be written."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, print_json, progress
from qa_agents.cli.findings import show_findings
from qa_agents.cli.text import printable
from qa_agents.errors import UsageError

app = typer.Typer(help="The team's Jira: check it, read its history, see what would be written.", no_args_is_help=True)

Projects = Annotated[list[str] | None, typer.Option("--project", help="Project keys (default: those of the settings).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and stop.")]


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check server, account, permissions, fields, link direction, clock; writes nothing. Exit 1 when something is wrong."""
    from qa_agents.trackers.jira_doctor import examine

    with open_workspace(context) as workspace:
        checks = examine(workspace.jira)
    show_findings(checks, as_json=as_json)


@app.command("import")
def import_(
    context: typer.Context,
    project: Projects = None,
    since: Annotated[str | None, typer.Option(help="Only issues filed since this day (2026-01-31).")] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Do not go on where an interrupted import stopped.")] = False,
    vectors: Annotated[bool, typer.Option(help="Compute vectors now; without, the next search does.")] = True,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Read the site's issues into the memory; goes on after an interruption, and repeating it changes nothing."""
    from qa_agents.cli.incidents import index
    from qa_agents.jira_history import import_history, import_query
    from qa_agents.trackers.jira_import import count

    with open_workspace(context) as workspace:
        if dry_run:
            jql = import_query(workspace, project or [], _day(since))
            found = {"jql": jql, "issues": count(workspace.jira, jql)}
            print_json(found) if as_json else console().print(f"{jql}\nabout {found['issues']} issues", markup=False)
            return
        with progress() as show:
            report = import_history(workspace, project or [], _day(since), show, anew=anew)
        index(workspace, vectors)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        if report.went_on_after:
            note(f"Went on behind the {report.went_on_after} issues of an interrupted import.")
        for key, reason in list(report.refused.items())[:20]:
            note(f"refused: {key} {reason}")
        console().print(
            f"{report.imported} imported, {report.updated} updated, {report.unchanged} unchanged, "
            f"{len(report.refused)} refused."
        )
    if report.refused:
        raise typer.Exit(1)


@app.command()
def backfill(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Triage issues filed or changed since this day (2026-01-31).")],
    project: Projects = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Triage the issues since a day as if their webhooks had come now; each stops at the checkpoint as usual."""
    from qa_agents.jira_history import backfill as backfill_
    from qa_agents.trackers.jira_import import count, query

    day = _day(since)
    if day is None:
        raise UsageError("Say --since.")
    with open_workspace(context) as workspace:
        if dry_run:
            jql = query(project or workspace.jira.settings.projects, "updated", day, datetime.now(UTC))
            found = {"jql": jql, "issues": count(workspace.jira, jql)}
            print_json(found) if as_json else console().print(f"{jql}\nabout {found['issues']} issues", markup=False)
            return
        with progress() as show:
            for problem in workspace.memory.catch_up(show):
                note(problem)
            report = backfill_(workspace, project or [], day, show, limit)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        console().print(f"{report.triaged} triaged, {report.known} known already, {len(report.failed)} failed.")
        for key, reason in list(report.failed.items())[:20]:
            note(f"failed: {key}: {reason}")
    if report.failed:
        raise typer.Exit(1)


@app.command()
def requests(
    context: typer.Context,
    review: Annotated[str, typer.Argument(help="A waiting review, or its report.")],
    as_json: Json = False,
) -> None:
    """Show the exact requests that approving a waiting review would send now; sends none of them."""
    import json

    from qa_agents.jira_history import planned_requests

    with open_workspace(context) as workspace:
        shown = planned_requests(workspace, review)
    if as_json:
        print_json([one.model_dump(mode="json") for one in shown])
        return
    out = console()
    for one in shown:
        out.print(printable(f"# {one.action.splitlines()[0][:150]}"), markup=False)
        for sent in one.requests:
            out.print(f"{sent['method']} {sent['path']}", markup=False)
            if sent["body"] is not None:
                out.print(printable(json.dumps(sent["body"], ensure_ascii=False)), markup=False, soft_wrap=True)
        if not one.requests:
            out.print(printable(f"nothing: {one.error or 'it is so already'}"), markup=False)


def _day(words: str | None) -> datetime | None:
    if words is None:
        return None
    try:
        found = datetime.fromisoformat(words)
    except ValueError:
        raise UsageError(f"{words[:40]} is no day.", hint="Write it as 2026-01-31.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
