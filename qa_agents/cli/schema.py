"""`qa-agents schema`: the shapes that other programs may rely on."""

from typing import Annotated

import typer

from qa_agents.cli.common import print_json
from qa_agents.errors import UsageError

NAMES = ("triage", "import", "report", "incident", "decision", "plan")
_PRINTED = ("triage", "import", "plan")


def schema(name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}.")]) -> None:
    """Print the JSON Schema of what a command prints or reads."""
    from pydantic import BaseModel

    from qa_agents.checkpoint.schema import Decision
    from qa_agents.incidents.importers import ImportReport
    from qa_agents.incidents.schema import Incident, Report
    from qa_agents.plans.schema import TestPlan
    from qa_agents.triage.schema import Triage

    shapes: dict[str, type[BaseModel]] = {
        "triage": Triage,
        "import": ImportReport,
        "report": Report,
        "incident": Incident,
        "decision": Decision,
        "plan": TestPlan,
    }
    if name not in shapes:
        raise UsageError(f"There is no schema {name}.", hint=f"Known are {', '.join(NAMES)}.")
    print_json(shapes[name].model_json_schema(mode="serialization" if name in _PRINTED else "validation"))
