"""Embedders of the suites: real vectors kept in a file between runs, and made ones for made incidents.

100,000 texts take MiniLM the better part of an hour. So each real text is embedded once and kept, and a made incident
gets the vector of the report it was made from, moved by seeded noise. What comes in fresh is always embedded for
real.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.embedders import Embedder
from qa_agents.incidents.minilm import Vectors

NOISE = 0.4
"""Length of the noise on a made incident's vector: its cosine to the real one is about 1 / sqrt(1 + 0.4²) = 0.93."""
CHUNK = 256
_TELL_SECONDS = 10.0

Tell = Callable[[str], None]


class KeptVectors:
    """An embedder that computes each text once and keeps the vectors in a file; another embedder's file is not read."""

    def __init__(self, inner: Embedder, path: Path | None, tell: Tell = lambda _: None) -> None:
        self._inner, self._path, self._tell = inner, path, tell
        self._known: dict[str, Vectors] = {}
        self._saved, self._told = 0, time.monotonic()
        self.computed = 0
        """Texts that were not known."""
        if path and path.exists():
            self.read(path)
            self._saved = len(self._known)

    @property
    def fingerprint(self) -> str:
        """The inner embedder's."""
        return self._inner.fingerprint

    @property
    def dimension(self) -> int:
        """The inner embedder's."""
        return self._inner.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the inner embedder."""
        keys = [_key(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        self._compute(missing)
        return np.stack([self._known[key] for key in keys]) if keys else np.empty((0, self.dimension), np.float32)

    def read(self, path: Path) -> None:
        """Add the vectors of a file. Raises InvalidInputError when it cannot be read or holds another embedder's."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                fingerprint, keys, vectors = str(stored["fingerprint"]), stored["keys"].tolist(), stored["vectors"]
        except (OSError, ValueError, KeyError) as error:
            raise InvalidInputError(
                f"{path} holds no vectors ({error}).", hint="Delete it; it is made again."
            ) from None
        if fingerprint != self.fingerprint:
            raise InvalidInputError(
                f"The vectors in {path} are from {fingerprint}, not {self.fingerprint}.",
                hint="Delete it; it is made again.",
            )
        self._known.update(zip(keys, vectors, strict=True))

    def save(self) -> None:
        """Write what is known to the file, if anything is new."""
        if self._path is None or len(self._known) == self._saved:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part.npz")
        np.savez(
            part,
            fingerprint=np.array(self.fingerprint),
            keys=np.array(list(self._known)),
            vectors=np.stack(list(self._known.values())),
        )
        part.replace(self._path)
        self._saved = len(self._known)

    def _compute(self, missing: Mapping[str, str]) -> None:
        keys = list(missing)
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            self._known.update(zip(chunk, self._inner.embed([missing[key] for key in chunk]), strict=True))
            self.computed += len(chunk)
            if time.monotonic() - self._told >= _TELL_SECONDS:
                self._told = time.monotonic()
                left = len(keys) - start - len(chunk)
                self._tell(f"{self.computed} vectors computed{f', {left} to go' if left else ''}")
                self.save()


class Replayed:
    """An embedder that answers made incidents from the vectors of the real ones, and everything else for real.

    A made incident is recognised by its summary, the first line of what is embedded. Fingerprint and dimension are
    the real embedder's, so that another process opens the same index with the real one.
    """

    def __init__(self, real: Embedder, base: Vectors, made_from: Mapping[str, int]) -> None:
        self._real, self._base, self._made_from = real, base, made_from
        self.replayed = 0
        """Texts that were not embedded."""

    @property
    def fingerprint(self) -> str:
        """The real embedder's."""
        return self._real.fingerprint

    @property
    def dimension(self) -> int:
        """The real embedder's."""
        return self._real.dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the real embedder, for made incidents without the work."""
        rows = [self._made_from.get(text.partition("\n")[0].strip()) for text in texts]
        vectors = np.empty((len(texts), self.dimension), np.float32)
        fresh = [i for i, row in enumerate(rows) if row is None]
        if fresh:
            vectors[fresh] = self._real.embed([texts[i] for i in fresh])
        for i, row in enumerate(rows):
            if row is not None:
                vectors[i] = moved(self._base[row], texts[i])
        self.replayed += len(texts) - len(fresh)
        return vectors


def moved(vector: Vectors, text: str) -> Vectors:
    """The vector of length 1 moved by noise that the text seeds; of length 1 again."""
    seed = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")
    noise = np.random.default_rng(seed).standard_normal(len(vector), np.float32) * (NOISE / np.sqrt(len(vector)))
    result: Vectors = (vector + noise) / np.linalg.norm(vector + noise)
    return result.astype(np.float32)


def to_stderr(sentence: str) -> None:
    """Progress for the person who waits."""
    print(sentence, file=sys.stderr, flush=True)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
