"""`qa-agents doctor`: what is configured, what is missing, what to do."""

from typing import Annotated

import typer

from qa_agents.cli.common import Json, open_workspace
from qa_agents.cli.findings import show_findings


def doctor(
    context: typer.Context,
    ask_model: Annotated[
        bool, typer.Option("--ask-model", help="Also ask the configured language model a tiny question.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the workspace; exit 1 when something needs attention, 0 when all is well."""
    from qa_agents.diagnosis import diagnose

    with open_workspace(context) as workspace:
        findings = diagnose(workspace, ask_model=ask_model)
    show_findings(findings, as_json=as_json)
