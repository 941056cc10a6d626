"""`qa-agents ci`: the one line for a pipeline. Reads results, keeps the run, compares, and says what matters."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qa_agents.cli.common import Json, note, open_workspace, print_json, progress
from qa_agents.cli.summarize import (
    Baseline,
    Branch,
    Commit,
    Environment,
    Gates,
    Repository,
    RunId,
    write_pages,
    write_text,
)
from qa_agents.cli.text import one_line
from qa_agents.errors import InvalidInputError

if TYPE_CHECKING:
    from qa_agents.results.schema import Run
    from qa_agents.results.summary import Summary
    from qa_agents.summarizing import Summarised

MAIN = "main"


def ci(
    context: typer.Context,
    results: Annotated[list[str], typer.Argument(metavar="RESULTS…", help="Result files, folders, patterns or zips.")],
    baseline: Baseline = None,
    base_branch: Annotated[
        str,
        typer.Option(
            "--base-branch", help="Its runs are the past of a new branch (default: the CI system's, else main)."
        ),
    ] = "",
    gates: Gates = None,
    repo: Repository = None,
    commit: Commit = "",
    branch: Branch = "",
    env: Environment = "",
    run_id: RunId = "",
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for suspected failures too.")] = False,
    allow_partial: Annotated[
        bool,
        typer.Option("--allow-partial", help="Do not fail for damaged reports, nor for a run without any result."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write summary.json and summary.md into this folder.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Append the job summary (GitHub: done by itself).")
    ] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write SARIF 2.1.0.")] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write what matters as JUnit XML.")] = None,
    code_quality: Annotated[
        Path | None, typer.Option("--code-quality", help="Write GitLab's code-quality report.")
    ] = None,
    annotations: Annotated[
        Literal["auto", "github", "none"],
        typer.Option("--annotations", help="Mark files in GitHub's pages, on stdout."),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Keep this run, compare it with its branch, and say only what matters.

    Exit 0 when nothing is newly broken; 1 when something is, when a quality gate holds the run, or when a report is damaged or
    the run holds nothing at all (what is missing may have failed; --allow-partial); 2 when nothing can be read; 3 when something
    needed is unavailable. Failures that are merely suspected pass, unless --strict.
    """
    from qa_agents import summarizing
    from qa_agents.cli.summary_view import as_json_document, show_summary
    from qa_agents.results.checkout import checkout_at
    from qa_agents.settings import ci_facts

    facts, here = ci_facts(), checkout_at(repo or Path.cwd())
    source = summarizing.Source(
        commit=commit or (facts.commit if facts else "") or (here.commit if here else ""),
        branch=branch or (facts.branch if facts else "") or (here.branch if here else ""),
        environment=env,
        run_id=run_id or (f"{facts.provider}-{facts.job}{f'-{env}' if env else ''}" if facts and facts.job else ""),
    )
    fallback = base_branch or (facts.base_branch if facts else "") or MAIN
    with open_workspace(context) as workspace, progress() as show:
        gate_file = summarizing.read_gates(gates) if gates else None
        name = summarizing.take_in(workspace, results, source, show)
        done = summarizing.summarise(
            workspace,
            name,
            baseline=summarizing.find_baseline(workspace, name, baseline, fallback=fallback),
            fallback=fallback,
            gates=gate_file,
            repository=here.root if here else None,
        )
        run = workspace.run_store.get(name)
        written = write_pages(workspace, done.summary, out)
    written += _reports(done, run, sarif=sarif, junit=junit, code_quality=code_quality)
    written += _job_page(done, [path for path in (markdown, facts.summary if facts else None) if path])
    if as_json:
        print_json(as_json_document(done, written=[str(path) for path in written]))
    else:
        show_summary(done)
        if annotations == "github" or (annotations == "auto" and facts is not None and facts.provider == "github"):
            from qa_agents.results.report_formats.annotations import github

            sys.stdout.write(github(done.summary, run))
        for path in written:
            note(f"written: {path}")
    suspected = strict and bool(done.summary.comparison.of("suspected"))
    partial = done.summary.is_partial and not allow_partial
    if partial and not as_json:
        note(_partial(done.summary))
    raise typer.Exit(1 if done.summary.has_findings or done.review_id or suspected or partial else 0)


def _partial(summary: "Summary") -> str:
    names = [file.name for file in summary.damaged]
    if not names:
        return "The run fails because it holds no result at all (--allow-partial lets it pass)."
    told = one_line(", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""))
    return f"The run fails because what is missing from {told} may have failed (--allow-partial lets it pass)."


def _reports(
    done: "Summarised", run: "Run", *, sarif: Path | None, junit: Path | None, code_quality: Path | None
) -> list[Path]:
    from qa_agents.results.report_formats.annotations import gitlab
    from qa_agents.results.report_formats.junit import junit as as_junit
    from qa_agents.results.report_formats.sarif import sarif as as_sarif

    found = []
    if sarif:
        found.append(write_text(sarif, json.dumps(as_sarif(done.summary, run), ensure_ascii=False, indent=1)))
    if junit:
        found.append(write_text(junit, as_junit(done.summary)))
    if code_quality:
        found.append(write_text(code_quality, json.dumps(gitlab(done.summary, run), ensure_ascii=False, indent=1)))
    return found


def _job_page(done: "Summarised", pages: list[Path]) -> list[Path]:
    """Append the job summary to each page: a job may have written to it before."""
    from qa_agents.results.report_formats.job_summary import job_summary

    told = [f"It waits for a signature: qa-agents review sign {done.review_id}"] if done.review_id else []
    text = job_summary(done.summary, told=told)
    for page in pages:
        try:
            page.parent.mkdir(parents=True, exist_ok=True)
            with page.open("a", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            raise InvalidInputError(
                f"{page} cannot be written ({error.strerror}).", hint="Give another place."
            ) from None
    return pages
