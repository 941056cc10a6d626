"""What the plan graph works with, composed from a workspace's parts."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qa_agents.incidents.schema import Incident, Report
from qa_agents.plans.decisions import ItemDecision, answer, decided
from qa_agents.plans.steps import PlanParts
from qa_agents.runtime.record import Recorder

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

SIMILAR_TO_TEXT = 25
"""How many past incidents are looked at for one requirement."""


def plan_parts(workspace: "Workspace") -> PlanParts:
    """The parts of the plan graph."""
    recorder = Recorder(workspace.database, workspace.ledger)

    def known(plan: str) -> Sequence[ItemDecision]:
        with workspace.database.read() as connection:
            return decided(connection, plan)

    def note(plan: str, answers: Mapping[str, str], by: str) -> None:
        with workspace.database.write() as connection:
            answer(connection, plan, answers, by, at=time.time())

    def similar(text: str, levels: Sequence[str]) -> Sequence[tuple[float, Incident]]:
        closed = next((one for one in levels if not workspace.shows_level(one)), "")
        asked = {"id": "a requirement", "summary": text[:300], "description": "", "security": closed}
        memory, report = workspace.memory, Report.model_validate(asked)
        retrieval = memory.search(report, k=SIMILAR_TO_TEXT)
        return [(candidate.score, incident) for candidate, incident in memory.neighbours(retrieval)]

    return PlanParts(
        document=workspace.document,
        keep=workspace.keep,
        publish=recorder.publish,
        finish=recorder.finish,
        decided=known,
        answer=note,
        similar=similar,
    )
