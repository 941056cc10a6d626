"""Are the known duplicates found? A tracker replayed in time order, the system beside each peer on the same queries.

A query is a report of which an earlier report of the same duplicate cluster exists, as it was filed; whoever answers
has seen what was filed before, and nothing else. A hit is any earlier report of the cluster. Links are incomplete, so
every recall is a lower bound.
"""

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from evals.data import Dataset, as_filed, clusters
from evals.peers import ChromaTopK
from evals.peers.texts import DenseCosine, PlainBM25, PlainHybrid, TextPeer, TfidfCosine, nearest
from evals.provenance import Provenance, provenance
from evals.stats import Interval, bootstrap, mcnemar_exact, paired_bootstrap, wilson
from evals.vectors import KeptVectors, Tell
from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.search import Memory
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

K = 20
CUTS = (1, 5, 10, 20)
SYSTEM = "qa-agents"
UNRANKED = "qa-agents, fused order only"
BATCH = 1_000

Answer = Callable[[int, Report], list[str]]
"""(how many incidents were filed before, the report) to ids, nearest first."""


class Query(BaseModel):
    """One duplicate, and the rank at which each contender named an earlier report of its cluster (None: not in 20)."""

    incident_id: str
    ranks: dict[str, int | None]


class Quality(BaseModel):
    """One contender over all queries."""

    recall: dict[int, Interval]
    """By cut; 95 % Wilson."""
    mrr: Interval
    """Mean of 1 / rank, 0 beyond 20; 95 % bootstrap."""


class Difference(BaseModel):
    """The system minus one peer on the same queries; 95 % paired bootstrap."""

    recall_at_10: Interval
    mrr: Interval
    only_system: int
    only_peer: int
    """Queries that just one of them answers within ten."""
    p: float
    """McNemar, exact."""


class Retrieval(BaseModel):
    """The whole measurement."""

    provenance: Provenance
    start: str
    replayed: int
    """Incidents in memory at the end."""
    queries: list[Query]
    quality: dict[str, Quality]
    differences: dict[str, Difference]
    ceiling: Interval | None = None
    """Share of the queries in whose pool a right answer is: what no order of it can exceed."""
    notes: list[str]
    seconds: float


def run_retrieval(
    dataset: Dataset,
    start: datetime,
    embedder: KeptVectors,
    work: Path,
    *,
    window: int | None = None,
    tell: Tell = lambda _: None,
) -> Retrieval:
    """Replay the newest `window` incidents (all, when None) and measure on the duplicates filed from `start` on.

    Raises UnavailableError when there is no duplicate to look for.
    """
    began, origin = time.perf_counter(), provenance(dataset, seed=0)
    incidents = list(dataset.incidents[-window:] if window else dataset.incidents)
    wanted = earlier_of_cluster(incidents, start)
    if not wanted:
        raise UnavailableError(f"{dataset.name} names no duplicate of an earlier report from {start:%Y-%m-%d} on.")
    notes: list[str] = []
    if window:
        notes.append(
            f"The memory begins {len(incidents)} incidents before the end: figures are not those of the whole."
        )
    home = work / "retrieval"
    with ExitStack() as stack:
        workspace = stack.enter_context(Workspace(Settings(home=home)))
        workspace.embedder = embedder
        chroma = ChromaTopK(work / "chroma-retrieval", embedder)
        stack.callback(chroma.close)
        pools: list[bool] = []
        contenders = {
            SYSTEM: _system(workspace, incidents, notes),
            UNRANKED: _unranked(workspace, wanted, pools),
            **_peers(incidents, chroma, embedder, notes),
        }
        queries = _replay(incidents, wanted, contenders, tell)
    embedder.save()
    shutil.rmtree(home)
    quality = {name: _quality([query.ranks[name] for query in queries]) for name in contenders}
    return Retrieval(
        provenance=origin,
        start=start.date().isoformat(),
        replayed=len(incidents),
        queries=queries,
        quality=quality,
        differences={name: _difference(queries, name) for name in contenders if name != SYSTEM},
        ceiling=wilson(sum(pools), len(pools)),
        notes=notes,
        seconds=time.perf_counter() - began,
    )


def earlier_of_cluster(incidents: Sequence[Incident], start: datetime) -> dict[int, set[str]]:
    """Position of each query to the ids that answer it."""
    seen: dict[str, set[str]] = defaultdict(set)
    wanted: dict[int, set[str]] = {}
    for position, (incident, cluster) in enumerate(zip(incidents, clusters(incidents), strict=True)):
        if cluster is None:
            continue
        if seen[cluster] and incident.created and incident.created >= start:
            wanted[position] = set(seen[cluster])
        seen[cluster].add(incident.id)
    return wanted


