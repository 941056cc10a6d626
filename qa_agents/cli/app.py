"""The commands, put together. Nothing heavy is imported here: `--help` must answer at once."""

from pathlib import Path
from typing import Annotated

import typer

from qa_agents import __version__
from qa_agents.cli import (
    advise,
    chat,
    ci,
    db,
    demo,
    doctor,
    gate,
    inbox,
    incidents,
    jira,
    learn,
    ledger,
    library,
    monitor,
    oversight,
    plan,
    policy,
    prompts,
    quality,
    redact,
    review,
    runs,
    schema,
    serve,
    stop,
    summarize,
    triage,
    undo,
)

app = typer.Typer(
    name="qa-agents",
    help="The QA colleague a team would hire: triages bug reports and stops where a person must judge.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qa-agents {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="The workspace folder (default: .qa-agents).")] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The QA colleague a team would hire: triages bug reports and stops where a person must judge."""
    context.obj = home


app.command("chat")(chat.chat)
app.add_typer(incidents.app, name="incidents")
app.add_typer(jira.app, name="jira")
app.add_typer(library.app, name="library")
app.command("triage")(triage.triage)
app.command("plan")(plan.plan)
plan.app.command("advise")(advise.advise)
app.add_typer(plan.app, name="plans")
app.command("export")(plan.export)
app.add_typer(runs.app, name="runs")
app.command("summarize")(summarize.summarize)
app.command("ci")(ci.ci)
app.command("monitor")(monitor.monitor)
app.command("explain")(triage.explain)
app.command("recover")(triage.recover)
review.app.command("stats")(oversight.stats)
review.app.add_typer(oversight.canary, name="canary")
review.app.add_typer(oversight.second, name="second")
review.app.add_typer(oversight.audit, name="audit")
app.add_typer(review.app, name="review")
app.add_typer(policy.app, name="policy")
app.add_typer(prompts.app, name="prompts")
app.command("learn")(learn.learn)
gate.app.command("check")(quality.check)
gate.app.command("certificate")(quality.certificate)
gate.app.command("verify")(quality.verify)
app.add_typer(gate.app, name="gate")
app.add_typer(ledger.app, name="ledger")
app.command("undo")(undo.undo)
app.command("redact")(redact.redact)
app.command("stop")(stop.stop)
app.command("resume")(stop.resume)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.add_typer(inbox.app, name="inbox")
app.add_typer(db.app, name="db")
app.command("doctor")(doctor.doctor)
app.command("schema")(schema.schema)
app.command("demo")(demo.demo)
