"""What in the memory is near a requirement: incidents grouped by problem, kept where words agree, not merely scores."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import Stemmer

from qa_agents.incidents.schema import Incident
from qa_agents.llm.redact import mask
from qa_agents.plans.schema import Requirement
from qa_agents.plans.wording import cut

LOWEST_SCORE = 0.0
"""Of retrieval's score; it falls with the time between two texts, which means nothing here, so that the words decide."""
SHARE = 0.30
"""Of a requirement's weight of words that an incident must hold."""
FEWEST_SHARED = 3
"""Content words in common; two where one of them names the incident's component."""
MOST_CLUSTERS = 4
ENOUGH = 30
"""Incidents found for all requirements together, from which on their own word counts mean something."""
NAMED_ONCE_IN = 0.25
"""A word that more of the requirements hold than this tells none from another."""
GRAVE = frozenset({"critical", "blocker", "s1", "sev1", "p0", "highest", "urgent", "high", "major", "s2", "sev2"})
_NOT_A_FAULT = re.compile(
    r"\b(?:works as designed|won'?t (?:fix|do)|not a bug|invalid|cannot reproduce|rejected|improvement|feature|task)\b",
    re.I,
)
_WORD = re.compile(r"[^\W\d_][\w'-]{1,30}")
_COMMON = """
    a about after all also am an and any are as at be because been before being both but by can cannot could did do
    does doing done each either else every few for from get gets given had has have having he her here him his how
    however i if in into is it its itself just keep let like made make makes many may me might more most much must
    my need needs never new no nor not now of off on once one only or other our out over own per same say see set
    shall she should show shown shows since so some still such take than that the their them then there these they
    this those through to too two under until up upon us use used user users uses using via very want was we well
    were what when where whether which while who whole whose why will with within without work works would yes you
    your system product feature app application page screen button click field value values text name names
    following example note able allow allowed allows error errors bug issue problem fails fail failed wrong expected
    actual instead happen happens seem please report see first last second next send sends sent sending list lists
    listed keep keeps always sometimes every time times day minute hour three four five
"""
_STOP = frozenset(_COMMON.split())
_stem = Stemmer.Stemmer("english").stemWord
Similar = Callable[[str], Sequence[tuple[float, Incident]]]


@dataclass
class Cluster:
    """One problem of the past: the incident that tells it best, with its duplicates and returns, as near to a requirement."""

    lead: Incident
    members: list[Incident]
    nearness: float
    shared: list[str] = field(default_factory=list)
    """The content words in common, weightiest first."""

    @property
    def ids(self) -> list[str]:
        """The lead's id first."""
        return [self.lead.id, *(one.id for one in self.members if one.id != self.lead.id)]

    @property
    def reports(self) -> int:
        """Reports of this problem, duplicates counted."""
        return len({*self.ids, *(name for one in self.members for name in one.duplicate_of)})

    @property
    def returned(self) -> bool:
        """Whether it came back after it had been fixed."""
        return any(
            (one.type or "").lower() == "regression" or (one.model_extra or {}).get("regression_of")
            for one in self.members
        )

    @property
    def grave(self) -> bool:
        """Whether somebody rated it among the gravest."""
        return any((one.severity or one.priority or "").lower() in GRAVE for one in self.members)

    @property
    def teaches(self) -> bool:
        """Whether it was a fault that got fixed or still stands, so that a case for it is worth running."""
        told = f"{self.lead.resolution or ''} {self.lead.type or ''}"
        return not _NOT_A_FAULT.search(told)


def clusters_near(requirements: Sequence[Requirement], similar: Similar) -> dict[str, list[Cluster]]:
    """Requirement id to the problems near it, nearest first; a requirement with none is not in it.

    An incident is near when retrieval's score is above LOWEST_SCORE, at least FEWEST_SHARED content words are shared (two
    where one names its component), and these carry at least SHARE of the requirement's own words, each weighed by how few
    requirements hold it.
    """
    found = {one.id: [pair for pair in similar(_query(one)) if pair[0] >= LOWEST_SCORE] for one in requirements}
    if not any(found.values()):
        return {}
    everything = {incident.id: incident for pairs in found.values() for _, incident in pairs}
    held = {name: _held(incident) for name, incident in everything.items()}
    weights = _weights(requirements, held.values())
    result: dict[str, list[Cluster]] = {}
    for one in requirements:
        words = _words(_query(one))
        near = [
            (nearness, shared, incident)
            for _, incident in found[one.id]
            if (agreed := _agreement(words, held[incident.id], weights)) is not None
            for nearness, shared in [agreed]
        ]
        clusters = _grouped(near, everything)
        if clusters:
            result[one.id] = clusters[:MOST_CLUSTERS]
    return result


