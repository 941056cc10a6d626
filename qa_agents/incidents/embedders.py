"""Embedders: texts to unit vectors, offline by default, from any OpenAI-compatible server by setting."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from pydantic import SecretStr

from qa_agents.egress import OPENAI, open_client
from qa_agents.errors import EmbedderError
from qa_agents.incidents.minilm import MiniLM, Vectors, encodable, packaged_folder
from qa_agents.incidents.schema import Report
from qa_agents.settings import Settings

EMBEDDED_CHARS = 2_000
"""More than any text's first 128 tokens; what comes after is never read by the model."""
SCANNED_CHARS = 20_000
"""How much of a description is looked at: blank lines may take much of it."""
CACHED_TEXTS = 1_024
SECONDS = 30.0
"""How long one answer of an embedding server may take."""


class Embedder(Protocol):
    """Texts to vectors; equal text and equal fingerprint give equal vectors."""

    @property
    def fingerprint(self) -> str:
        """Name, weights, pooling and length limit: differs whenever vectors would."""

    @property
    def dimension(self) -> int:
        """Length of every vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 of shape (len(texts), dimension), rows of length 1. Raises EmbedderError."""


def text_for_embedding(report: Report) -> str:
    """Summary, newline, description (boilerplate taken out by the caller): at most EMBEDDED_CHARS characters."""
    summary = report.summary.strip()[:EMBEDDED_CHARS]
    lines = (line.strip() for line in report.description[:SCANNED_CHARS].splitlines())
    return "\n".join([summary, *(line for line in lines if line)])[:EMBEDDED_CHARS].strip()


def build_embedder(settings: Settings, outgoing: Callable[[str], str] = lambda text: text) -> Embedder | None:
    """The configured embedder, remembering recent texts; None when vectors are switched off.

    `outgoing` takes out of a text what may not leave this machine; it is asked only where texts do leave it.

    Nothing is loaded before the first text. Raises EmbedderError when it can be seen at once that it will not work.
    """
    if settings.embedder == "none":
        return None
    if settings.embedder == "openai":
        return CachedEmbedder(
            OpenAICompatible(settings.embedder_model, settings.openai_base_url, settings.openai_api_key, outgoing)
        )
    folder = settings.embedder_dir or packaged_folder()
    return CachedEmbedder(MiniLM(folder, threads=settings.embedder_threads, checks=settings.home / "embedder.json"))


class CachedEmbedder:
    """The same embedder, computing the vector of a recent text once per process."""

    def __init__(self, inner: Embedder, size: int = CACHED_TEXTS) -> None:
        self._inner, self._size = inner, size
        self._recent: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """The inner embedder's."""
        return self._inner.fingerprint

    @property
    def dimension(self) -> int:
        """The inner embedder's."""
        return self._inner.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the inner embedder; each distinct text that is not remembered is computed once."""
        with self._lock:
            known = {text: self._recent[text] for text in texts if text in self._recent}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, self._inner.embed(missing), strict=True))
        self._remember(known)
        return np.stack([known[text] for text in texts]) if texts else np.empty((0, self.dimension), np.float32)

    def _remember(self, vectors: dict[str, Vectors]) -> None:
        with self._lock:
            for text, vector in vectors.items():
                self._recent[text] = vector
                self._recent.move_to_end(text)
            while len(self._recent) > self._size:
                self._recent.popitem(last=False)


class OpenAICompatible:
    """Vectors from OpenAI or any server that speaks its /v1/embeddings."""

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: SecretStr | None = None,
        outgoing: Callable[[str], str] = lambda text: text,
    ) -> None:
        if not base_url and not api_key:
            raise EmbedderError(
                "The OpenAI embedder has neither a key nor a server.",
                hint="Set QA_AGENTS_OPENAI_API_KEY, or QA_AGENTS_OPENAI_BASE_URL for a server of your own.",
            )
        self._model, self._base_url, self._outgoing = model, base_url or OPENAI, outgoing
        self._api_key = api_key or SecretStr("none")
        self._dimension = 0

    @property
    def fingerprint(self) -> str:
        """Server and model name: what the server does behind the name cannot be seen from here."""
        return f"openai/{self._model}@{self._base_url.rstrip('/')}"

    @property
    def dimension(self) -> int:
        """Learnt from the first answer; asks the server when there was none yet."""
        if not self._dimension:
            self.embed(["dimension"])
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. One request for up to 256 texts, 30 s each, tried three times."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        from langchain_openai import OpenAIEmbeddings
        from openai import OpenAIError

        http = open_client([self._base_url], timeout=SECONDS)
        client = OpenAIEmbeddings(
            model=self._model,
            openai_api_base=self._base_url,
            openai_api_key=self._api_key,
            check_embedding_ctx_length=False,  # other servers take text, not OpenAI's token numbers
            chunk_size=256,
            request_timeout=SECONDS,
            max_retries=2,
            http_client=http,
        )
        try:
            # An empty text is refused by some servers and gives a zero vector on others.
            sent = [encodable(self._outgoing(text)).strip() or "empty" for text in texts]
            vectors = np.asarray(client.embed_documents(sent), np.float32)
        except (OpenAIError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise EmbedderError(
                f"The embedding server at {self._base_url} did not answer as expected ({_first_line(error)}).",
                hint="Check QA_AGENTS_OPENAI_BASE_URL, the key and `embedder_model`, then repeat.",
            ) from None
        finally:
            http.close()
        return self._checked(vectors, len(texts))

    def _checked(self, vectors: Vectors, count: int) -> Vectors:
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.ndim == 2 else np.zeros(1)
        if len(vectors) != count or not np.isfinite(lengths).all() or not lengths.all():
            raise EmbedderError(
                f"The embedding server at {self._base_url} answered with vectors that cannot be used.",
                hint="Check that `embedder_model` names an embedding model.",
            )
        self._dimension = vectors.shape[1]
        return vectors / lengths


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
