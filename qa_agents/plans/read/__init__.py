"""Reads specifications: hostile files in, text and blocks with exact offsets out; what was not read is always said."""

from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.sources import Document, read_sources

__all__ = ["Document", "Limits", "read_sources"]
