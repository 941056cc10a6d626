"""The memory: what the team has seen that is like this report, by words and by meaning, as it was known at the time."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from qa_agents.errors import QAAgentsError
from qa_agents.incidents.bm25f import Numbers
from qa_agents.incidents.embedders import Embedder, text_for_embedding
from qa_agents.incidents.lexical import INDEXED_CHARS, LexicalIndex, Progress
from qa_agents.incidents.minilm import Vectors
from qa_agents.incidents.pool import BY_VECTOR, Gathered, Pool, best, fuse, gathered_rows, log_gaps, matches_of
from qa_agents.incidents.schema import Candidate, Incident, Report, Retrieval
from qa_agents.incidents.store import IncidentStore, MemoryStats
from qa_agents.incidents.vectors import VectorIndex, row_of, text_sha

SMALL_BACKLOG = 16
"""So many missing vectors are computed by the search that meets them; more are left to `catch_up`."""
SHARED_FOR = 10
"""Words in common are named for so many of the best candidates."""
QUESTION_ID = "(question)"
LOOKED_AT = 30
"""So many candidates at least are looked at for a question, whose order is another."""
VECTORS_AT_ONCE = 1_000
"""Vectors fetched in one question to the index, so that no engine's limit of parameters is met."""
RECENT = 256
"""Vectors of searched reports kept until they are remembered."""
_UNUSED = "Vectors were not used, only words were compared: "
OUTCOME_FIELDS = ("status", "resolution", "resolved", "resolution_note")
"""What becomes of an incident; with its duplicate links, hidden until it was resolved."""


def as_known(incident: Incident, moment: datetime) -> Incident:
    """The incident with what became of it hidden, unless that was known at `moment`."""
    if incident.revealed_at(moment):
        return incident
    return incident.model_copy(update={**dict.fromkeys(OUTCOME_FIELDS), "duplicate_of": []})


def as_incident(report: Report, now: datetime | None = None) -> Incident | None:
    """The report as an open incident, filed now when it has no date; None when it says nothing."""
    if not report.text.strip():
        return None
    fields: dict[str, Any] = {**report.model_dump(), "created": report.created or now or datetime.now(UTC)}
    fields = {name: value for name, value in fields.items() if name not in (*OUTCOME_FIELDS, "updated", "duplicate_of")}
    try:
        return Incident.model_validate(fields)
    except ValidationError:  # a key that a report may hold freely has a shape in an incident
        known = Report.model_fields.keys()
        return Incident.model_validate({name: value for name, value in fields.items() if name in known})


