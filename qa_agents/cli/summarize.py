"""`qa-agents summarize`: what a test run means, against a baseline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import Json, note, open_workspace, print_json, progress
from qa_agents.errors import InvalidInputError

if TYPE_CHECKING:
    from qa_agents.results.summary import Summary
    from qa_agents.wiring import Workspace

Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        help="The run to compare with: an id, file, folder, `last-green` or `branch:NAME` (default: the one before).",
    ),
]
Gates = Annotated[
    Path | None, typer.Option("--gates", help="A gates.toml; a broken or open promise waits for a signature.")
]
Repository = Annotated[
    Path | None,
    typer.Option(
        "--repo", help="The git repository of the tested code, to suspect commits (default: here, if it is one)."
    ),
]
Commit = Annotated[
    str, typer.Option("--commit", help="The commit that was tested (default: what git or the CI system says).")
]
Branch = Annotated[str, typer.Option("--branch", help="Its branch.")]
Environment = Annotated[str, typer.Option("--env", help="Where it ran; runs of other environments are not compared.")]
RunId = Annotated[str, typer.Option("--run-id", help="What to call the run (default: made from its content).")]


def summarize(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN…", help="Result files, folders, patterns, zips (read as one run), or a kept run's id."
        ),
    ],
    baseline: Baseline = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write summary.json and summary.md, and pages for readers, into this folder."),
    ] = None,
    gates: Gates = None,
    repo: Repository = None,
    commit: Commit = "",
    branch: Branch = "",
    env: Environment = "",
    run_id: RunId = "",
    again: Annotated[bool, typer.Option("--again", help="Summarise anew what was summarised before.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a test run means: what broke, what only flakes, why, since when, and whether it may ship.

    Exit 0 when it is published, 1 when a quality gate holds it at the checkpoint, 2 when nothing can be read.
    """
    from qa_agents import summarizing
    from qa_agents.cli.summary_view import as_json_document, show_summary
    from qa_agents.results.checkout import checkout_at

    here = checkout_at(repo or Path.cwd())
    with open_workspace(context) as workspace, progress() as show:
        gate_file = summarizing.read_gates(gates) if gates else None
        before = None
        if baseline and not baseline.startswith((summarizing.LAST_GREEN, summarizing.BRANCH)):
            before = summarizing.take_in(
                workspace, [baseline], summarizing.Source(branch=branch, environment=env), show
            )
        source = summarizing.Source(commit=commit, branch=branch, environment=env, run_id=run_id)
        name = summarizing.take_in(workspace, runs, source, show)
        done = summarizing.summarise(
            workspace,
            name,
            baseline=summarizing.find_baseline(workspace, name, before or baseline),
            gates=gate_file,
            repository=here.root if here else None,
            again=again,
        )
        written = write_pages(workspace, done.summary, out)
    if as_json:
        print_json(as_json_document(done, written=[str(path) for path in written]))
    else:
        show_summary(done)
        for path in written:
            note(f"written: {path}")
    raise typer.Exit(1 if done.review_id else 0)


def write_pages(workspace: "Workspace", summary: "Summary", out: Path | None) -> list[Path]:
    """Write the summary into a folder, for programs and for people. Raises InvalidInputError when it cannot be written."""
    if out is None:
        return []
    from qa_agents.summarizing import pages_of

    return [write_text(out / name, text) for name, text in pages_of(workspace, summary).items()]


def write_text(path: Path, text: str) -> Path:
    """Write one file and its folder. Raises InvalidInputError when that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", errors="replace")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written ({error.strerror}).", hint="Give another place.") from None
    return path
