"""How often the language model was right: what it said about reports that were decided since, beside the statistics alone.

What counts as right: the component and severity that a person stood behind; the bug that a closed report turned out to be.
What a person rejected, deferred or asked about decides nothing. A rate is a Beta posterior under Jeffreys' prior (Brown, Cai
and DasGupta: Interval estimation for a binomial proportion, Statistical Science 16, 2001); `learn` fits it.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, select

from qa_agents.errors import ErasedError, NotFoundError
from qa_agents.storage.artifacts import get_artifact
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned, load_learned
from qa_agents.storage.tables import reviews, runs
from qa_agents.triage.gate.track_record import written
from qa_agents.triage.schema import Testimony
from qa_agents.triage.witness import answer_of
from qa_agents.triage.witness_checks import CLAIMS

NAME = "witness"
"""Under this name the record is kept."""
MIN_DECIDED = 30
"""With fewer decided answers of a kind nothing is said about it."""
LOOKBACK = 20_000
"""Only so many of the newest decided reviews are read."""
CONFIDENCE = 0.95

SameBug = Callable[[str, str], bool | None]
"""(report, incident) -> whether both turned out to be one bug; None while nobody knows."""


class Saying(NamedTuple):
    """One answer of the model that was decided since."""

    use: str
    answer: str
    source: str
    """Prompt, endpoint and models, as `source_of` names them."""
    right: bool
    alone: bool
    """Whether the statistics alone were right about the same question."""


class Rate(BaseModel):
    """How often answers of one kind were right."""

    model_config = ConfigDict(frozen=True)

    right: int
    n: int
    low: float
    high: float
    """Of the posterior, 95 %."""
    alone: int
    """How often the statistics alone were right about the same questions."""

    @property
    def helps(self) -> bool:
        """Whether the model is shown to be right more often than the statistics alone."""
        return self.n >= MIN_DECIDED and self.right > self.alone and self.low > self.alone / self.n

    def __str__(self) -> str:
        return f"right in {self.right} of {self.n} such cases ({self.low:.2f}–{self.high:.2f})"


class WitnessRecord(BaseModel):
    """The fitted record: per use and per kind of answer, for the prompts, endpoint and models that were asked."""

    model_config = ConfigDict(frozen=True)

    uses: dict[str, Rate] = Field(default_factory=dict)
    """Key: use and source, as `_key` writes them."""
    answers: dict[str, Rate] = Field(default_factory=dict)
    """The same with the kind of answer."""

    def of_answer(self, use: str, answer: str, source: str) -> str:
        """How often such an answer was right; empty before there are enough decided ones."""
        rate = self.answers.get(_key(use, source, answer))
        return str(rate) if rate is not None and rate.n >= MIN_DECIDED else ""

    def standing(self, use: str, source: str) -> tuple[bool, str] | None:
        """Whether the use has earned to be on, and why in words; None where nothing of it was decided."""
        rate = self.uses.get(_key(use, source))
        if rate is None:
            return None
        if rate.n < MIN_DECIDED:
            return False, f"off: {rate.n} of its answers were decided so far, it takes {MIN_DECIDED}"
        beside = f"{rate}, the statistics alone in {rate.alone}"
        if rate.helps:
            return True, f"on: {beside}"
        return False, f"off: {beside}; its lower bound is not above them"


def source_of(prompt_sha256: str, asked_of: str) -> str:
    """Names what an answer came from: another prompt, endpoint or model has a record of its own."""
    return f"{prompt_sha256[:16]}:{asked_of[:16]}"


def fit_record(sayings: Iterable[Saying]) -> WitnessRecord:
    """Count, and put intervals around it. Needs scipy."""
    by_use: defaultdict[str, list[Saying]] = defaultdict(list)
    by_answer: defaultdict[str, list[Saying]] = defaultdict(list)
    for one in sayings:
        by_use[_key(one.use, one.source)].append(one)
        by_answer[_key(one.use, one.source, one.answer)].append(one)
    return WitnessRecord(
        uses={key: _rate(some) for key, some in by_use.items()},
        answers={key: _rate(some) for key, some in by_answer.items()},
    )


def fit_from_decisions(database: Database, same_bug: SameBug) -> dict[str, object] | None:
    """Fit on everything decided so far and keep it; what on, or None where no answer of a model was decided."""
    with database.read() as connection:
        sayings = [saying for said in _decided(connection) for saying in sayings_of(*said, same_bug)]
    if not sayings:
        return None
    record = fit_record(sayings)
    helping = sum(rate.helps for rate in record.uses.values())
    about: dict[str, object] = {"n": len(sayings), "uses_that_help": helping}
    with database.write() as connection:
        keep_learned(connection, NAME, record.model_dump_json().encode(), **about)
    return about


def load_record(database: Database) -> WitnessRecord:
    """The newest record; an empty one before the first fit."""
    with database.read() as connection:
        kept = load_learned(connection, NAME)
    return WitnessRecord.model_validate_json(kept.body) if kept is not None else WitnessRecord()


def sayings_of(verdict: Mapping[str, Any], labels: Mapping[str, str], same_bug: SameBug) -> Iterator[Saying]:
    """What became of each answer in a verdict; `labels` are the fields' values that a person stood behind."""
    said = Testimony.model_validate(verdict["witness"])
    proposed = {name: one.get("value") for name, one in verdict["proposals"].items()}
    for view in said.fields:
        if (truth := labels.get(view.field)) is not None:
            yield Saying(
                "triage.fields",
                answer_of(view, proposed),
                source_of(said.prompts.get("triage.fields", ""), said.asked_of),
                right=view.value == truth,
                alone=proposed.get(view.field) == truth,
            )
    claimed = {one["incident_id"] for one in verdict["relations"] if one["kind"] in CLAIMS}
    for opinion in said.opinions:
        same = same_bug(verdict["report_id"], opinion.incident_id)
        if same is not None and opinion.same_fix != "unclear":
            yield Saying(
                "triage.relations",
                opinion.same_fix,
                source_of(said.prompts.get("triage.relations", ""), said.asked_of),
                right=(opinion.same_fix == "yes") == same,
                alone=(opinion.incident_id in claimed) == same,
            )


