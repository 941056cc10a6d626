"""`qa-agents gate check|certificate|verify`: is a run good enough, who stands for it, and does that still hold?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, print_json, progress
from qa_agents.cli.text import one_line
from qa_agents.errors import InvalidInputError

if TYPE_CHECKING:
    from qa_agents.results.certificate import Certificate, Check
    from qa_agents.results.gates import Judged
    from qa_agents.summarizing import Summarised

Out = Annotated[
    Path | None, typer.Option("--out", help="Write certificate.html and certificate.json into this folder.")
]
COLOURS = {"green": "green", "red": "bold red", "undecided": "yellow", "waived": "cyan"}
WORDS = {"green": "kept", "red": "BROKEN", "undecided": "UNDECIDED", "waived": "waived"}


def check(
    context: typer.Context,
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN…", help="Result files, folders, patterns, zips, or a kept run's id.")
    ],
    gates: Annotated[Path, typer.Option("--gates", help="The promises (see examples/gates.toml).")] = Path(
        "gates.toml"
    ),
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="What to compare with: a run, `last-green` or `branch:NAME`.")
    ] = None,
    commit: Annotated[str, typer.Option("--commit", help="The commit that was tested.")] = "",
    branch: Annotated[str, typer.Option("--branch", help="Its branch.")] = "",
    env: Annotated[str, typer.Option("--env", help="Where it ran.")] = "",
    run_id: Annotated[
        str, typer.Option("--run-id", help="What to call the run (default: made from its content).")
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="Judge anew; what was signed before is void then.")] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Hold a test run against quality gates; a broken or open promise waits for somebody accountable to sign.

    Exit 0 when every promise is kept or waived, 1 when one waits for a signature or was refused, 2 for a wrong gate file.
    """
    from qa_agents import summarizing
    from qa_agents.certifying import certify

    with open_workspace(context) as workspace, progress() as show:
        file = summarizing.read_gates(gates)
        before = summarizing.Source(branch=branch, environment=env)
        if baseline and not baseline.startswith((summarizing.LAST_GREEN, summarizing.BRANCH)):
            baseline = summarizing.take_in(workspace, [baseline], before, show)
        source = summarizing.Source(commit=commit, branch=branch, environment=env, run_id=run_id)
        name = summarizing.take_in(workspace, runs, source, show)
        found = summarizing.find_baseline(workspace, name, baseline)
        done = summarizing.summarise(workspace, name, baseline=found, gates=file, again=again)
        made = None if done.review_id else certify(workspace, name)
    written = _write(made, out) if made else []
    if as_json:
        print_json(_document(done, made, written))
    else:
        show_gates(done)
        _tell(written)
        if out and not made:
            note("No certificate was written: it waits for a signature.")
    raise typer.Exit(0 if made and made.standing != "refused" else 1)


def certificate(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="Id of a kept run that was held against gates.")],
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Certify what was promised, measured and decided about a run; the ledger keeps the certificate's digest.

    Exit 0 when it passed or was signed, 1 when it was refused or waits.
    """
    from qa_agents.certifying import certify

    with open_workspace(context) as workspace:
        made = certify(workspace, run)
    written = _write(made, out)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        by = f" by {made.decision.reviewer}" if made.decision else ""
        console().print(
            one_line(f"{made.run.run_id}: {made.standing}{by}") + f", seal {made.sha256}",
            markup=False,
            soft_wrap=True,
        )
        _tell(written)
    raise typer.Exit(1 if made.standing == "refused" else 0)


def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A certificate, .html or .json.")],
    inputs: Annotated[
        list[Path] | None, typer.Option("--input", help="A file the run was read from, to compare; repeatable.")
    ] = None,
    without_ledger: Annotated[
        bool, typer.Option("--without-ledger", help="Check the certificate alone; it may be a forgery all the same.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a certificate again: its seal, the promises, the numbers, the signature, waivers, and the ledger.

    Exit 0 when everything that was checked holds, 1 when something does not, 2 when it is no certificate.
    """
    from qa_agents.certifying import holds
    from qa_agents.certifying import verify as check_again

    try:
        body = file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read ({error.strerror}).", hint="Name a certificate.") from None
    if without_ledger:
        found, checked = check_again(None, body, file.name, inputs=inputs or ())
    else:
        with open_workspace(context) as workspace:
            found, checked = check_again(workspace, body, file.name, inputs=inputs or ())
    good = holds(checked)
    if as_json:
        print_json(
            {
                "holds": good,
                "run": found.run.run_id,
                "standing": found.standing,
                "checks": [one.model_dump(mode="json") for one in checked],
            }
        )
    else:
        _show_checks(found, checked, good)
    raise typer.Exit(0 if good else 1)


