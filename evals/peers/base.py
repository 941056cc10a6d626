"""What every peer can do."""

from typing import Protocol

from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Report


class MissingPeerError(UnavailableError):
    """The library that a peer is made of is not installed."""


class Peer(Protocol):
    """Finds past incidents like a report."""

    name: str

    def search(self, report: Report, k: int) -> list[str]:
        """Ids of the k nearest incidents, nearest first."""

    def close(self) -> None:
        """Give back what is held."""