def about(cluster: Cluster) -> str:
    """One sentence: which incident, what happened, how grave, how often, what became of it."""
    lead = cluster.lead
    facts = [word for word in (lead.component, (lead.severity or lead.priority or "").lower() or None) if word]
    more = len(cluster.ids) - 1
    facts += [f"{cluster.reports} reports"] if cluster.reports > 1 else []
    facts += ["came back after a fix"] if cluster.returned else []
    facts += [(lead.resolution or "still open").lower()]
    if lead.created:
        facts.append(f"{lead.created:%Y-%m}")
    others = f", with {', '.join(cluster.ids[1:4])}" if more else ""
    shared = ", ".join(cluster.shared[:5])
    return f"Broke before: {lead.id}{others}, “{safe(lead.summary, 110)}” ({', '.join(facts)}); shared: {shared}."


def safe(text: str, limit: int) -> str:
    """Words of an incident for showing: secrets and addresses masked, one line, bounded."""
    return cut(mask(text[:4_000], personal=True), limit)


def _query(requirement: Requirement) -> str:
    return f"{' '.join(requirement.heading_path[-1:])}\n{requirement.text}"


def _words(text: str) -> dict[str, str]:
    """Stem to the word as written; without the words that every text has."""
    found: dict[str, str] = {}
    for match in _WORD.finditer(text):
        word = match[0].lower().strip("'-")
        for part in {word, *word.split("-")}:
            if len(part) > 2 and part not in _STOP:
                found.setdefault(_stem(part), part)
    return found


@dataclass(frozen=True, slots=True)
class _Held:
    summary: frozenset[str]
    body: frozenset[str]
    component: frozenset[str]


def _held(incident: Incident) -> _Held:
    names = " ".join([*(incident.components or []), *(incident.labels or [])])
    note = (incident.resolution_note or "")[:500]
    return _Held(
        frozenset(_words(incident.summary)),
        frozenset(_words(f"{incident.description[:3_000]} {note}")),
        frozenset(_words(names.replace("-", " "))),
    )


def _weights(requirements: Iterable[Requirement], held: Iterable[_Held]) -> dict[str, float]:
    """How much a word tells: its inverse document frequency over the requirements, times that over the incidents found.

    Zero for words that too many requirements hold; the second factor counts once enough incidents were seen, 0 to 1.
    """
    documents = [set(_words(_query(one))) for one in requirements]
    counts = Counter(word for words in documents for word in words)
    pool = [one.summary | one.body | one.component for one in held]
    seen = Counter(word for words in pool for word in words)
    total, most = len(documents), max(NAMED_ONCE_IN * len(documents), 3)

    def rarity(word: str) -> float:
        if len(pool) < ENOUGH or not seen[word]:
            return 1.0
        return math.log(1 + len(pool) / seen[word]) / math.log(1 + len(pool))

    return {word: 0.0 if count > most else math.log(1 + total / count) * rarity(word) for word, count in counts.items()}


def _agreement(words: dict[str, str], held: _Held, weights: dict[str, float]) -> tuple[float, list[str]] | None:
    """How much of the requirement the incident speaks of, 0 to 1 and above for titles; None when it is too little."""
    everywhere = held.summary | held.body | held.component
    shared = [word for word in words if word in everywhere and weights.get(word, 1.0) > 0]
    total = sum(weights.get(word, 1.0) for word in words)
    if not shared or total == 0 or not held.summary & set(shared):
        return None
    named = bool(held.component & set(shared))
    if len(shared) < FEWEST_SHARED - named:
        return None
    weight = sum(
        weights.get(word, 1.0) * (1.0 if word in held.summary or word in held.component else 0.6) for word in shared
    )
    share = weight / total
    if share < SHARE:
        return None
    shared.sort(key=lambda word: (-weights.get(word, 1.0), word))
    return share, [words[word] for word in shared]


def _grouped(near: Sequence[tuple[float, list[str], Incident]], everything: dict[str, Incident]) -> list[Cluster]:
    """Incidents of one problem together, by duplicate and regression links; the lead is the one that others point to."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for _, _, incident in near:
        for other in _links(incident):
            parent[root(incident.id)] = root(other)
    groups: dict[str, list[tuple[float, list[str], Incident]]] = {}
    for entry in near:
        groups.setdefault(root(entry[2].id), []).append(entry)
    clusters = []
    for key, entries in groups.items():
        entries.sort(key=lambda entry: (-entry[0], entry[2].id))
        members = [entry[2] for entry in entries]
        original = everything.get(key)
        if original is not None and original.id not in {one.id for one in members}:
            members.append(original)
        lead = next((one for one in members if not _links(one)), members[0])
        clusters.append(Cluster(lead, members, entries[0][0], entries[0][1]))
    return sorted(clusters, key=lambda cluster: (-cluster.nearness, cluster.lead.id))


def _links(incident: Incident) -> list[str]:
    returned = (incident.model_extra or {}).get("regression_of")
    return [*incident.duplicate_of, *([str(returned)] if isinstance(returned, str) and returned else [])]
