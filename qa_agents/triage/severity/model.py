"""A statistical second opinion on severity: how the team has called the like, as calibrated probabilities per level.

A multinomial logistic regression over words, factors, neighbours' severities and the reporter's habit, brought to
calibrated probabilities on the newest eighth, which the first fit has not seen, by a temperature and one offset per level
(vector scaling: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017). It never lowers what
the rubric evidences; it only says when people should look.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qa_agents.errors import StorageError
from qa_agents.incidents.schema import Report
from qa_agents.storage.learned import load_learned
from qa_agents.triage.calibrate import Block, Curve, Rate
from qa_agents.triage.classify import Neighbours
from qa_agents.triage.severity.features import Numbers, Past, Reading, Shape, Vote, other_row, read, word_row
from qa_agents.triage.severity.rubric import Rubric, load_rubric
from qa_agents.triage.severity.scale import UNSCALED, Scale

if TYPE_CHECKING:
    from qa_agents.incidents.search import Memory
    from qa_agents.incidents.store import IncidentStore
    from qa_agents.storage.engine import Database

NAME = "severity"
"""Under this name the newest model is kept."""
FORMAT = 2
VOTERS = 15
"""So many of the nearest incidents with a known severity vote, those of the cosine below MIN_COSINE not."""
MIN_COSINE = 0.3


class Opinion(NamedTuple):
    """What the team's past says about a report's level, 1 being the most severe."""

    level: int
    """The level named when one must be named: chosen so that rare levels are found too, see `SeverityModel.tau`."""
    probabilities: tuple[float, ...]
    """Calibrated, per level from the most severe; they add to 1."""
    held_out: Rate
    """How often the likeliest level was right in held-out cases read this surely."""
    scale: Scale = UNSCALED
    """What people called the reports at each level of the rubric."""

    @property
    def likeliest(self) -> int:
        """The level of the highest probability."""
        return 1 + int(np.argmax(self.probabilities))

    def chance_within(self, level: int, levels: int) -> float:
        """The probability that the team would call it less than `levels` away from `level`."""
        near = (p for at, p in enumerate(self.probabilities, start=1) if abs(at - level) < levels)
        return float(sum(near))

    def chance_of(self, level: int) -> float:
        """The calibrated probability that the team would call it `level`."""
        return float(self.probabilities[level - 1])


@dataclass(frozen=True)
class SeverityModel:
    """A fitted model; immutable, prediction in numpy only."""

    shape: Shape
    weights: Numbers
    """Columns (words, then others) by levels, bias last; temperature and offsets are folded in."""
    past: Mapping[str, Past]
    """Each reporter's newest reports, as known when it was fitted."""
    tau: float
    """The level named is that of the highest probability / base rate**tau (logit adjustment: Menon et al. 2021)."""
    curve: Curve
    """How often the likeliest level was right, by its probability, on held-out cases."""
    n: int
    fingerprint: str
    """Names the rubric, the words' tokenizer and the embedder it was fitted with; another voids it."""
    scale: Scale = UNSCALED

    def of(self, reading: Reading, votes: Sequence[Vote], moment: float, past: Past | None = None) -> Opinion:
        """The opinion on a report that was read and filed at `moment`; `past` where more is known of its reporter by now."""
        columns, values = word_row(self.shape, reading.words)
        own = self.past.get(reading.reporter, ()) if past is None else past
        others = other_row(self.shape, reading, votes, own, moment)
        first = len(self.shape.terms)
        logits = values.astype(np.float64) @ self.weights[columns] + others @ self.weights[first:-1] + self.weights[-1]
        likely = softmax(logits)
        adjusted = likely / self.shape.base**self.tau
        told = self.curve.predict(float(likely.max()))
        return Opinion(1 + int(np.argmax(adjusted)), tuple(map(float, likely)), told, self.scale)

    def to_bytes(self) -> bytes:
        """As an .npz without pickle; `from_bytes` reads it."""
        about = {
            "format": FORMAT,
            "levels": self.shape.levels,
            "flags": self.shape.flags,
            "past": self.past,
            "tau": self.tau,
            "curve": [block.model_dump() for block in self.curve.blocks],
            "n": self.n,
            "fingerprint": self.fingerprint,
            "scale": self.scale.counts,
        }
        body = io.BytesIO()
        np.savez_compressed(
            body,
            about=np.array(json.dumps(about)),
            terms=self.shape.terms,
            idf=self.shape.idf,
            base=self.shape.base,
            weights=self.weights.astype(np.float32),
        )
        return body.getvalue()

    @classmethod
    def from_bytes(cls, body: bytes) -> SeverityModel:
        """Raises StorageError when the bytes are damaged or of another release."""
        try:
            with np.load(io.BytesIO(body), allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                if about["format"] != FORMAT:
                    raise ValueError(f"format {about['format']}")
                base = stored["base"].astype(np.float64)
                shape = Shape(about["levels"], stored["terms"], stored["idf"], tuple(about["flags"]), base)
                weights = stored["weights"].astype(np.float64)
                curve = Curve(blocks=[Block.model_validate(block) for block in about["curve"]])
                scale = Scale(tuple(tuple(map(int, row)) for row in about["scale"]))
            tau, n, fingerprint = float(about["tau"]), int(about["n"]), about["fingerprint"]
            return cls(shape, weights, about["past"], tau, curve, n, fingerprint, scale)
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise StorageError(
                f"The fitted severity model cannot be read ({error}).", hint="Fit it again: qa-agents learn"
            ) from None


def fingerprint_of(rubric: Rubric, memory_fingerprint: str) -> str:
    """Names what the numbers that the model reads are made with."""
    return f"{FORMAT} {rubric.sha256[:16]} {memory_fingerprint}"


def fit_from_memory(
    memory: Memory,
    database: Database,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    rubric: Rubric | None = None,
) -> dict[str, object] | None:
    """Fit on the memory's labelled incidents and keep the model; what it was fitted on, or None with too few labels."""
    from qa_agents.triage.severity.fit import fit_memory

    return fit_memory(memory, database, rubric or load_rubric(), progress)


class SecondOpinion:
    """A fitted model at work: knows what each reporter has filed since it was fitted."""

    def __init__(self, model: SeverityModel, rubric: Rubric, store: IncidentStore, seq: int) -> None:
        self._model, self._rubric, self._store, self._seq = model, rubric, store, seq
        self._since: dict[str, dict[float, int]] = {}

    def __call__(self, report: Report, neighbours: Neighbours, words: Collection[str], as_of: datetime) -> Opinion:
        """The opinion on a report as filed; `words` are all words the team uses for severities."""
        self._catch_up(words)
        reading = read(report, self._rubric)
        past = {**dict(self._model.past.get(reading.reporter, ())), **self._since.get(reading.reporter, {})}
        votes = votes_of(neighbours, self._rubric, words)
        return self._model.of(reading, votes, as_of.timestamp(), sorted(past.items()))

    def _catch_up(self, words: Collection[str]) -> None:
        while page := self._store.changes(self._seq, _PAGE):
            self._seq = page[-1].seq
            for incident in (change.incident for change in page):
                level = self._rubric.level_of(incident.severity, words) if incident.severity else None
                if level is not None and incident.created and incident.reporter:
                    self._since.setdefault(incident.reporter, {})[incident.created.timestamp()] = level - 1


def load_opinion(
    database: Database, store: IncidentStore, rubric: Rubric, memory_fingerprint: str
) -> SecondOpinion | None:
    """The newest fitted model, ready to be asked; None before the first fit, or when it was fitted with something else."""
    with database.read() as connection:
        kept = load_learned(connection, NAME)
    if kept is None or kept.about.get("fingerprint") != fingerprint_of(rubric, memory_fingerprint):
        return None
    return SecondOpinion(SeverityModel.from_bytes(kept.body), rubric, store, int(kept.about["seq"]))


_PAGE = 500


def votes_of(neighbours: Neighbours, rubric: Rubric, words: Collection[str]) -> list[Vote]:
    """The votes of the nearest incidents that were compared by meaning and whose severity is known, nearest first."""
    known = [
        (candidate.dense, level - 1)
        for candidate, incident in neighbours
        if candidate.dense is not None and candidate.dense >= MIN_COSINE and incident.severity
        if (level := rubric.level_of(incident.severity, words)) is not None
    ]
    return sorted(known, key=lambda vote: -vote[0])[:VOTERS]


def softmax(logits: NDArray[np.float64]) -> Numbers:
    """Rows of logits to probabilities."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    likely: Numbers = shifted / shifted.sum(axis=-1, keepdims=True)
    return likely
