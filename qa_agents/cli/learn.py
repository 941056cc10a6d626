"""`qa-agents learn`: fit everything that is fitted on the team's own outcomes."""

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, print_json, progress
from qa_agents.cli.text import printable
from qa_agents.errors import FindingsError


def learn(context: typer.Context, as_json: Json = False) -> None:
    """Fit what is learned from outcomes, and say what was fitted on how many; exit 1 when nothing could be."""
    with open_workspace(context) as workspace:
        with progress() as show:
            for problem in workspace.memory.catch_up(show):
                note(problem)
        with progress() as show:
            report = workspace.learn(show)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        from rich.markup import escape

        for step in report.steps:
            on = f" on {step.outcomes} outcomes" if step.outcomes is not None else ""
            said = f"; {escape(printable(step.says))}" if step.says else ""
            console().print(f"{step.name}: {step.state}{on}{said}")
    if not report.fitted:
        raise FindingsError(
            f"Nothing was fitted: the memory holds {report.outcomes} closed incidents.",
            hint="`qa-agents incidents import FILE…` brings more.",
        )