def rank_of(found: Sequence[str], wanted: set[str]) -> int | None:
    """The rank, from 1, of the first right answer; None when there is none."""
    return next((rank for rank, name in enumerate(found, start=1) if name in wanted), None)


def _replay(
    incidents: Sequence[Incident], wanted: Mapping[int, set[str]], contenders: Mapping[str, Answer], tell: Tell
) -> list[Query]:
    queries: list[Query] = []
    last = time.monotonic()
    for position, answers in wanted.items():
        report = as_filed(incidents[position])
        ranks = {name: rank_of(answer(position, report), answers) for name, answer in contenders.items()}
        queries.append(Query(incident_id=report.id, ranks=ranks))
        if time.monotonic() - last >= 10:
            last = time.monotonic()
            tell(f"replaying: {len(queries)} of {len(wanted)} queries")
    return queries


def _system(workspace: Workspace, incidents: Sequence[Incident], notes: list[str]) -> Answer:
    """The memory, kept up to what was filed before the query."""
    known = 0

    def answer(before: int, report: Report) -> list[str]:
        nonlocal known
        for start in range(known, before, BATCH):
            workspace.store.upsert(incidents[start : min(start + BATCH, before)])
        if before > known and (problems := workspace.memory.catch_up()):
            raise UnavailableError(f"The memory could not be completed: {problems[0]}")
        known = before
        found = workspace.memory.search(report, k=K)
        notes.extend(note for note in found.notes if note not in notes)
        return [candidate.incident_id for candidate in found.candidates]

    return answer


def _unranked(workspace: Workspace, wanted: Mapping[int, set[str]], pools: list[bool]) -> Answer:
    """The same memory as the system's, just asked, in the order it had before it learned one; notes who is in the pool."""

    def answer(before: int, report: Report) -> list[str]:
        found = workspace.memory.gather(report)
        held = workspace.store.by_pk(found.pks.tolist())
        pools.append(any(incident.id in wanted[before] for incident in held.values()))
        plain = Memory.search(workspace.memory, report, k=K)
        return [candidate.incident_id for candidate in plain.candidates]

    return answer


def _peers(
    incidents: Sequence[Incident], chroma: ChromaTopK, embedder: KeptVectors, notes: list[str]
) -> dict[str, Answer]:
    added = 0

    def by_chroma(before: int, report: Report) -> list[str]:
        nonlocal added
        chroma.add(incidents[added:before])
        added = before
        return chroma.search(report, K) if before else []

    peers: dict[str, Answer] = {chroma.name: by_chroma}
    plain = PlainBM25(incidents)
    for peer in (plain, TfidfCosine(incidents), PlainHybrid(plain, DenseCosine(incidents, embedder))):
        peers[peer.name] = _by_place(incidents, peer)
    notes.append(
        "The peers by words are built once over the whole file: their weights know the future, a small favour."
    )
    return peers


def _by_place(incidents: Sequence[Incident], peer: TextPeer) -> Answer:
    return lambda before, _: [incidents[place].id for place in nearest(peer.scores(before), K)]


def _quality(ranks: Sequence[int | None]) -> Quality:
    return Quality(
        recall={cut: wilson(sum(_within(ranks, cut)), len(ranks)) for cut in CUTS}, mrr=bootstrap(_reciprocal(ranks))
    )


def _difference(queries: Sequence[Query], peer: str) -> Difference:
    ours, theirs = ([query.ranks[name] for query in queries] for name in (SYSTEM, peer))
    hits, their_hits = _within(ours, 10), _within(theirs, 10)
    only_system = sum(a and not b for a, b in zip(hits, their_hits, strict=True))
    only_peer = sum(b and not a for a, b in zip(hits, their_hits, strict=True))
    return Difference(
        recall_at_10=paired_bootstrap(hits, their_hits),
        mrr=paired_bootstrap(_reciprocal(ours), _reciprocal(theirs)),
        only_system=only_system,
        only_peer=only_peer,
        p=mcnemar_exact(only_system, only_peer),
    )


def _within(ranks: Sequence[int | None], cut: int) -> list[bool]:
    return [rank is not None and rank <= cut for rank in ranks]


def _reciprocal(ranks: Sequence[int | None]) -> list[float]:
    return [1.0 / rank if rank else 0.0 for rank in ranks]
