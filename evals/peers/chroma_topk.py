"""Plain Chroma: one collection with default settings, whole texts embedded by the same model, its own top k."""

from collections.abc import Sequence
from pathlib import Path

from evals.peers.base import MissingPeerError
from qa_agents.incidents.embedders import Embedder, text_for_embedding
from qa_agents.incidents.schema import Incident, Report

BATCH = 4_000
"""Chroma refuses more than about 5,400 at once."""


class ChromaTopK:
    """A persistent collection, squared Euclidean distance, which on vectors of length 1 ranks as cosine does."""

    name = "chroma_topk"

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError:
            raise MissingPeerError("chromadb is not installed.", hint="pip install -e .") from None
        self._embedder = embedder
        self._client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        self._collection = self._client.create_collection("incidents", embedding_function=None)

    def add(self, incidents: Sequence[Incident]) -> None:
        """Embed and add."""
        for start in range(0, len(incidents), BATCH):
            batch = incidents[start : start + BATCH]
            vectors = self._embedder.embed([text_for_embedding(incident) for incident in batch])
            self._collection.add(ids=[incident.id for incident in batch], embeddings=vectors)

    def search(self, report: Report, k: int) -> list[str]:
        """Embed the report and ask."""
        vector = self._embedder.embed([text_for_embedding(report)])
        return list(self._collection.query(query_embeddings=vector, n_results=k, include=["distances"])["ids"][0])

    def close(self) -> None:
        """Close the client."""
        self._client.close()  # type: ignore[attr-defined]  # there, but not in the interface
