"""A ranker: trees for reports with and without vectors, and what turns their score into a probability; as one file.

The file is a NumPy archive of plain arrays with a JSON text that says what it was fitted on; nothing in it is run.
"""

import io
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from qa_agents.triage.ranking.features import VERSION
from qa_agents.triage.ranking.trees import Trees

SHIPPED = Path(__file__).with_name("shipped.npz")
_ARRAYS = ("column", "threshold", "nan_left", "mask", "value")
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Odds:
    """log-odds that the candidate is the same bug: `score` times its score, `lead` times its lead over the next best.

    Platt (1999), on two inputs; both slopes are 0 or more, so that the order of the scores stays.
    """

    score: float
    lead: float
    constant: float

    def probabilities(self, scores: Numbers) -> Numbers:
        """One for each score of a pool."""
        if not len(scores):
            return scores
        logits = self.score * scores + self.lead * leads(scores) + self.constant
        found: Numbers = 1.0 / (1.0 + np.exp(-np.clip(logits, -50, 50)))
        return found


def leads(scores: Numbers) -> Numbers:
    """Each score minus the best of the others; 0 for a single one."""
    if len(scores) < 2:
        return np.zeros(len(scores))
    second, best = np.partition(scores, len(scores) - 2)[-2:]
    first = int(np.argmax(scores))
    against = np.full(len(scores), best)
    against[first] = second
    found: Numbers = scores - against
    return found


@dataclass(frozen=True, slots=True)
class Model:
    """One fitted order of candidates."""

    trees: Trees
    odds: Odds


@dataclass(frozen=True, slots=True)
class Ranker:
    """What orders candidates: one model for pools with vectors, one for pools of words alone."""

    names: tuple[str, ...]
    """The features, in the order of the columns."""
    with_vectors: Model
    words_only: Model
    about: dict[str, Any] = field(default_factory=dict)
    """What it was fitted on, and how."""

    def model(self, has_vectors: bool) -> Model:
        """The one that fits the pool."""
        return self.with_vectors if has_vectors else self.words_only


def dump(ranker: Ranker) -> bytes:
    """The ranker as the bytes of a file; the same ranker gives the same bytes."""
    models = {"vectors": ranker.with_vectors, "words": ranker.words_only}
    arrays = {
        f"{kind}_{name}": np.asarray(getattr(model.trees, name)) for kind, model in models.items() for name in _ARRAYS
    }
    odds = {kind: [model.odds.score, model.odds.lead, model.odds.constant] for kind, model in models.items()}
    header = {"features": VERSION, "names": list(ranker.names), "odds": odds, "about": ranker.about}
    text = np.frombuffer(orjson.dumps(header, option=orjson.OPT_SORT_KEYS), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, header=text, allow_pickle=False, **arrays)
    return buffer.getvalue()


def load(body: bytes) -> Ranker | None:
    """The ranker in these bytes; None when they are damaged or made for other features."""
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            header = orjson.loads(stored["header"].tobytes())
            if header["features"] != VERSION:
                return None
            models = {
                kind: Model(Trees(*(stored[f"{kind}_{name}"] for name in _ARRAYS)), Odds(*header["odds"][kind]))
                for kind in ("vectors", "words")
            }
        names = tuple(header["names"])
        if any(model.trees.columns > len(names) for model in models.values()):
            return None
        return Ranker(names, models["vectors"], models["words"], header["about"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, orjson.JSONDecodeError):
        return None


@lru_cache(maxsize=1)
def shipped() -> Ranker | None:
    """The ranker that comes with the release; None when its file is missing or damaged."""
    try:
        return load(SHIPPED.read_bytes())
    except OSError:
        return None
