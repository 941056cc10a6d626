"""What the language model works with as a second witness, composed from a workspace's parts."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qa_agents.llm.uses import USES
from qa_agents.storage.canonical import digest_of
from qa_agents.triage.learning import Fit
from qa_agents.triage.witness import ModelWitness
from qa_agents.triage.witness_record import fit_from_decisions, source_of

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace


def open_witness(workspace: "Workspace") -> ModelWitness:
    """The configured model as a witness, each answer with its record."""
    named = asked_of(workspace)
    return ModelWitness(
        workspace.models,
        workspace.prompts,
        may_see=workspace.may_see,
        record=lambda use, answer, prompt: workspace.witness_record.of_answer(use, answer, source_of(prompt, named)),
        asked_of=named,
    )


def standing(workspace: "Workspace", use: str) -> tuple[bool, str] | None:
    """Whether a use has earned to be on by the team's own outcomes, and why; None where none of it was decided."""
    prompt = workspace.prompts.get(USES[use].prompt).sha256
    return workspace.witness_record.standing(use, source_of(prompt, asked_of(workspace)))


def asked_of(workspace: "Workspace") -> str:
    """Names the configured endpoint and models; empty where none is configured."""
    model = workspace.settings.model
    return digest_of([model.base_url, model.model_of("fast"), model.model_of("strong")]) if model else ""


def record_fit(workspace: "Workspace") -> Fit:
    """What `learn` does about the witness."""
    return lambda _show: fit_from_decisions(workspace.database, _same_bug(workspace))


def _same_bug(workspace: "Workspace") -> Callable[[str, str], bool | None]:
    now, store, memory = datetime.now(UTC), workspace.store, workspace.memory

    def same(report_id: str, incident_id: str) -> bool | None:
        mine = store.get(report_id)
        if mine is None or mine.open_at(now):
            return None
        return memory.chain(report_id, now)[-1] == memory.chain(incident_id, now)[-1]

    return same
