"""What the gate is told about its own past: the fields' records, the missed-critical bound, and whether both still hold.

Reads only what changed since it last looked, and nothing at all while the policy opens nothing and no bound was calibrated. A
change of state (a field demoted itself or came back, live reports stopped being like the calibration's) is in the ledger once.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, func, select

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.checkpoint.oversight import fraction, secret_seed
from qa_agents.errors import ConflictError
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.storage.engine import Database, recall_fact, remember_fact, serialise
from qa_agents.storage.learned import keep_learned, learned_sha256, load_learned
from qa_agents.storage.tables import incidents, ledger
from qa_agents.triage.gate.bound import CriticalBound
from qa_agents.triage.gate.escalation import escalation_score, nearness, read_concern
from qa_agents.triage.gate.exchangeability import Martingale, Watched
from qa_agents.triage.gate.judge import Watch
from qa_agents.triage.gate.standing import Judged, Standing, standing_of, standings
from qa_agents.triage.gate.track_record import read_record, stamp
from qa_agents.triage.schema import FIELDS, Proposal, Relation, Signals
from qa_agents.triage.severity.rubric import Rubric

BOUND = "critical_bound"
"""Name under which the calibrated bound is kept."""
STATE = "gate_state"
"""Workspace fact: which live fields are demoted, and whether the alarm is on."""
ACKNOWLEDGED = "gate_acknowledged"
"""Workspace fact: up to which ledger entry a person accepted that reports have changed."""
OUTSIDE = 0.01
"""A report is unfamiliar when at most this share of the reference reports lay as far from everything in memory."""

Neighbours = Sequence[tuple[Candidate, Incident]]


class BoundState(BaseModel):
    """The bound, and why it does not hold now (empty when it does)."""

    model_config = ConfigDict(frozen=True)

    bound: CriticalBound | None
    sha256: str = ""
    unproven: str = ""
    watched: Watched | None = None


class Gatekeeper:
    """One per workspace and process."""

    def __init__(
        self,
        database: Database,
        record: Ledger,
        policy: GatePolicy,
        rubric: Rubric,
        fingerprint: Callable[[], str],
    ) -> None:
        """`fingerprint` names everything that makes the score."""
        self._database, self._ledger, self._policy, self._rubric = database, record, policy, rubric
        self.fingerprint = fingerprint
        self._stamp: tuple[int, int] | None = None
        self._judged: list[Judged] = []
        self._bound: tuple[str, CriticalBound] | None = None
        self._follower: _Follower | None = None

    def watch(
        self,
        report: Report,
        signals: Signals,
        proposals: Mapping[str, Proposal],
        relations: Sequence[Relation],
        neighbours: Neighbours,
    ) -> Watch:
        """What the gate must know for this report."""
        found = self._standings_for(report, proposals) if self._policy.is_open else {}
        state = self.bound_state()
        self._note(found, state)
        product = self._product_size(report.product) if self._policy.is_open and report.product else None
        if state.bound is None:
            return Watch(standings=found, product_size=product)
        concern = read_concern(
            report,
            signals,
            relations,
            neighbours,
            rubric=self._rubric,
            critical=state.bound.critical,
            base_rate=state.bound.base_rate,
        )
        return Watch(
            standings=found,
            unproven=state.unproven,
            threshold=state.bound.threshold,
            score=escalation_score(concern),
            unfamiliar=unfamiliar(nearness([c for c, _ in neighbours]), state.bound.familiar),
            product_size=product,
        )

    def summary(self, watch: Watch) -> dict[str, Any]:
        """What the ledger and the verdict keep of a report's score: nothing while no bound was calibrated."""
        if watch.score is None or self._bound is None:
            return {}
        return {"score": watch.score, "scored_by": self._bound[0][:12]}

    def standings(self) -> list[Standing]:
        """Every field, band and group that people have judged."""
        return standings(self._record(), self._policy)

    def bound_state(self) -> BoundState:
        """The bound as it is now: whether one was calibrated, on the present score, and on reports like the present ones."""
        with self._database.read() as connection:
            newest = learned_sha256(connection, BOUND)
            if self._bound is None or self._bound[0] != newest:
                kept = load_learned(connection, BOUND)
                self._bound = (kept.sha256, CriticalBound.model_validate_json(kept.body)) if kept else None
        if self._bound is None:
            return BoundState(bound=None, unproven=Watch().unproven)
        sha256, bound = self._bound
        known: dict[str, Any] = {"bound": bound, "sha256": sha256}
        if bound.fingerprint != self.fingerprint():
            return BoundState(
                **known,
                unproven="What makes the escalation score has changed since the missed-critical bound was calibrated, so "
                "every report is escalated until `qa-agents gate calibrate` ran again.",
            )
        watched = self._follow(sha256, bound)
        if not bound.r:
            return BoundState(**known, watched=watched, unproven=bound.guarantee())
        if watched.alarm:
            return BoundState(
                **known,
                watched=watched,
                unproven=f"Since report {watched.alarmed_at} after the calibration, reports are shown to differ from those of "
                "the missed-critical bound, so every report is escalated until `qa-agents gate calibrate` ran again or a "
                "person accepted it with `qa-agents gate acknowledge`.",
            )
        return BoundState(**known, watched=watched)

    def keep(self, bound: CriticalBound) -> str:
        """Make this the bound that holds, with an entry in the ledger; returns its SHA-256."""
        about = {
            "n": bound.n,
            "r": bound.r,
            "alpha": bound.alpha,
            "delta": bound.delta,
            "fingerprint": bound.fingerprint,
        }
        with self._database.write() as connection:
            sha256 = keep_learned(connection, BOUND, bound.model_dump_json().encode(), **about)
            remember_fact(connection, ACKNOWLEDGED, None)
            self._ledger.append(
                connection,
                "gate_calibrated",
                "gate",
                actor=bound.calibrated_by or "qa-agents",
                bound=sha256,
                threshold=bound.threshold,
                critical=bound.critical,
                **about,
            )
        self._bound, self._follower = None, None
        return sha256

    def acknowledge(self, *, by: str, reason: str) -> Watched:
        """Accept that reports have changed: the bound holds again, watching begins anew. Raises ConflictError without alarm."""
        state = self.bound_state()
        if state.watched is None or not state.watched.alarm:
            raise ConflictError(
                "There is no alarm to acknowledge.", hint="`qa-agents gate status` shows where it stands."
            )
        with self._database.write() as connection:
            entry = self._ledger.append(
                connection,
                "gate_acknowledged",
                "gate",
                actor=by,
                reason=reason,
                bound=state.sha256,
                alarmed_at=state.watched.alarmed_at,
            )
            remember_fact(connection, ACKNOWLEDGED, {"bound": state.sha256, "seq": entry.seq})
        self._follower = None
        return state.watched

    def _record(self) -> list[Judged]:
        with self._database.read() as connection:
            now = stamp(connection)
        if now != self._stamp:
            self._judged, self._stamp = read_record(self._database), now
        return self._judged

    def _standings_for(self, report: Report, proposals: Mapping[str, Proposal]) -> dict[str, Standing]:
        judged, filer = self._record(), self._policy.filer_of(report.reporter)
        component = proposals.get("component", Proposal()).value or ""
        return {
            name: standing_of(judged, self._policy, name, proposal.probability, component=component, filer=filer)
            for name in FIELDS
            if getattr(self._policy, name) == "live" and (proposal := proposals.get(name, Proposal())).value
        }

    def _follow(self, sha256: str, bound: CriticalBound) -> Watched:
        if self._follower is None or self._follower.sha256 != sha256:
            self._follower = _Follower(self._database, sha256, bound)
        return self._follower.catch_up()

    def _note(self, found: Mapping[str, Standing], state: BoundState) -> None:
        """Put into the ledger what has changed: once per change, whichever process sees it first."""
        if not found and state.watched is None:
            return
        with self._database.read() as connection:
            before = _fact(connection, STATE)
        if not self._changes(before, found, state):
            return
        with self._database.write() as connection:
            serialise(connection, STATE)
            before = _fact(connection, STATE)
            acting, alarm = dict(before.get("acting", {})), before.get("alarm")
            for standing in self._moved(before, found):
                event = "field_acts" if standing.holds else "field_demoted"
                acting[standing.key] = standing.holds
                self._ledger.append(
                    connection, event, standing.field, **standing.model_dump(mode="json", exclude={"field"})
                )
            if state.watched is not None and state.watched.alarm and alarm != state.sha256:
                alarm = state.sha256
                self._ledger.append(
                    connection, "gate_alarm", "gate", bound=state.sha256, **state.watched.model_dump(mode="json")
                )
            elif state.watched is not None and not state.watched.alarm:
                alarm = None
            remember_fact(connection, STATE, {"acting": acting, "alarm": alarm})

    def _changes(self, before: Mapping[str, Any], found: Mapping[str, Standing], state: BoundState) -> bool:
        alarmed = state.sha256 if state.watched is not None and state.watched.alarm else None
        return bool(self._moved(before, found)) or (state.watched is not None and alarmed != before.get("alarm"))

    @staticmethod
    def _moved(before: Mapping[str, Any], found: Mapping[str, Standing]) -> list[Standing]:
        acting = before.get("acting", {})
        return [standing for standing in found.values() if acting.get(standing.key) is not standing.holds]

    def _product_size(self, product: str) -> int:
        """Incidents of this product, counted no further than the policy asks."""
        named = incidents.c.body["incident", "product"].as_string() == product
        some = select(incidents.c.pk).where(named).limit(max(1, self._policy.first_reports)).subquery()
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(some)).scalar() or 0)


