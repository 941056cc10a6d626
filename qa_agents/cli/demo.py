"""`qa-agents demo`: from nothing to a finished triage that waits at the checkpoint."""

from pathlib import Path
from typing import Annotated

import typer

from qa_agents.cli.common import Json, note, open_workspace, print_json

DEMO_REPORT = "01-regression-of-fixed.json"


def demo(
    context: typer.Context,
    as_json: Json = False,
    report: Annotated[str, typer.Option(help="Which of the example reports.")] = DEMO_REPORT,
) -> None:
    """Import the example incidents, triage an example report, and stop at the checkpoint. No key and no server needed."""
    from qa_agents.cli.incidents import index
    from qa_agents.cli.verdict import show_verdict
    from qa_agents.incidents.importers import import_files
    from qa_agents.incidents.intake import read_report
    from qa_agents.operations.handling import handle

    if context.obj is None:
        context.obj = Path(".qa-agents") / "demo"
    with open_workspace(context) as workspace:
        examples = workspace.examples
        known = workspace.store.count()
        imported = import_files([examples / "incidents.jsonl"], workspace.store.upsert)
        if not known:
            note(f"Imported {imported.imported} example incidents; computing their vectors (once).")
        index(workspace, vectors=True)
        (received,) = read_report(examples / "reports" / report, workspace.settings.max_report_bytes)
        handled = handle(workspace, received, options={"k": 20, "remember": True})
    if as_json:
        print_json(handled.as_json())
        return
    assert handled.triage is not None, "the example reports are valid"
    show_verdict(handled.triage, home=context.obj)
