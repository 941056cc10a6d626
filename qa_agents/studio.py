"""The graphs for LangGraph Studio, compiled without a saver: Studio brings its own."""

from typing import Any

from qa_agents.settings import load_settings
from qa_agents.wiring import Workspace


def triage() -> Any:
    """The triage graph over the workspace that the settings name."""
    from qa_agents.triage.graph import build_triage

    return build_triage(Workspace(load_settings()).triage_parts).compile()