class _Follower:
    """The martingale over the ledger's scores since one calibration, continued where it stopped."""

    def __init__(self, database: Database, sha256: str, bound: CriticalBound) -> None:
        self.sha256 = sha256
        self._database = database
        self._martingale = Martingale(bound.reference)
        self._seen: set[str] = set()
        self._last = 0
        self._seed = secret_seed(database)
        with database.read() as connection:
            accepted = _fact(connection, ACKNOWLEDGED)
        self._accepted = int(accepted["seq"]) if accepted.get("bound") == sha256 else 0

    def catch_up(self) -> Watched:
        """Take in what was scored since; the first score of each report counts."""
        query = (
            select(ledger.c.seq, ledger.c.subject, ledger.c.payload)
            .where(ledger.c.event == "triaged", ledger.c.seq > self._last)
            .order_by(ledger.c.seq)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            if self._accepted and row.seq > self._accepted:
                self._martingale.restart()
                self._accepted = 0
            self._last = row.seq
            payload = row.payload or {}
            if payload.get("scored_by") == self.sha256[:12] and row.subject not in self._seen:
                self._seen.add(row.subject)
                self._martingale.watch(float(payload["score"]), fraction(self._seed, "exchangeability", row.subject))
        if self._accepted:
            self._martingale.restart()
        return self._martingale.now


def _fact(connection: Connection, name: str) -> dict[str, Any]:
    found = recall_fact(connection, name)
    return found if isinstance(found, dict) else {}


def unfamiliar(near: float, familiar: Sequence[float]) -> str:
    """Why a report lies outside of what the memory knows, by a conformal p-value over the reference reports; empty if not.

    Laxhammar and Falkman, "Conformal prediction for distribution-independent anomaly detection" (2010).
    """
    if not familiar:
        return ""
    as_far = bisect_right(familiar, near)
    if (1 + as_far) / (1 + len(familiar)) > OUTSIDE:
        return ""
    return f"Its nearest incident is farther away ({near:.2f}) than that of all but {as_far} of {len(familiar)} earlier reports."
