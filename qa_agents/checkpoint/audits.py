"""Auditing what went through without a person: a random sample, stratified by probability, and what it proves."""

import json
import time
from collections.abc import Callable
from math import ceil
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, insert, select

from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.oversight import fraction, secret_seed
from qa_agents.checkpoint.rates import at_most
from qa_agents.errors import ConflictError, ErasedError, NotFoundError
from qa_agents.storage.artifacts import get_artifact
from qa_agents.storage.engine import Database, serialise
from qa_agents.storage.tables import decisions, ledger, runs

SAMPLE = 300
"""Items in the sample unless the policy names a rate: 300 of which none is wrong bound the rate at 1 %."""
EDGES = (0.9, 0.95, 0.98)
"""Where one probability band ends and the next begins."""
Finding = Literal["confirm", "wrong"]


class AutoApplied(BaseModel):
    """One run that wrote without asking."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    report_id: str
    summary: str
    band: str
    probability: float | None
    """The lowest of what was written; None when nothing carried one."""
    values: dict[str, str]
    finished_at: float
    finding: Finding | None = None
    auditor: str | None = None


class Bound(BaseModel):
    """What the audited items say about all of them."""

    band: str
    applied: int
    audited: int
    wrong: int
    at_most: float
    """The share of wrong ones is not above this, with 95 % confidence (exact, one-sided)."""

    def __str__(self) -> str:
        """For example `0 wrong of 120: at most 2.5 % (95 %)`."""
        return f"{self.wrong} wrong of {self.audited}: at most {100 * self.at_most:.1f} % (95 %)"


class Audits:
    """The sample of auto-applied items and the findings of those who looked at them afterwards."""

    def __init__(
        self, database: Database, ledger: Ledger, rate: float = 0.0, now: Callable[[], float] = time.time
    ) -> None:
        """`rate` is the share of all items that is sampled (0 to 1); 0 samples SAMPLE of them."""
        self._database = database
        self._ledger = ledger
        self._rate = rate
        self._now = now

    def applied(self) -> list[AutoApplied]:
        """Everything that was applied without a person, in the order in which it is to be audited.

        The first k of it are a random sample of k, stratified in proportion to the bands; every band is met at the start.
        """
        seed = secret_seed(self._database)
        with self._database.read() as connection:
            items = [item for row in _automatic(connection) if (item := _item(connection, row))]
            findings = _findings(connection)
        bands: dict[str, list[AutoApplied]] = {}
        for item in sorted(items, key=lambda item: fraction(seed, "audit", item.run_id)):
            bands.setdefault(item.band, []).append(item)
        ranked = [(rank / len(band), name, item) for name, band in bands.items() for rank, item in enumerate(band)]
        return [
            item.model_copy(update=findings.get(item.run_id, {}))
            for _, _, item in sorted(ranked, key=lambda entry: entry[:2])
        ]

    def sample(self) -> list[AutoApplied]:
        """The sampled items, audited or not, in the order in which they are to be audited."""
        items = self.applied()
        return items[: ceil(self._rate * len(items)) if self._rate else SAMPLE]

    def record(self, name: str, finding: Finding, *, auditor: str, note: str = "") -> AutoApplied:
        """Keep what an auditor found about one sampled item, named by its run or report, once.

        Raises NotFoundError for a run outside the sample (what one picks oneself proves nothing) and ConflictError when it was
        audited before.
        """
        item = next((item for item in self.sample() if name in (item.run_id, item.report_id)), None)
        if item is None:
            raise NotFoundError(
                f"{name} is not in the sample of what was applied without a person.",
                hint="`qa-agents review audit list` shows the sample; `qa-agents undo` takes back what is wrong elsewhere.",
            )
        with self._database.write() as connection:
            serialise(connection, "audits")
            if known := _findings(connection).get(item.run_id):
                raise ConflictError(f"{item.run_id} was already audited: {known['finding']} by {known['auditor']}.")
            body = {"verdict": finding, "band": item.band, "probability": item.probability, "note": note}
            connection.execute(
                insert(decisions).values(
                    review_id=item.run_id, reviewer=auditor, purpose="audit", body=body, at=self._now()
                )
            )
            self._ledger.append(connection, "audited", item.report_id, actor=auditor, run_id=item.run_id, **body)
        return item.model_copy(update={"finding": finding, "auditor": auditor})

    def bounds(self) -> list[Bound]:
        """What is proven so far: `all` first, then every band by name."""
        items = self.applied()
        names = sorted({item.band for item in items})
        return [
            _bound("all", items),
            *(_bound(name, [item for item in items if item.band == name]) for name in names),
        ]


def band_of(probability: float | None) -> str:
    """The name of a probability's band: `0.95–0.98`, say; `none` without a probability."""
    if probability is None:
        return "none"
    upper = next((edge for edge in EDGES if probability < edge), 1.0)
    lower = max((edge for edge in EDGES if edge <= probability), default=0.0)
    return f"{lower:.2f}–{upper:.2f}"


def _bound(name: str, items: list[AutoApplied]) -> Bound:
    audited = [item for item in items if item.finding is not None]
    wrong = sum(item.finding == "wrong" for item in audited)
    return Bound(band=name, applied=len(items), audited=len(audited), wrong=wrong, at_most=at_most(wrong, len(audited)))


def _automatic(connection: Connection) -> list[Any]:
    """Runs that ended without a decision: the ledger says so of each."""
    recorded = connection.execute(select(ledger.c.payload).where(ledger.c.event == "recorded")).scalars()
    unasked = {payload.get("run_id") for payload in recorded if payload and payload.get("verdict") == "auto"}
    finished = connection.execute(select(runs).where(runs.c.state == "done", runs.c.outcome_sha256.is_not(None)))
    return [row for row in finished if row.run_id in unasked]


def _item(connection: Connection, run: Any) -> AutoApplied | None:
    """The run as an item; None when its verdict was erased, so that there is nothing to look at."""
    try:
        verdict = json.loads(get_artifact(connection, run.outcome_sha256))
    except ErasedError:
        return None
    written = {
        field: proposal for field, proposal in verdict.get("proposals", {}).items() if proposal.get("value") is not None
    }
    known = [proposal["probability"] for proposal in written.values() if proposal.get("probability") is not None]
    probability = min(known, default=None)
    return AutoApplied(
        run_id=run.run_id,
        report_id=run.subject_id,
        summary=str(verdict.get("summary", ""))[:200],
        band=band_of(probability),
        probability=probability,
        values={field: str(proposal["value"]) for field, proposal in written.items()},
        finished_at=run.finished_at or run.started_at,
    )


def _findings(connection: Connection) -> dict[str, dict[str, Any]]:
    rows = connection.execute(select(decisions).where(decisions.c.purpose == "audit").order_by(decisions.c.pk))
    return {row.review_id: {"finding": row.body["verdict"], "auditor": row.reviewer} for row in rows}
