"""Pair features: a report against each candidate of its pool, nothing in them that was not known when it was filed.

The order of NAMES is part of a ranker's weights; VERSION changes whenever a feature's meaning does.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.bm25f import Numbers
from qa_agents.incidents.pool import Pool, fuse
from qa_agents.incidents.schema import Incident
from qa_agents.triage.ranking.among import pair_features, vector_features, word_features
from qa_agents.triage.ranking.lexical import lexical_features, reciprocal_rank, to_best
from qa_agents.triage.relate import FIXED, version_key

VERSION = "2"
CLOSEST = 10
"""A candidate's own neighbourhood, against which its closeness to the report is judged."""
VOTERS = 15
SHARPNESS = 4
KINDS = {
    "is_bug": frozenset({"bug", "defect"}),
    "is_wish": frozenset({"improvement", "new feature", "story"}),
    "is_task": frozenset({"sub-task", "subtask", "epic", "technical task", "documentation"}),
}
"""Types by the names that trackers give them; another name is none of these."""


def features(pool: Pool) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Names and a matrix (candidates, features); NaN where something is not known."""
    fused = fuse(pool.ratio, pool.cosine, pool.log_gap)
    found = {
        **lexical_features(pool),
        **word_features(pool.matches),
        **pair_features(pool),
        **vector_features(pool, fused),
        **_dense(pool),
        **_fields(pool),
        **_outcomes(pool),
        **_clusters(pool, fused),
        "log_gap": pool.log_gap,
        "newer": reciprocal_rank(-pool.log_gap),
        "fused": fused,
        "fused_to_best": to_best(fused),
        "fused_rank": reciprocal_rank(fused),
        "own_length": _constant(pool, np.log1p(len(pool.report.description))),
        "own_summary_length": _constant(pool, float(len(pool.report.summary.split()))),
        "their_length": np.log1p(pool.matches.body_length),
        "their_summary_length": pool.matches.summary_length,
    }
    names = tuple(sorted(found))
    return names, np.stack([found[name] for name in names], axis=1).astype(np.float32)


def _constant(pool: Pool, value: float) -> Numbers:
    return np.full(len(pool.incidents), value)


def _dense(pool: Pool) -> dict[str, Numbers]:
    """Cosines, also against how close the candidate is to everything (CSLS, Conneau et al. 2018) and the other way round."""
    cosine, unknown = pool.cosine, np.full(len(pool.incidents), np.nan)
    hub, nearer, support = unknown, unknown, unknown
    known = np.isfinite(cosine)
    if pool.vectors is not None and known.sum() > CLOSEST:
        among = pool.vectors @ pool.vectors.T
        np.fill_diagonal(among, np.nan)
        among = np.where(np.isnan(among), -1.0, among)
        closest = -np.partition(-among, CLOSEST, axis=1)[:, :CLOSEST]
        hub = cosine - closest.mean(axis=1)
        nearer = 1.0 / (1.0 + (among > cosine[:, np.newaxis]).sum(axis=1))
        weights = np.maximum(among - 0.4, 0.0) ** 2
        total = weights.sum(axis=1)
        support = np.where(
            total > 0, (weights @ np.where(known, cosine, 0.0)) / np.where(total > 0, total, 1.0), np.nan
        )
    return {
        "cosine": cosine,
        "cosine_to_best": to_best(cosine),
        "cosine_rank": reciprocal_rank(cosine),
        "cosine_z": _standardised(cosine),
        "cosine_over_hub": hub,
        "cosine_mutual": nearer,
        "cosine_support": support,
        "summary_cosine": pool.summary_cosine,
        "summary_cosine_to_best": to_best(pool.summary_cosine),
        "summary_cosine_rank": reciprocal_rank(pool.summary_cosine),
    }


def _standardised(values: Numbers) -> Numbers:
    known = values[np.isfinite(values)]
    return (values - known.mean()) / (known.std() + 1e-6) if len(known) else values


def _fields(pool: Pool) -> dict[str, Numbers]:
    report, incidents = pool.report, pool.incidents
    votes = {name: _votes(pool, name) for name in ("components", "type", "product")}
    mine = version_key(report.version) if report.version else None
    theirs = [version_key(incident.version) if incident.version else None for incident in incidents]
    return {
        "same_product": _agreements(report.product, [incident.product for incident in incidents]),
        "same_platform": _agreements(report.platform, [incident.platform for incident in incidents]),
        "same_reporter": _agreements(report.reporter, [incident.reporter for incident in incidents]),
        "component_vote": _vote_for(votes["components"], [incident.components for incident in incidents]),
        **{name: np.array([float((i.type or "").casefold() in kind) for i in incidents]) for name, kind in KINDS.items()},
        "reports_of_reporter": _frequencies([incident.reporter for incident in incidents]),
        "component_lead": _lead(votes["components"], [incident.components for incident in incidents]),
        "type_vote": _vote_for(votes["type"], [[incident.type] if incident.type else [] for incident in incidents]),
        "product_vote": _vote_for(
            votes["product"], [[incident.product] if incident.product else [] for incident in incidents]
        ),
        "same_version": np.array([np.nan if not (mine and one) else float(mine == one) for one in theirs]),
        "version_step": np.array([np.nan if not (mine and one) else float((mine > one) - (mine < one)) for one in theirs]),
        "same_release": np.array([np.nan if not (mine and one) else float(mine[:2] == one[:2]) for one in theirs]),
    }  # fmt: skip


def _agreements(mine: str | None, theirs: Sequence[str | None]) -> Numbers:
    """1 the same, 0 another, NaN where either side says nothing."""
    return np.array([np.nan if mine is None or one is None else float(mine == one) for one in theirs])


def _frequencies(labels: Sequence[str | None]) -> Numbers:
    """How many of the candidates carry the same label; 0 for none."""
    count = Counter(label for label in labels if label is not None)
    return np.array([float(count[label]) if label is not None else 0.0 for label in labels])


def _votes(pool: Pool, field: str) -> dict[str, float]:
    """What the nearest candidates carry, weighted by closeness: the share of each label."""
    closeness = np.where(np.isnan(pool.cosine), pool.ratio, pool.cosine)
    weights: dict[str, float] = defaultdict(float)
    for place in np.lexsort((pool.pks, -closeness))[:VOTERS]:
        value = getattr(pool.incidents[place], field)
        for label in value if isinstance(value, list) else [value] if value else []:
            weights[label] += max(float(closeness[place]), 0.0) ** SHARPNESS
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items()} if total else {}


def _vote_for(votes: dict[str, float], labels: Sequence[Sequence[str]]) -> Numbers:
    """The vote of the candidate's best label; NaN where it carries none."""
    return np.array([max((votes.get(label, 0.0) for label in one), default=np.nan) for one in labels])


