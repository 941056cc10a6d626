"""`qa-agents runs`: test runs read, kept, looked at and let go."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, print_json, progress
from qa_agents.cli.text import one_line
from qa_agents.errors import UsageError
from qa_agents.plurals import counted

if TYPE_CHECKING:
    from qa_agents.results.schema import Outcome, ReadFile, Run
    from qa_agents.results.store import StoredRun

app = typer.Typer(help="The test runs that are kept: what later ones are compared with.", no_args_is_help=True)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `runs list` shows it.")]
_SHOWN_FILES = 20
_SHOWN_FAILURES = 30
_NAME_CHARS = 80


@app.command()
def add(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help='Result files, folders, patterns ("**/TEST-*.xml"), zips: one run.'),
    ],
    commit: Annotated[
        str, typer.Option("--commit", help="What was tested (default: the commit checked out here).")
    ] = "",
    branch: Annotated[str, typer.Option("--branch", help="Its branch (default: the one checked out here).")] = "",
    env: Annotated[str, typer.Option("--env", help="Where it ran: linux-chrome, staging, ….")] = "",
    run_id: Annotated[str, typer.Option("--run-id", help="What to call it (default: made from its content).")] = "",
    at: Annotated[str, typer.Option("--at", help="When it ran (default: what the files say).")] = "",
    git: Annotated[bool, typer.Option(help="Ask git here for commit and branch.")] = True,
    as_json: Json = False,
) -> None:
    """Read result files as one run, and keep it; the same again changes nothing.

    Exit 1 when something was damaged, cut off or not read, 2 when nothing could be read.
    """
    from qa_agents.results.checkout import checkout_at
    from qa_agents.results.read import read_run

    here = checkout_at(Path.cwd()) if git and not (commit and branch) else None
    with open_workspace(context) as workspace:
        with progress() as show:
            run = read_run(
                files,
                run_id=run_id,
                commit=commit or (here.commit if here else ""),
                branch=branch or (here.branch if here else ""),
                environment=env,
                at=_moment(at),
                progress=show,
            )
        added = workspace.run_store.add(run)
        head = workspace.run_store.head(added.run_id)
    broken = [file for file in run.files if not file.is_whole]
    if as_json:
        print_json({**_as_json(head), "is_new": added.is_new, "files": [f.model_dump(mode="json") for f in run.files]})
    else:
        from rich.markup import escape

        kept = "kept" if added.is_new else "was kept before"
        console().print(escape(f"{one_line(added.run_id)} {kept}: {_counted(head, run)}."))
        _tell_files(run.files)
    if broken:
        raise typer.Exit(1)


@app.command("list")
def list_(
    context: typer.Context,
    branch: Annotated[str | None, typer.Option("--branch", help="Of this branch.")] = None,
    commit: Annotated[str | None, typer.Option("--commit", help="Of this commit, or its first digits.")] = None,
    env: Annotated[str | None, typer.Option("--env", help="Of this environment.")] = None,
    limit: Annotated[int, typer.Option("-n", min=1, help="How many at most.")] = 30,
    as_json: Json = False,
) -> None:
    """The runs that are kept, newest first."""
    with open_workspace(context) as workspace:
        found = workspace.run_store.find(branch=branch, commit=commit, environment=env, limit=limit + 1)
    if as_json:
        print_json([_as_json(run) for run in found[:limit]])
        return
    if not found:
        note("No run is kept. `qa-agents runs add FILE…` adds one.")
        return
    _table(found[:limit])
    if len(found) > limit:
        note(f"There are more; -n {limit * 2} shows them.")


@app.command()
def show(context: typer.Context, run: RunName, as_json: Json = False) -> None:
    """One run: where it comes from, how it went, what failed, what was not read."""
    with open_workspace(context) as workspace:
        head, whole = workspace.run_store.head(run), workspace.run_store.get(run)
    if as_json:
        print_json({**_as_json(head), **whole.model_dump(mode="json", exclude={"info"})})
        return
    from rich.markup import escape

    out = console()
    out.print(escape(f"{one_line(head.info.run_id)}: {_counted(head, whole)}."))
    for label, value in _origin(head):
        out.print(escape(f"  {label:<12} {one_line(value, limit=120)}"))
    red = [result for result in whole.results if result.is_red]
    if red:
        out.print("\nFailed")
    for result in red[:_SHOWN_FAILURES]:
        out.print(escape(f"  {one_line(result.test_id, limit=140)}"))
        if result.message:
            out.print(escape(f"    {one_line(result.message, limit=140)}"))
    if len(red) > _SHOWN_FAILURES:
        out.print(f"  … and {len(red) - _SHOWN_FAILURES:,} more; --json has all.")
    _tell_files(whole.files)


@app.command()
def prune(
    context: typer.Context,
    keep: Annotated[
        int | None, typer.Option("--keep", min=0, help="Keep the newest N of each branch and environment.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Only runs older than a span (90d) or a date.")
    ] = None,
    run: Annotated[list[str] | None, typer.Option("--run", help="This run; repeatable.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only told.")] = False,
    as_json: Json = False,
) -> None:
    """Let runs go. Pinned runs and the last green one of each branch stay, unless they are named with --run."""
    from qa_agents.moments import moment_back

    if run and (keep is not None or older_than is not None):
        raise UsageError("Name runs, or say which are old, not both.", hint="Use --run, or --keep and --older-than.")
    until = None if older_than is None else moment_back(older_than)
    with open_workspace(context) as workspace:
        store = workspace.run_store
        chosen = [store.head(name) for name in run] if run else store.prunable(keep=keep, older_than=until)
        removed = store.remove([one.info.run_id for one in chosen]) if yes else 0
    if as_json:
        print_json({"removed": removed, "runs": [_as_json(one) for one in chosen]})
        return
    if not chosen:
        console().print("Nothing to remove.")
        return
    _table(chosen)
    many = counted(len(chosen), "run")
    if yes:
        console().print(f"{many} removed. The result files were not touched: `qa-agents runs add` takes them in again.")
    else:
        console().print(f"{many} would be removed from the store; nothing was changed. Repeat with --yes to do it.")


@app.command()
def pin(
    context: typer.Context,
    run: RunName,
    why: Annotated[str, typer.Option("--why", help="Why it must stay: the release 4.2, say.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Let `prune` take it again.")] = False,
) -> None:
    """Keep a run from being pruned."""
    if bool(why.strip()) == off:
        raise UsageError("A pin needs a reason.", hint="Say --why TEXT, or --off to take the pin away.")
    with open_workspace(context) as workspace:
        workspace.run_store.pin(run, one_line(why, limit=200))
    console().print("Pinned: prune leaves it alone." if why else "No longer pinned.", markup=False)


@app.command()
def formats(as_json: Json = False) -> None:
    """The formats that are read, each known by its content."""
    from qa_agents.results.read import flavours

    if as_json:
        print_json(list(flavours()))
    else:
        for name in flavours():
            console().print(name, markup=False)


def _moment(text: str) -> datetime | None:
    from qa_agents.incidents.importers.moments import parse_moment

    try:
        return parse_moment(text)
    except ValueError as error:
        raise UsageError(f"--at {one_line(text, limit=40)} {error}.", hint="Say 2026-12-01T13:30:00Z.") from None


def _as_json(run: "StoredRun") -> dict[str, Any]:
    return {**run.model_dump(mode="json"), "tests": run.tests, "when": run.when.isoformat()}


def _counted(head: "StoredRun", run: "Run") -> str:
    words: tuple[tuple[Outcome, str], ...] = (("failed", "failed"), ("error", "broken"), ("skipped", "skipped"))
    rest = ", ".join(f"{head.counts[name]:,} {word}" for name, word in words if head.counts.get(name))
    said = []
    if head.tests:
        said.append(counted(head.tests, "test") + (f" ({rest})" if rest else ""))
    if head.outputs:
        said.append(counted(head.outputs, "scored output"))
    if run.coverage is not None and run.coverage.line_rate is not None:
        said.append(f"{run.coverage.line_rate:.1%} of lines covered")
    return ", ".join(said) or "no test in it"


def _origin(head: "StoredRun") -> list[tuple[str, str]]:
    rows = [
        ("commit", head.info.commit),
        ("branch", head.info.branch),
        ("environment", head.info.environment),
        ("ran", f"{head.info.at:%Y-%m-%d %H:%M:%S} UTC" if head.info.at else ""),
        ("added", f"{head.added_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("digest", head.digest),
        ("pinned", head.pinned),
    ]
    return [(label, value) for label, value in rows if value]


def _table(found: "list[StoredRun]") -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("run", "ran", "branch", "commit", "environment", "tests", "red", "skipped", "outputs", "")
    for run in found:
        red = run.counts.get("failed", 0) + run.counts.get("error", 0)
        table.add_row(
            escape(one_line(run.info.run_id, limit=40)),
            f"{run.when:%Y-%m-%d %H:%M}",
            escape(one_line(run.info.branch, limit=24)),
            escape(one_line(run.info.commit, limit=11)),
            escape(one_line(run.info.environment, limit=20)),
            f"{run.tests:,}",
            f"{red:,}" if red else "",
            f"{run.counts.get('skipped', 0):,}",
            f"{run.outputs:,}" if run.outputs else "",
            escape(f"pinned: {one_line(run.pinned, limit=30)}" if run.pinned else ""),
        )
    console().print(table)


def _tell_files(files: "tuple[ReadFile, ...]") -> None:
    """What was odd in single files, damaged ones first; files of other kinds in folders and archives are only counted."""
    foreign = [file for file in files if file.refused and file.is_whole]
    odd = sorted(
        (file for file in files if (file.notes or file.refused) and file not in foreign), key=lambda f: f.is_whole
    )
    for file in odd[:_SHOWN_FILES]:
        name = one_line(file.name, limit=1_000)
        name = name if len(name) <= _NAME_CHARS else f"…{name[1 - _NAME_CHARS :]}"
        note(f"{name}: {file.refused or ' '.join(file.notes)}")
    if len(odd) > _SHOWN_FILES:
        note(f"… and {len(odd) - _SHOWN_FILES:,} more files with notes; --json has all.")
    if foreign:
        kinds = Counter(Path(file.name).suffix or "no suffix" for file in foreign).most_common(5)
        told = ", ".join(f"{number:,} {one_line(suffix, limit=12)}" for suffix, number in kinds)
        note(f"{counted(len(foreign), 'other file')} held no results ({told}).")