class Memory:
    """Everything the team has seen. Searching never fails for want of vectors: it says so in the notes."""

    def __init__(
        self,
        store: IncidentStore,
        lexical: LexicalIndex,
        vectors: VectorIndex | None = None,
        embedder: Embedder | None = None,
        withheld: Callable[[Report], bool] = lambda _: False,
    ) -> None:
        """`withheld`: whose text the embedder may not be given; such incidents are found by their words alone."""
        self.store, self._lexical = store, lexical
        self._vectors, self._embedder, self._withheld = vectors, embedder, withheld
        self._recent: OrderedDict[str, Vectors] = OrderedDict()

    def search(self, report: Report, *, k: int = 20, as_of: datetime | None = None) -> Retrieval:
        """The k incidents from before `as_of` (the report's date, else now) that are most like the report, best first.

        The report itself is never among them. What could not be done stands in `notes`.
        """
        found = self.gather(report, as_of=as_of)
        fused = fuse(found.ratio, found.cosine, found.log_gap)
        return self.answer(found, fused, k)

    def ask(self, text: str, *, k: int = 20) -> Retrieval:
        """The k incidents that are most like what a person typed, as known now, best first.

        Several lines are a report, in `search`'s order. One line is a question: it goes by words and meaning alone, for age and
        state tell which report a new one repeats, and not what a question is about.
        """
        summary, _, description = text.strip().partition("\n")
        report = Report(id=QUESTION_ID, summary=summary, description=description)
        retrieval = self.search(report, k=max(k, LOOKED_AT), as_of=datetime.now(UTC))
        found = retrieval.candidates
        if not description.strip():
            found = sorted(found, key=lambda one: -((one.lexical or 0.0) + (one.dense or 0.0)))
        return retrieval.model_copy(update={"candidates": found[:k], "k": k})

    def gather(self, report: Report, *, as_of: datetime | None = None) -> Gathered:
        """The candidates for a report, with what was compared; `answer` or `pool` goes on from here."""
        moment = as_of or report.created or datetime.now(UTC)
        self._lexical.catch_up()
        own = self.store.pk_of(report.id)
        exclude = set() if own is None else {own}
        query, notes = self._lexical.without_boilerplate(report, moment), _text_notes(report)
        scores = self._lexical.score(query, moment)
        vector, cosines = self._nearest(report, query, moment, exclude, notes)
        rows = gathered_rows(scores, cosines, exclude, moment)
        cosine, stored = self._completed(vector, cosines, scores.snapshot.pk[rows].tolist(), notes)
        ratio, gap = scores.ratios(rows), log_gaps(scores.snapshot.created[rows], moment)
        kept = best(fuse(ratio, cosine, gap), rows, scores)
        return Gathered(
            query=query,
            moment=moment,
            scores=scores,
            rows=rows[kept],
            ratio=ratio[kept],
            cosine=cosine[kept],
            log_gap=gap[kept],
            stored=stored,
            memory_size=int(np.count_nonzero(scores.allowed))
            - int(scores.allowed[scores.snapshot.rows(exclude)].sum()),
            notes=notes,
        )

    def answer(self, found: Gathered, order_by: Numbers, k: int) -> Retrieval:
        """The k best of what was gathered, by a score for each, best first."""
        pks = found.pks
        order = np.lexsort((pks, -order_by))[: max(k, 0)]
        incidents = self.store.by_pk(pks[order].tolist())
        shared = self._lexical.sharing(found.query, found.moment)
        candidates = [
            Candidate(
                incident_id=incidents[pks[i]].id,
                score=round(float(order_by[i]), 6),
                lexical=round(float(found.ratio[i]), 6) if found.ratio[i] > 0 else None,
                dense=None if np.isnan(found.cosine[i]) else round(float(found.cosine[i]), 6),
                shared=shared(incidents[pks[i]]) if place < SHARED_FOR else [],
            )
            for place, i in enumerate(order)
            if pks[i] in incidents
        ]
        return Retrieval(
            candidates=candidates,
            k=k,
            memory_size=found.memory_size,
            as_of=found.moment,
            notes=found.notes,
            index={
                "words": self._lexical.version,
                "embedder": self._embedder.fingerprint if self._embedder else "none",
            },
        )

    def pool(self, found: Gathered) -> Pool:
        """What was gathered with all that a ranking may look at: fields, words by field, vectors, links known then."""
        stored = self.store.by_pk(found.pks.tolist())
        held = np.array([pk in stored for pk in found.pks.tolist()], np.bool_)
        pks = found.pks[held]
        incidents = [as_known(stored[pk], found.moment) for pk in pks.tolist()]
        vectors = self._vectors_of(pks, found)
        return Pool(
            report=found.query,
            moment=found.moment,
            incidents=incidents,
            pks=pks,
            lexical=found.scores.values[found.rows[held]],
            ratio=found.ratio[held],
            cosine=found.cosine[held],
            log_gap=found.log_gap[held],
            matches=matches_of(found.scores, self._lexical.analysed(found.query), found.rows[held]),
            vectors=vectors,
            summary_cosine=self._summary_cosine(found.query, vectors, len(pks)),
            duplicates=self._confirmed(incidents, found.moment),
        )

    def prepare(self, report: Report) -> None:
        """Compute the report's vector before it is searched for; what fails here is told by the search."""
        if self._vectors is None or self._embedder is None:
            return
        with contextlib.suppress(QAAgentsError):
            query = self._lexical.without_boilerplate(report, report.created or datetime.now(UTC))
            if text := text_for_embedding(query) or text_for_embedding(report):
                self._embedder.embed([text])

    def neighbours(self, retrieval: Retrieval) -> list[tuple[Candidate, Incident]]:
        """The retrieval's candidates with their incidents, outcomes hidden that were not known at its `as_of`."""
        found = self.store.get_many(candidate.incident_id for candidate in retrieval.candidates)
        return [
            (candidate, as_known(found[candidate.incident_id], retrieval.as_of))
            for candidate in retrieval.candidates
            if candidate.incident_id in found
        ]

    def remember(self, report: Report) -> bool:
        """Keep the report as an open incident, findable at once; False when it says nothing or its id is known."""
        incident = as_incident(report)
        if incident is None or self.store.upsert([incident], origin="report") != ["imported"]:
            return False
        self._lexical.catch_up()
        with contextlib.suppress(QAAgentsError):  # vectors are derived: the next catch_up computes what is missing
            self._remember_vector(report)
        return True

    def catch_up(self, progress: Progress | None = None) -> list[str]:
        """Bring both indexes up to date with the store; returns what could not be done and why."""
        self._lexical.catch_up(progress)
        if self._vectors is None:
            return []
        try:
            self._vectors.catch_up(self._embedded_text, progress)
        except QAAgentsError as error:
            return [f"Vectors are not up to date: {error}"]
        return []

    def stored_vectors(self, pks: Iterable[int]) -> dict[int, Vectors]:
        """The vectors kept for these incidents' keys; {} where vectors are switched off or cannot be had."""
        if self._vectors is None:
            return {}
        wanted, found = list(pks), {}
        with contextlib.suppress(QAAgentsError):
            for start in range(0, len(wanted), VECTORS_AT_ONCE):
                found.update(self._vectors.get_vectors(wanted[start : start + VECTORS_AT_ONCE]))
        return found

    def reindex(self, progress: Progress | None = None) -> None:
        """Throw both indexes away and make them anew from the store. Raises what keeps the vectors from it."""
        self._lexical.rebuild(progress)
        if self._vectors is not None:
            self._vectors.reset()
            self._vectors.catch_up(self._embedded_text, progress)

    def forget(self) -> list[str]:
        """Make both indexes hold nothing of what the store erased; returns what could not be done and why. Repeatable."""
        self._recent.clear()
        problems = []
        try:
            self._lexical.purge()
        except QAAgentsError as error:
            problems.append(str(error))
        return [*problems, *self.catch_up()]

    def learn(self, incident_id: str, labels: dict[str, str], by: str) -> None:
        """Keep what a person decided about an incident; an import of the tracker's own row replaces it."""
        incident = self.store.get(incident_id)
        if incident is None:
            return
        fields = {**incident.model_dump(), **labels, "labelled_by": by}
        if "component" in labels:
            fields["components"] = [labels["component"]]
        self.store.upsert([Incident.model_validate(fields)], origin="review")

    def known(self, incident_id: str, as_of: datetime) -> Incident | None:
        """The incident of this id as it was known at a moment, or None."""
        incident = self.store.get(incident_id)
        return None if incident is None else as_known(incident, as_of)

    def chain(self, incident_id: str, as_of: datetime) -> list[str]:
        """The incident's id, then what it was known to duplicate, link by link."""
        return self.store.resolve_canonical(incident_id, as_of)

    @property
    def fingerprint(self) -> str:
        """Names what similarities are made with; figures measured on them are void when it changes."""
        embedder = self._embedder.fingerprint if self._embedder else "none"
        return f"{self._lexical.version} {embedder}"

    def get(self, incident_id: str) -> Incident | None:
        """The incident of this id, final values included, or None."""
        return self.store.get(incident_id)

    def stats(self) -> MemoryStats:
        """What the memory holds."""
        return self.store.stats()

    def close(self) -> None:
        """Let other processes have the vector index."""
        if self._vectors is not None:
            self._vectors.close()

    def _embedded_text(self, incident: Report) -> str:
        if self._withheld(incident):
            return ""
        # Boilerplate as of now: an incident's vector is made once, whatever moments are asked about later.
        return text_for_embedding(self._lexical.without_boilerplate(incident, datetime.now(UTC)))

    def _nearest(
        self, report: Report, query: Report, moment: datetime, exclude: set[int], notes: list[str]
    ) -> tuple[Vectors | None, dict[int, float]]:
        """The report's vector, and pk to cosine of the nearest incidents; None, with a note, when it cannot be had."""
        if self._vectors is None or self._embedder is None:
            notes.append("Vectors are switched off: only words were compared.")
            return None, {}
        if self._withheld(report):
            notes.append("The report is restricted and the embedder is elsewhere: only words were compared.")
            return None, {}
        text = text_for_embedding(query) or text_for_embedding(report)
        if not text:
            return None, {}
        try:
            if 0 < (missing := self._vectors.behind()) <= SMALL_BACKLOG:
                self._vectors.catch_up(self._embedded_text)
            elif missing:
                notes.append(
                    f"{missing} incidents have no vector yet: for them only words were compared. "
                    "`qa-agents incidents reindex` computes them."
                )
            vector = self._embedder.embed([text])[0]
            self._keep(report, vector)
            return vector, dict(self._vectors.search(vector, BY_VECTOR, moment, exclude))
        except QAAgentsError as error:
            notes.append(f"{_UNUSED}{error}")
            return None, {}

    def _completed(
        self, vector: Vectors | None, cosines: dict[int, float], pks: Sequence[int], notes: list[str]
    ) -> tuple[Numbers, dict[int, Vectors]]:
        """The cosine of each of these incidents, from stored vectors where the search did not give it; NaN without.

        An index that does not hold what it says it holds is not trusted for any of them.
        """
        missing, stored = [pk for pk in pks if pk not in cosines], dict[int, Vectors]()
        if vector is not None and self._vectors is not None and missing:
            try:
                stored = self._vectors.get_vectors(missing)
            except QAAgentsError as error:
                notes.append(f"{_UNUSED}{error}")
                return np.full(len(pks), np.nan), {}
            cosines = cosines | {pk: float(other @ vector) for pk, other in stored.items()}
        return np.array([cosines.get(pk, np.nan) for pk in pks], np.float64), stored

    def _vectors_of(self, pks: NDArray[np.int64], found: Gathered) -> Vectors | None:
        """The stored vectors of these incidents, NaN where there is none; None when no vector was compared."""
        if self._vectors is None or self._embedder is None or np.isnan(found.cosine).all():
            return None
        try:
            stored = found.stored | self._vectors.get_vectors(pk for pk in pks.tolist() if pk not in found.stored)
        except QAAgentsError:
            return None
        missing = np.full(self._embedder.dimension, np.nan, np.float32)
        return np.stack([stored.get(pk, missing) for pk in pks.tolist()])

    def _summary_cosine(self, query: Report, vectors: Vectors | None, size: int) -> Numbers:
        summary = text_for_embedding(query.model_copy(update={"description": ""}))
        if vectors is None or self._embedder is None or not summary:
            return np.full(size, np.nan)
        try:
            cosine: Numbers = (vectors @ self._embedder.embed([summary])[0]).astype(np.float64)
            return cosine
        except QAAgentsError:
            return np.full(size, np.nan)

    def _confirmed(self, incidents: Sequence[Incident], moment: datetime) -> list[list[str]]:
        """For each incident, who was known at `moment` to duplicate it."""
        linked = self.store.duplicates_of(incident.id for incident in incidents)
        known = self.store.get_many(name for names in linked.values() for name in names)
        return [
            [name for name in linked[incident.id] if name in known and known[name].revealed_at(moment)]
            for incident in incidents
        ]

    def vector_of(self, report: Report) -> Vectors | None:
        """The vector that a recent search compared this report by; None when none was computed."""
        return self._recent.get(_key(report))

    def _remember_vector(self, report: Report) -> None:
        change = self.store.change_of(report.id)
        if self._vectors is None or self._embedder is None or change is None:
            return
        vector = self._recent.get(_key(report))
        if vector is None:
            vector = self._embedder.embed([self._embedded_text(report)])[0]
        complete = self._vectors.covered() == change.seq - 1
        self._vectors.add([row_of(change, vector)], covered=change.seq if complete else None)

    def _keep(self, report: Report, vector: Vectors) -> None:
        self._recent[_key(report)] = vector
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)


def _key(report: Report) -> str:
    return f"{report.id}\n{text_sha(report)}"


def _text_notes(report: Report) -> list[str]:
    if not report.text.strip():
        return ["The report has no text to compare."]
    if len(report.description) > INDEXED_CHARS:
        return [f"Only the first {INDEXED_CHARS:,} of {len(report.description):,} characters were compared."]
    return []
