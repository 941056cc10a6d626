"""What the triage graph works with, and what is fitted for it, composed from a workspace's parts."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from qa_agents.checkpoint.hours import is_quiet
from qa_agents.incidents.schema import Report
from qa_agents.runtime.record import Recorder
from qa_agents.triage.steps import Parts

if TYPE_CHECKING:
    from qa_agents.triage.learning import Fit
    from qa_agents.wiring import Workspace

DRIFT_SECONDS = 600.0
"""How long a measured inflation of severities is told before it is measured anew."""


def triage_parts(workspace: "Workspace") -> Parts:
    """The parts of the triage graph."""
    recorder = Recorder(workspace.database, workspace.ledger)
    return Parts(
        memory=workspace.memory,
        report_of=_report_reader(workspace),
        issue_of=workspace.tracker.get,
        publish=recorder.publish,
        carry_out=workspace.outbox.carry_out,
        finish=recorder.finish,
        withhold=workspace.outbox.withhold,
        policy=workspace.policy.gate,
        rubric=workspace.rubric,
        propose=workspace.proposer,
        severity_words=lambda: workspace.severity_words,
        opinion=lambda: workspace.severity_opinion,
        severity_drift=_drift_told(workspace),
        inquiry=workspace.inquiry,
        is_quiet=lambda: is_quiet(workspace.policy.quiet_hours, time.time()),
        gatekeeper=workspace.gatekeeper,
        witness=workspace.witness,
        analysed_chars=workspace.settings.analysed_chars,
    )


def fits(workspace: "Workspace") -> dict[str, "Fit"]:
    """What `learn` fits beside the proposals, by name."""
    from qa_agents.triage.questions.required_facts import fit_from_memory as fit_required
    from qa_agents.triage.questions.required_facts import load_required_rules
    from qa_agents.triage.ranking.fit import fit_from_memory as fit_ranking
    from qa_agents.triage.severity.model import fit_from_memory as fit_severity

    memory, database, rubric = workspace.memory, workspace.database, workspace.rubric
    rules = load_required_rules(workspace.settings.required_facts)
    found: dict[str, Fit] = {
        "severity": lambda show: fit_severity(memory, database, show, rubric=rubric),
        "questions": lambda show: fit_required(memory, database, show, rules=rules),
    }
    if workspace.models.available:
        from qa_agents.wiring.witness import record_fit

        found["witness"] = record_fit(workspace)
    found["ranking"] = lambda show: fit_ranking(memory, database, show)
    return found


def _drift_told(workspace: "Workspace") -> Callable[[], str | None]:
    """Says the drift of severities in one sentence, measured anew every DRIFT_SECONDS; None where there is none."""
    told: tuple[float, str | None] | None = None

    def tell() -> str | None:
        nonlocal told
        if told is None or time.monotonic() - told[0] > DRIFT_SECONDS:
            found = workspace.inflation()
            told = time.monotonic(), found.told() if found.drift in ("inflated", "deflated") else None
        return told[1]

    return tell


def _report_reader(workspace: "Workspace") -> Callable[[str], Report]:
    @lru_cache(maxsize=16)
    def read(sha256: str) -> Report:
        return Report.model_validate_json(workspace.document(sha256))

    return read
