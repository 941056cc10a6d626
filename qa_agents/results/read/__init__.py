"""Reads test results, judged outputs and coverage: hostile and damaged files too, and what was not read is always said."""

from qa_agents.results.read.formats.registry import flavours
from qa_agents.results.read.limits import Limits
from qa_agents.results.read.run import read_run

__all__ = ["Limits", "flavours", "read_run"]