def show_gates(done: "Summarised") -> None:
    """The promises as a table, and what to do next."""
    from rich.markup import escape

    out, summary = console(), done.summary
    against = f"against {summary.baseline.run_id}" if summary.baseline else "with no baseline"
    out.print(f"[bold]{escape(one_line(summary.run.run_id))}[/bold] {escape(one_line(against))}", soft_wrap=True)
    out.print(gate_table(summary.gates))
    if done.review_id:
        item = next((one.gate.name for one in summary.gates if one.outcome in ("red", "undecided")), "")
        out.print("[bold]Somebody accountable must sign[/bold], or it is refused:")
        out.print(
            f"  qa-agents review sign {done.review_id} --waive '{escape(item)}=why' --owner … --expires 2w",
            soft_wrap=True,
        )
        out.print(f"  qa-agents review reject {done.review_id} --reason other", soft_wrap=True)
    elif done.verdict:
        out.print(f"It was answered before: {escape(done.verdict)}.")


def gate_table(judged: "tuple[Judged, ...]") -> Any:
    """One row per promise: outcome, what was promised, what was measured, why."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("gate", "", "promise", "measured", "why")
    for one in judged:
        mark = f"[{COLOURS[one.outcome]}]{WORDS[one.outcome]}[/{COLOURS[one.outcome]}]"
        cells = one.gate.name, mark, one.gate.promise, str(one.measured) if one.measured else "–", one.because
        table.add_row(*(cell if cell is mark else escape(one_line(cell, limit=300)) for cell in cells))
    return table


def _show_checks(found: "Certificate", checked: "list[Check]", good: bool) -> None:
    from rich.markup import escape

    out = console()
    signs = {True: "[green]holds[/green]", False: "[bold red]REFUSED[/bold red]", None: "[yellow]not checked[/yellow]"}
    for one in checked:
        out.print(f"{signs[one.holds]}  {escape(one.name)}: {escape(one_line(one.says, limit=300))}", soft_wrap=True)
    name = escape(one_line(found.run.run_id))
    out.print(
        f"The certificate of {name} holds." if good else f"The certificate of {name} does not hold.", soft_wrap=True
    )


def _document(done: "Summarised", made: "Certificate | None", written: list[Path]) -> dict[str, Any]:
    summary = done.summary
    return {
        "run": summary.run.run_id,
        "baseline": summary.baseline.run_id if summary.baseline else None,
        "gate": summary.gate,
        "gates": [one.model_dump(mode="json") for one in summary.gates],
        "review_id": done.review_id,
        "standing": made.standing if made else "waiting",
        "certificate_sha256": made.sha256 if made else None,
        "written": [str(path) for path in written],
    }


def _write(made: "Certificate", out: Path | None) -> list[Path]:
    if out is None:
        return []
    from qa_agents.cli.summarize import write_text
    from qa_agents.results.certificate import page, to_json

    return [
        write_text(out / "certificate.html", page(made)),
        write_text(out / "certificate.json", to_json(made).decode("utf-8")),
    ]


def _tell(written: list[Path]) -> None:
    for path in written:
        note(f"written: {path}")
