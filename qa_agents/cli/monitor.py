"""`qa-agents monitor`: did the outputs of an AI system change, where do they fail, and for whom?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import Json, note, open_workspace, print_json, progress
from qa_agents.errors import InvalidInputError, UsageError

if TYPE_CHECKING:
    from qa_agents.results.monitor.monitoring import Embed
    from qa_agents.results.schema import Run
    from qa_agents.wiring import Workspace

LOOKS = 400
"""So many earlier runs at most are looked back on; more than a year of days."""


def monitor(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN…", help="Scored outputs: JSON Lines files (read as one run), or a kept run's id."),
    ],
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="What to compare with: an id, file or folder, or `last-green`.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Follow the kept runs of this branch and environment from the first on.")
    ] = False,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="An attribute to compare groups by; repeatable (default: each that makes groups)."),
    ] = None,
    margin: Annotated[float, typer.Option(min=0.0, help="Differences between groups below this count as none.")] = 0.05,
    min_n: Annotated[int, typer.Option("--min-n", min=2, help="Smaller groups and slices are not judged.")] = 30,
    lower_is_better: Annotated[
        list[str] | None, typer.Option("--lower-is-better", help="A score that is better when lower; repeatable.")
    ] = None,
    branch: Annotated[str, typer.Option("--branch", help="The branch the run belongs to.")] = "",
    env: Annotated[str, typer.Option("--env", help="Where it ran.")] = "",
    run_id: Annotated[
        str, typer.Option("--run-id", help="What to call the run (default: made from its content).")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write monitor.html and monitor.json into this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare the scored outputs of an AI system with a baseline or with their history; find where and for whom they fail.

    Exit 0 when nothing was found, 1 when a person should look, 2 when the run has no scored output.
    """
    from qa_agents import summarizing
    from qa_agents.cli.monitor_view import show_monitoring
    from qa_agents.cli.summarize import write_text
    from qa_agents.results.monitor.monitoring import monitor as look
    from qa_agents.results.monitor.page import page

    if baseline and history:
        raise UsageError(
            "--baseline and --history exclude one another.", hint="The history's first run is its baseline."
        )
    with open_workspace(context) as workspace, progress() as show:
        source = summarizing.Source(branch=branch, environment=env)
        before = None
        if baseline and not baseline.startswith((summarizing.LAST_GREEN, summarizing.BRANCH)):
            before = summarizing.take_in(workspace, [baseline], source, show)
        name = summarizing.take_in(workspace, runs, source.model_copy(update={"run_id": run_id}), show)
        if baseline and before is None:
            before = summarizing.find_baseline(workspace, name, baseline)
        run = workspace.run_store.get(name)
        if not run.outputs:
            raise InvalidInputError(f"{name} has no scored output.", hint="See examples/outputs for the format.")
        past = _past(workspace, name) if history else []
        if history and not past:
            note("No earlier run with scored outputs is kept for this branch and environment.")
        found = look(
            run,
            workspace.run_store.get(before) if before else None,
            past,
            embed=_embed(workspace),
            attributes=by or (),
            margin=margin,
            min_n=min_n,
            lower_is_better=lower_is_better or (),
        )
    written = []
    if out is not None:
        written = [
            write_text(out / "monitor.html", page(found)),
            write_text(out / "monitor.json", found.model_dump_json(indent=1)),
        ]
    if as_json:
        print_json({**found.model_dump(mode="json"), "drifted": found.drifted, "alarms": found.alarms})
    else:
        show_monitoring(found)
        for path in written:
            note(f"written: {path}")
    raise typer.Exit(1 if found.has_findings else 0)


def _past(workspace: "Workspace", name: str) -> "list[Run]":
    """Earlier runs with outputs, oldest first."""
    store = workspace.run_store
    info = store.head(name).info
    heads = store.find(branch=info.branch, environment=info.environment, before=name, limit=LOOKS)
    return [store.get(head.info.run_id) for head in reversed(heads) if head.outputs]


def _embed(workspace: "Workspace") -> "Embed | None":
    embedder = workspace.embedder
    return None if embedder is None else embedder.embed
