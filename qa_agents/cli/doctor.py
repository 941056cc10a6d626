"""`qa-agents doctor`: what is configured, what is missing, what to do."""

import typer

from qa_agents.cli.common import Json, console, open_workspace, print_json


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check the workspace; exit 1 when something needs attention, 0 when all is well."""
    from qa_agents.diagnosis import diagnose

    with open_workspace(context) as workspace:
        findings = diagnose(workspace)
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        from rich.markup import escape

        out = console()
        signs = {"ok": "[green]ok[/green]", "note": "[cyan]note[/cyan]", "problem": "[red]problem[/red]"}
        for finding in findings:
            out.print(f"{signs[finding.level]:>7}  [bold]{finding.name}[/bold]: {escape(finding.says)}")
            if finding.do:
                out.print(f"         → {escape(finding.do)}")
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
