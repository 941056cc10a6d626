"""What "learn" means: everything that is fitted on the team's own outcomes, fitted anew, and whether that is due.

Each fit stands alone: one that fails or has too little to go on leaves what it fitted before, and says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from qa_agents.errors import QAAgentsError
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.search import Memory
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned, learned_sha256, load_learned
from qa_agents.triage.classify import Neighbours, classify
from qa_agents.triage.following import PROPOSALS, WINDOW, moved
from qa_agents.triage.proposals.fitted import FittedProposals
from qa_agents.triage.schema import FieldName, Proposal

NAME = PROPOSALS
"""Under this name the newest models are kept."""
MIN_OUTCOMES = 100
"""With fewer closed incidents nothing is fitted."""
GROWTH = 0.2
"""When the outcomes grew by this share since the last fit, it is due again."""
MAX_INCIDENTS = 40_000
"""Only so many of the newest incidents are fitted on: bounds time and memory."""
_PAGE = 2_000

Progress = Callable[[str, int, int], None]
Fit = Callable[[Progress], Mapping[str, object] | None]


class Step(BaseModel):
    """One thing that was to be fitted."""

    name: str
    state: Literal["fitted", "left alone", "failed"]
    says: str
    outcomes: int | None = None


class LearnReport(BaseModel):
    """What a `learn` did."""

    outcomes: int
    """Closed incidents in memory."""
    steps: list[Step] = Field(default_factory=list)

    @property
    def fitted(self) -> list[Step]:
        """The steps that fitted something."""
        return [step for step in self.steps if step.state == "fitted"]


class Standing(BaseModel):
    """How the fitted proposals stand to the memory as it is now."""

    fitted_on: int | None = None
    """Closed incidents; None when nothing was fitted."""
    at: datetime | None = None
    since: int = 0
    """Closed incidents that came since."""
    usable: bool = False
    """Fitted with the same word index and embedder as now."""
    due: bool = False
    fields: list[str] = Field(default_factory=list)
    left_alone: dict[str, str] = Field(default_factory=dict)

    def __str__(self) -> str:
        if self.fitted_on is None:
            return "Nothing was fitted on this memory: neighbours vote, and no probability is shown."
        at = f"{self.at:%Y-%m-%d}" if self.at else "an unknown date"
        text = f"{', '.join(self.fields) or 'no field'} fitted on {self.fitted_on} outcomes of {at}, {self.since} since"
        return f"{text}." if self.usable else f"{text}; not used, because the index is another by now."


def learn(memory: Memory, database: Database, fits: Mapping[str, Fit], progress: Progress) -> LearnReport:
    """Fit everything: the proposals, then each of `fits` by name. Never raises for one of them; interruptions pass."""
    report = LearnReport(outcomes=memory.store.count_decided())
    report.steps.append(_attempt(NAME, lambda show: fit_from_memory(memory, database, show), progress))
    report.steps += [_attempt(name, fit, progress) for name, fit in fits.items()]
    return report


def fit_from_memory(memory: Memory, database: Database, progress: Progress) -> dict[str, object] | None:
    """Fit the proposals on the memory as it is now and keep them; what on, or None with too few outcomes."""
    from qa_agents.triage.proposals.fit import fit_proposals

    outcomes = memory.store.count_decided()
    if outcomes < MIN_OUTCOMES:
        return None
    incidents, keys = _incidents(memory, progress)
    now = datetime.now(UTC)
    fitted = fit_proposals(incidents, _vectors(memory, keys, progress), now, progress)
    about: dict[str, object] = {
        "fingerprint": memory.fingerprint,
        "n": outcomes,
        "at": now.isoformat(),
        "fields": list(fitted.fields),
        "left_alone": dict(fitted.left_alone),
        "known_until": max((model.now for model in fitted.fields.values()), default=now).isoformat(),
        "with_vectors": fitted.with_vectors,
    }
    with database.write() as connection:
        keep_learned(connection, NAME, fitted.to_bytes(), **about)
    return about


def standing(memory: Memory, database: Database) -> Standing:
    """How old what was fitted is, and whether fitting anew is due."""
    outcomes = memory.store.count_decided()
    with database.read() as connection:
        kept = load_learned(connection, NAME)
    if kept is None:
        return Standing(due=outcomes >= MIN_OUTCOMES)
    before = int(kept.about["n"])
    usable = kept.about["fingerprint"] == memory.fingerprint
    return Standing(
        fitted_on=before,
        at=datetime.fromisoformat(kept.about["at"]),
        since=max(0, outcomes - before),
        usable=usable,
        due=outcomes >= MIN_OUTCOMES and (not usable or outcomes >= before * (1 + GROWTH)),
        fields=kept.about["fields"],
        left_alone=kept.about["left_alone"],
    )


class Proposer:
    """Proposes component, type, priority and assignee with the newest that was fitted on this memory.

    What was fitted is read again when another process has fitted anew. Without a model of a field its neighbours vote.
    """

    def __init__(self, memory: Memory, database: Database) -> None:
        self._memory, self._database = memory, database
        self._read: tuple[str | None, str | None] = (None, None)
        self._fitted: FittedProposals | None = None

    def __call__(self, report: Report, neighbours: Neighbours, as_of: datetime) -> dict[FieldName, Proposal]:
        """A proposal for every field; `neighbours` are masked to what was known at `as_of`."""
        voted = classify(report, neighbours, as_of)
        fitted = self.fitted
        if fitted is None:
            return voted
        return {**voted, **fitted.predict(report, neighbours, self._memory.vector_of(report), as_of)}

    @property
    def fitted(self) -> FittedProposals | None:
        """The newest models; None before the first fit, or where they were fitted with another index."""
        with self._database.read() as connection:
            newest = (learned_sha256(connection, NAME), learned_sha256(connection, WINDOW))
            if newest != self._read:
                kept = load_learned(connection, NAME)
                self._fitted = None
                if kept is not None and kept.about["fingerprint"] == self._memory.fingerprint:
                    with contextlib.suppress(QAAgentsError):  # `doctor` and `learn` say what is wrong
                        fitted = FittedProposals.from_bytes(kept.body)
                        self._fitted = moved(fitted, load_learned(connection, WINDOW), kept.sha256)
                self._read = newest
        return self._fitted


def _attempt(name: str, fit: Fit, progress: Progress) -> Step:
    try:
        about = fit(progress)
    except QAAgentsError as error:
        return Step(name=name, state="failed", says=str(error))
    except Exception as error:  # one fit must not cost the others
        return Step(name=name, state="failed", says=f"{type(error).__name__}: {error}"[:200])
    if about is None:
        return Step(name=name, state="left alone", says="too few outcomes")
    if isinstance(why := about.get("left_alone"), str):
        return Step(name=name, state="left alone", says=why)
    n = about.get("n")
    alone = about.get("left_alone")
    notes = [f"{field}: {why}" for field, why in alone.items()] if isinstance(alone, dict) else []
    told = about.get("fields")
    figures = (f"{key.replace('_', ' ')} {value}" for key, value in about.items() if key != "n" and _is_number(value))
    says = ", ".join(map(str, told)) or "no field" if isinstance(told, list) else ", ".join(figures)
    return Step(
        name=name,
        state="fitted",
        says="; ".join(part for part in (says, *(f"left alone: {note}" for note in notes)) if part),
        outcomes=n if isinstance(n, int) else None,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _incidents(memory: Memory, progress: Progress) -> tuple[list[Incident], dict[str, int]]:
    """The newest incidents, and the key of each by id."""
    found, keys, seq, total = [], {}, 0, memory.store.count()
    while page := memory.store.changes(seq, _PAGE):
        seq = page[-1].seq
        for change in page:
            found.append(change.incident)
            keys[change.incident.id] = change.pk
        progress("reading the memory", len(found), total)
    first = datetime.min.replace(tzinfo=UTC)
    found.sort(key=lambda incident: incident.created or first)
    return found[-MAX_INCIDENTS:], keys


def _vectors(memory: Memory, keys: Mapping[str, int], progress: Progress) -> dict[str, NDArray[np.float32]]:
    """The stored vectors by incident id; without an index, or where it is busy, none."""
    ids = {pk: name for name, pk in keys.items()}
    progress("reading vectors", 0, len(ids))
    return {ids[pk]: vector for pk, vector in memory.stored_vectors(ids).items()}