def _decided(connection: Connection) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """(verdict with a testimony, labels) of the newest decided reviews, known-bad ones left out, a report's newest alone."""
    query = (
        select(reviews.c.subject_id, reviews.c.shown, reviews.c.decision, runs.c.outcome_sha256)
        .join(runs, runs.c.run_id == reviews.c.run_id)
        .where(reviews.c.kind == "triage", reviews.c.state == "decided", reviews.c.seeded.is_(None))
        .order_by(reviews.c.decided_at.desc())
        .limit(LOOKBACK)
    )
    seen: set[str] = set()
    for row in connection.execute(query).all():
        if row.subject_id in seen or not row.outcome_sha256:
            continue
        try:
            verdict = json.loads(get_artifact(connection, row.outcome_sha256))
        except (NotFoundError, ErasedError):
            continue
        if verdict.get("witness"):
            seen.add(row.subject_id)
            yield verdict, _labels(row.shown or {}, row.decision or {})


def _labels(shown: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, str]:
    if decision.get("verdict") not in ("approve", "edit"):
        return {}
    return {**written(shown), **dict(decision.get("edits") or {})}


def _rate(sayings: list[Saying]) -> Rate:
    from scipy.stats import beta

    right, n = sum(one.right for one in sayings), len(sayings)
    tail = (1 - CONFIDENCE) / 2
    low, high = beta.ppf([tail, 1 - tail], right + 0.5, n - right + 0.5)
    return Rate(right=right, n=n, low=float(low), high=float(high), alone=sum(one.alone for one in sayings))


def _key(use: str, source: str, answer: str = "") -> str:
    return " ".join(part for part in (use, source, answer) if part)
