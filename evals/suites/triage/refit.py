"""Everything that learns from the team's outcomes, fitted on what the memory knows now, by the operation that users have."""

from datetime import datetime

from evals.vectors import Tell
from qa_agents.wiring import Workspace

CACHED = ("triage_parts", "_severity_words")
"""What a new process would build anew."""


def refit(workspace: Workspace, now: datetime, tell: Tell = lambda _: None) -> list[str]:
    """Fit all there is, as `qa-agents learn` does; what was fitted on how many, or why not, in a few words each."""
    tell(f"fitting on what is known at {now:%Y-%m-%d}")
    report = workspace.learn()
    for name in CACHED:
        workspace.__dict__.pop(name, None)
    return [f"{step.name} {step.state}: {step.says}".rstrip(": ") for step in report.steps]