def _lead(votes: dict[str, float], labels: Sequence[Sequence[str]]) -> Numbers:
    best = max(votes, key=lambda label: (votes[label], label), default=None)
    return np.array([float(best in one) if one else np.nan for one in labels])


def _outcomes(pool: Pool) -> dict[str, Numbers]:
    """What had become of the candidates by then."""
    moment = pool.moment
    return {
        "open": np.array([float(incident.open_at(moment)) for incident in pool.incidents]),
        "since_resolved": np.array([_log_days(incident.resolved, moment) for incident in pool.incidents]),
        "fixed": np.array([_fixed(incident) for incident in pool.incidents]),
        "is_duplicate": np.array([float(bool(incident.duplicate_of)) for incident in pool.incidents]),
        "called_duplicate": np.array([float((i.resolution or "").casefold() == "duplicate") for i in pool.incidents]),
        "has_duplicates": np.array([float(len(names)) for names in pool.duplicates]),
        "since_repeated": _since_repeated(pool),
    }


def _since_repeated(pool: Pool) -> Numbers:
    """log(1 + days) since the newest known duplicate of the candidate was filed, as far as it is in the pool."""
    filed = {incident.id: incident.created for incident in pool.incidents}
    newest = [max((then for name in names if (then := filed.get(name))), default=None) for names in pool.duplicates]
    return np.array([_log_days(then, pool.moment) for then in newest])


def _fixed(incident: Incident) -> float:
    return np.nan if incident.resolution is None else float(incident.resolution.casefold() in FIXED)


def _log_days(then: datetime | None, moment: datetime) -> float:
    return np.nan if then is None or then > moment else float(np.log1p((moment - then).total_seconds() / 86_400))


def _clusters(pool: Pool, fused: Numbers) -> dict[str, Numbers]:
    """Evidence from the other candidates that were by then known to be the same bug as this one."""
    names = _known_clusters(pool)
    size = Counter(names)
    members: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        members[name].append(place)
    best, mean, closest = (np.full(len(names), np.nan) for _ in range(3))
    for places in members.values():
        if len(places) < 2:
            continue
        for place in places:
            others = [other for other in places if other != place]
            best[place], mean[place] = fused[others].max(), fused[others].mean()
            cosines = pool.cosine[others]
            closest[place] = np.nan if np.isnan(cosines).all() else np.nanmax(cosines)
    return {
        "cluster_size": np.array([float(size[name]) for name in names]),
        "cluster_best": best,
        "cluster_mean": mean,
        "cluster_cosine": closest,
    }


def _known_clusters(pool: Pool) -> list[str]:
    """For each candidate a name that it shares with those that known links connect it to (union by root, Tarjan 1975)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for incident, duplicates in zip(pool.incidents, pool.duplicates, strict=True):
        for other in (*incident.duplicate_of, *duplicates):
            parent[root(other)] = root(incident.id)
    return [root(incident.id) for incident in pool.incidents]
