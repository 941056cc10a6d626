"""An embedder for tests: no model, no file, the same vectors everywhere."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w{1,64}")


class HashingEmbedder:
    """Sums a pseudo-random direction per word: texts that share words are near, equal texts are equal.

    `calls` holds every text it was asked for, so that a test can see what was computed.
    """

    def __init__(self, dimension: int = 64, name: str = "hashing") -> None:
        self.calls: list[str] = []
        self._dimension, self._name = dimension, name

    @property
    def fingerprint(self) -> str:
        """Name and dimension."""
        return f"{self._name}/{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self._dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 of shape (len(texts), dimension), rows of length 1."""
        self.calls += texts
        rows = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.empty((0, self._dimension), np.float32)

    def _vector(self, text: str) -> NDArray[np.float32]:
        words = _WORD.findall(text.casefold()) or [""]
        summed = np.sum([self._direction(word) for word in words], axis=0)
        vector: NDArray[np.float32] = (summed / np.linalg.norm(summed)).astype(np.float32)
        return vector

    def _direction(self, word: str) -> NDArray[np.float64]:
        digest = hashlib.blake2b(f"{self._name} {word}".encode("utf-8", "replace"), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "little")).standard_normal(self._dimension)
