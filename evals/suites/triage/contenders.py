"""Every contender on the same reports: what the peers answer, in the shape of the system's verdicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from evals.data import as_filed
from evals.peers.base import MissingPeerError
from evals.peers.chroma_topk import ChromaTopK
from evals.peers.fields import KEPT, linear, majority, reporters_choice, vote_among
from evals.peers.texts import DenseCosine, Near, PlainBM25, PlainHybrid, TextPeer, TfidfCosine, nearest, tfidf
from evals.suites.triage.history import LabelsKnown
from evals.suites.triage.seen import FIELDS, Guess
from evals.vectors import Tell
from qa_agents.incidents.embedders import Embedder
from qa_agents.incidents.schema import Incident

K = 20
CHROMA = "Chroma top-k, MiniLM"


@dataclass
class Answers:
    """What all peers said."""

    found: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """Peer to place of a duplicate to the ids it named."""
    alerts: dict[str, list[float]] = field(default_factory=dict)
    """Peer to its best score for each measured report."""
    guesses: dict[str, dict[str, list[Guess]]] = field(default_factory=dict)
    """Field to peer to its guess for each measured report."""
    notes: list[str] = field(default_factory=list)


def ask_peers(
    incidents: Sequence[Incident],
    first: int,
    wanted: Mapping[int, set[str]],
    marks: Sequence[datetime],
    labels: LabelsKnown,
    embedder: Embedder | None,
    work: Path,
    tell: Tell,
) -> Answers:
    """All peers over `incidents[first:]`; `wanted` are the places of duplicates, `marks` when models are fitted."""
    answers = Answers()
    tell("peers: word weights")
    bm25 = PlainBM25(incidents)
    peers: list[TextPeer] = [bm25, TfidfCosine(incidents)]
    if embedder is not None:
        tell("peers: vectors")
        dense = DenseCosine(incidents, embedder)
        peers += [dense, PlainHybrid(bm25, dense)]
        if wanted:
            _ask_chroma(incidents, wanted, embedder, work, answers)
    tell("peers: retrieval")
    voter = peers[2 if embedder is not None else 1]
    near: list[Near] = []
    for peer in peers:
        found = _ask(peer, incidents, first, wanted, answers)
        near = found if peer is voter else near
    rows, moments = tfidf(incidents), [_moment(i) for i in incidents]
    for name in FIELDS:
        values = [label_of(incident, name) for incident in incidents]
        if any(values):
            tell(f"peers: {name}")
            known = known_from(incidents, name, labels)
            guesses = {
                "majority": majority(values, known, moments, first),
                "neighbours' vote": vote_among(near, values, known, moments, first),
                "TF-IDF + linear": linear(rows, values, known, moments, first, marks),
            }
            if (chosen := reporters_choice(incidents, name, first)) is not None:
                guesses["reporter's choice"] = chosen
            answers.guesses[name] = guesses
    return answers


def label_of(incident: Incident, name: str) -> str | None:
    """The label a field has in the end; an assignee counts for who closed reports have."""
    value: str | None = getattr(incident, name)
    return None if name == "assignee" and incident.resolved is None else value


def known_from(incidents: Sequence[Incident], name: str, labels: LabelsKnown) -> Callable[[int], datetime | None]:
    """When the label of the report at a place became known, as for the system."""
    at_once = labels == "filed" and name != "assignee"
    return lambda n: incidents[n].created if at_once else incidents[n].resolved


def _ask(
    peer: TextPeer, incidents: Sequence[Incident], first: int, wanted: Mapping[int, set[str]], answers: Answers
) -> list[Near]:
    """Put the peer's answers down; its nearest for each report are given back."""
    named: dict[int, list[str]] = {}
    alerts, near = [], []
    for position in range(first, len(incidents)):
        scores = peer.scores(position)
        best = nearest(scores, KEPT)
        near.append((best, scores[best]))
        alerts.append(float(scores[best[0]]) if best.size else 0.0)
        if position in wanted:
            named[position] = [incidents[n].id for n in best[:K]]
    answers.alerts[peer.name] = alerts
    if not (isinstance(peer, DenseCosine) and CHROMA in answers.found):  # the same answers, but for its approximation
        answers.found[peer.name] = named
    return near


def _ask_chroma(
    incidents: Sequence[Incident], wanted: Mapping[int, set[str]], embedder: Embedder, work: Path, answers: Answers
) -> None:
    try:
        chroma = ChromaTopK(work / "chroma-peer", embedder)
    except MissingPeerError as missing:
        answers.notes.append(f"Chroma's top k was not measured: {missing}")
        return
    named, added = {}, 0
    for position in sorted(wanted):
        chroma.add(incidents[added:position])
        added = position
        named[position] = chroma.search(as_filed(incidents[position]), K)
    chroma.close()
    answers.found[CHROMA] = named


def _moment(incident: Incident) -> datetime:
    assert incident.created is not None, "a tracker's incidents are dated"
    return incident.created
