"""What was fitted, as it is kept and asked: bytes without pickle, prediction in NumPy only."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from qa_agents.errors import StorageError
from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.calibrate import Curve
from qa_agents.triage.classify import near_enough
from qa_agents.triage.proposals.explain import propose
from qa_agents.triage.proposals.fusion import Beta, Floats, heard, probabilities, vote_evidence
from qa_agents.triage.proposals.habits import FLOOR, Habits
from qa_agents.triage.proposals.history import DAY, FILED_WITH, labels_of, trust
from qa_agents.triage.proposals.linear import Linear
from qa_agents.triage.proposals.model import FADED_AFTER, LEFT_AFTER, FieldModel, Near, Ranked
from qa_agents.triage.proposals.votes import ELECTORATES, NEIGHBOURS, cast, closeness, tally
from qa_agents.triage.proposals.witnesses import VIA, Witnesses
from qa_agents.triage.proposals.words import Numbers, Row, Vocabulary, read_report
from qa_agents.triage.schema import FieldName, Proposal

Neighbours = Sequence[tuple[Candidate, Incident]]
FORMAT = 1


class Case(NamedTuple):
    """One report with all that the models look at."""

    report: Report
    row: Row
    near: list[Near]
    vector: Numbers | None
    supported: bool
    """Whether any past incident is near at all."""


@dataclass(frozen=True)
class FittedProposals:
    """The models of all fields, fitted on what was known at `as_of`."""

    as_of: datetime
    outcomes: int
    """Closed incidents that it was fitted on."""
    vocabulary: Vocabulary
    with_vectors: bool
    fields: Mapping[FieldName, FieldModel]
    left_alone: Mapping[FieldName, str] = field(default_factory=dict)
    """Fields that could not be fitted, and why."""

    def row(self, report: Report) -> Row:
        """The report's words as features."""
        return self.vocabulary.row(read_report(report))

    def near(self, report: Report, row: Row, neighbours: Neighbours, as_of: datetime) -> list[Near]:
        """The neighbours from before `as_of`, the closest first, at most NEIGHBOURS of them."""
        spread = np.zeros(self.vocabulary.width, np.float32)
        spread[row.columns] = row.weights
        length, found = float(np.linalg.norm(row.weights)) or 1.0, []
        for candidate, incident in neighbours:
            if incident.created is None or incident.created > as_of or incident.id == report.id:
                continue
            other = self.row(incident)
            words = (
                float(other.weights @ spread[other.columns]) / length / (float(np.linalg.norm(other.weights)) or 1.0)
            )
            dense = candidate.dense if self.with_vectors else None
            vector = np.array(np.nan if dense is None else dense) if self.with_vectors else None
            close = float(closeness(np.array(words), vector))
            same = not (report.product and incident.product) or report.product == incident.product
            found.append(Near(incident, close, (as_of - incident.created).total_seconds() / DAY, same))
        return sorted(found, key=lambda near: (-near.closeness, near.incident.id))[:NEIGHBOURS]

    def rank(
        self,
        name: FieldName,
        report: Report,
        row: Row,
        near: Sequence[Near],
        vector: Numbers | None,
        *,
        components: Ranked | None = None,
        allowed: Collection[str] | None = None,
    ) -> Ranked:
        """Every label that the past or a neighbour carries, with the probability that it is right.

        `components` is the ranking of the components, for assignees; `allowed` the tracker's own list, where known.
        """
        model = self.fields[name]
        carried = [(near_one, _labels(near_one.incident, name)) for near_one in near]
        new = sorted({label for _, labels in carried for label in labels} - set(model.names))
        names = [*model.names, *new]
        said = _evidence(model.witnesses, report, row, carried, vector, names, self._component_share(components))
        p = probabilities(said, np.array([model.weights.get(w, 0.0) for w in model.witnesses.names]))
        retired = [label for label in model.names if _retired(model, name, label, near)]
        retired += [label for label in names if allowed is not None and label not in allowed and label not in retired]
        p[[names.index(label) for label in retired]] = 0.0
        total = float(p.sum())
        p = p / total if total > 0 else p
        order = np.lexsort((np.arange(len(names)), -p))
        kept = [n for n in order.tolist() if p[n] > 0]
        return Ranked([names[n] for n in kept], p[kept], retired)

    def case(self, report: Report, neighbours: Neighbours, vector: Numbers | None, as_of: datetime) -> Case:
        """The report as the models see it; `neighbours` are masked to what was known at `as_of`."""
        row = self.row(report)
        supported = any(near_enough(candidate) for candidate, _ in neighbours)
        return Case(report, row, self.near(report, row, neighbours, as_of), vector, supported)

    def rank_all(
        self, case: Case, allowed: Mapping[FieldName, Collection[str]] | None = None
    ) -> dict[FieldName, Ranked]:
        """The labels of every field that was fitted; `allowed` is the live tracker's list of labels, where known."""
        found: dict[FieldName, Ranked] = {}
        for name in self.fields:
            components, only = found.get("component"), (allowed or {}).get(name)
            found[name] = self.rank(
                name, case.report, case.row, case.near, case.vector, components=components, allowed=only
            )
        return found

    def propose_all(self, case: Case, ranked: Mapping[FieldName, Ranked]) -> dict[FieldName, Proposal]:
        """What was ranked, as proposals; what cannot be told is undetermined and says why."""
        return {
            name: propose(
                name,
                self.fields[name],
                one,
                case.near,
                self.vocabulary,
                case.report,
                case.row,
                supported=case.supported,
            )
            for name, one in ranked.items()
        }

    def predict(
        self,
        report: Report,
        neighbours: Neighbours,
        vector: Numbers | None,
        as_of: datetime,
        *,
        allowed: Mapping[FieldName, Collection[str]] | None = None,
    ) -> dict[FieldName, Proposal]:
        """A proposal for every field that was fitted: `case`, `rank_all` and `propose_all` in one."""
        case = self.case(report, neighbours, vector, as_of)
        return self.propose_all(case, self.rank_all(case, allowed))

    def _component_share(self, components: Ranked | None) -> Floats | None:
        known = self.fields.get("component")
        if known is None or components is None:
            return None
        share = dict(zip(components.names, components.probabilities.tolist(), strict=True))
        return np.array([share.get(name, 0.0) for name in known.names])

    def to_bytes(self) -> bytes:
        """As NumPy arrays with a JSON header; no pickle."""
        arrays: dict[str, Any] = {"terms": self.vocabulary.terms, "idf": self.vocabulary.idf}
        header: dict[str, Any] = {
            "format": FORMAT,
            "as_of": self.as_of.isoformat(),
            "outcomes": self.outcomes,
            "with_vectors": self.with_vectors,
            "left_alone": dict(self.left_alone),
            "fields": {},
        }
        for name, model in self.fields.items():
            header["fields"][name] = _header_of(model)
            arrays[f"{name}/prior"] = model.witnesses.habits.prior
            if model.witnesses.via is not None:
                arrays[f"{name}/via"] = model.witnesses.via.astype(np.float32)
            for kind, linear in (("text", model.witnesses.text), ("vectors", model.witnesses.vectors)):
                if linear is not None:
                    arrays[f"{name}/{kind}/weights"] = linear.weights.astype(np.float16)
                    arrays[f"{name}/{kind}/bias"] = linear.bias
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        kept = io.BytesIO()
        np.savez_compressed(kept, **arrays)
        return kept.getvalue()

    @classmethod
    def from_bytes(cls, body: bytes) -> FittedProposals:
        """What `to_bytes` gave. Raises StorageError for anything else, or another release's format."""
        try:
            with np.load(io.BytesIO(body), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            header = json.loads(arrays["header"].tobytes())
            if header["format"] != FORMAT:
                raise ValueError(f"format {header['format']}")
            return cls(
                as_of=datetime.fromisoformat(header["as_of"]),
                outcomes=header["outcomes"],
                vocabulary=Vocabulary(arrays["terms"], arrays["idf"]),
                with_vectors=header["with_vectors"],
                fields={name: _model_of(name, said, arrays) for name, said in header["fields"].items()},
                left_alone=header["left_alone"],
            )
        except Exception as error:
            raise StorageError(
                f"What was fitted for proposals cannot be read ({type(error).__name__}).", hint="Run `qa-agents learn`."
            ) from None


def _labels(incident: Incident, name: FieldName) -> list[str]:
    return labels_of(incident, name)


def _evidence(
    witnesses: Witnesses,
    report: Report,
    row: Row,
    carried: Sequence[tuple[Near, Sequence[str]]],
    vector: Numbers | None,
    names: Sequence[str],
    components: Floats | None,
) -> Floats:
    """Labels × witnesses, in the order of `witnesses.names`; what nobody was trained on is known to voters only."""
    labels = len(names)
    said: list[Floats] = []
    if witnesses.text:
        said.append(heard(witnesses.text.of_row(row), labels, witnesses.known))
    if witnesses.vectors:
        if vector is not None and vector.any():
            said.append(heard(witnesses.vectors.of_vectors(vector), labels, witnesses.known))
        else:
            said.append(np.full(labels, -np.log(labels)))
    for electorate in ELECTORATES:
        voters = carried[: electorate.voters]
        weights = cast(
            np.array([near.closeness for near, _ in voters]),
            np.array([near.days for near, _ in voters]),
            np.array([float(near.same_product) for near, _ in voters]),
            electorate,
        )
        ballots = [
            (own, weight * trust(near.incident)) for (near, own), weight in zip(voters, weights.tolist(), strict=True)
        ]
        said.append(vote_evidence(tally([ballot for ballot in ballots if ballot[0]], names)))
    prior = witnesses.habits.prior
    said.append(np.concatenate([np.log(prior), np.full(labels - len(prior), np.log(FLOOR))]))
    lifts = witnesses.habits.lifts(report, FILED_WITH)
    said += list(np.concatenate([lifts, np.zeros((labels - len(prior), len(FILED_WITH)))]).T)
    if VIA in witnesses.names:
        by = np.zeros(labels)
        if components is not None and witnesses.via is not None:
            by[: len(prior)] = witnesses.by_component(components)
        said.append(by)
    return np.stack(said, axis=1)


def _retired(model: FieldModel, name: FieldName, label: str, near: Sequence[Near]) -> bool:
    """Whether a label is out of use: neither the memory at the fitting nor a neighbour since then has it of late."""
    limit = LEFT_AFTER if name == "assignee" else FADED_AFTER
    used = model.last_used.get(label)
    if used is None or used >= model.now - limit:
        return False
    moments = (n.incident.resolved or n.incident.created for n in near if label in _labels(n.incident, name))
    return not any(moment is not None and moment >= model.now - limit for moment in moments)


def _header_of(model: FieldModel) -> dict[str, Any]:
    witnesses = model.witnesses
    return {
        "names": model.names,
        "known": witnesses.known,
        "tables": {
            name: {value: {str(n): round(w, 4) for n, w in counts.items()} for value, counts in table.items()}
            for name, table in witnesses.habits.tables.items()
        },
        "weights": dict(model.weights),
        "beta": model.beta,
        "curve": model.curve.model_dump(mode="json"),
        "lead": model.lead,
        "last_used": {name: moment.isoformat() for name, moment in model.last_used.items()},
        "load": dict(model.load),
        "outcomes": model.outcomes,
        "now": model.now.isoformat(),
        "at_once": model.at_once,
    }


def _model_of(name: str, said: Mapping[str, Any], arrays: Mapping[str, Any]) -> FieldModel:
    def linear(kind: str) -> Linear | None:
        weights = arrays.get(f"{name}/{kind}/weights")
        return None if weights is None else Linear(weights.astype(np.float32), arrays[f"{name}/{kind}/bias"])

    tables = {
        field: {value: {int(n): float(w) for n, w in counts.items()} for value, counts in table.items()}
        for field, table in said["tables"].items()
    }
    via = arrays.get(f"{name}/via")
    return FieldModel(
        names=tuple(said["names"]),
        witnesses=Witnesses(
            known=tuple(said["known"]),
            text=linear("text"),
            vectors=linear("vectors"),
            habits=Habits(arrays[f"{name}/prior"], tables),
            via=None if via is None else via.astype(np.float64),
        ),
        weights=said["weights"],
        beta=Beta(*said["beta"]),
        curve=Curve.model_validate(said["curve"]),
        lead=said["lead"],
        last_used={label: datetime.fromisoformat(moment) for label, moment in said["last_used"].items()},
        load=said["load"],
        outcomes=said["outcomes"],
        now=datetime.fromisoformat(said["now"]),
        at_once=bool(said.get("at_once", False)),
    )
