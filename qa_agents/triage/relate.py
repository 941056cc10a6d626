"""How a report relates to past incidents: decided by what became of them and by a deterministic difference check.

Nothing here is applied by itself: a relation is shown to a person, with what the two share and where they differ.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.classify import SUMMARY_CHARS, Neighbours
from qa_agents.triage.facts.extract import comparable
from qa_agents.triage.facts.headline import headline_conflicts, is_routine, is_task
from qa_agents.triage.schema import Fact, Relation, RelationKind

Facts = dict[str, set[str]]
"""What can be compared: dimension to the values a text names."""

MAX_RELATIONS = 5
STRONG_DENSE, STRONG_LEXICAL = 0.80, 0.85
"""From here on two texts may tell of the same bug; below, they are at most from the same area. Shared words alone say
so only where no vectors were compared: they are the weaker witness. The vectors' floors fit the default embedder."""
STRONG_PROBABILITY, AREA_PROBABILITY = 0.10, 0.03
"""The same two floors where a learned order gives a probability, which then decides what may be claimed. Of the
4,285 reports of Titanium's 2013 some 310 reach .10, and one in five of those is a linked duplicate (of 690 with a
cosine of .80, one in thirteen); links there are incomplete, and no higher floor makes it one in two."""
IDENTITY, MIN_IDENTITY = ("error_code", "exception", "top_frame"), 2
"""Where two texts as near as STRONG_DENSE share values in so many of these, the incident may be claimed whatever its
probability: odds learned on few links, or on another tracker's, know little of such pairs. On Titanium's 2012 and 2013
one shared kind already was right as often as STRONG_PROBABILITY is (5 of 21 linked)."""
AREA_DENSE, AREA_LEXICAL = 0.70, 0.55
"""Below this an incident is not worth a reader's time and is not shown."""
SAME_TEXT_DENSE, SAME_TEXT_LEXICAL = 0.95, 0.90
"""From here on the two texts are called the same."""
MIN_WORDS = 4
"""A report of fewer words is too vague to be called the same as anything."""
SHOWN_VALUES, SHOWN_WORDS, SHOWN_CHARS = 3, 5, 80

PATCH_DOTS = 2
"""A version of so many dots names a patch: 8.0.1, not 8.0."""

FIXED = frozenset({"fixed", "done", "complete", "completed", "implemented", "fix released", "delivered", "verified"})
"""Resolutions (or, where there is none, statuses) that say the bug was mended, in lower case."""
FIX_VERSION_KEYS = ("fix_versions", "fix_version", "fixed_version", "fixed_in", "fixVersions")
"""Where trackers put the version that holds the fix, among an incident's extra keys."""
DIMENSIONS = {
    "version": "version",
    "os": "OS",
    "platform": "platform",
    "error_code": "error code",
    "endpoint": "endpoint",
    "exception": "exception",
    "top_frame": "top stack frame",
}
"""The dimensions compared, with their names in words."""

_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}", re.ASCII)
_FIXED_IN = re.compile(
    r"\b(?:fixed|resolved|released|shipped)\s{1,3}(?:in|with)\s{1,3}(?:version\s{1,3}|release\s{1,3})?"
    r"v?(\d{1,5}(?:\.\d{1,5}){1,3})",
    re.ASCII | re.IGNORECASE,
)
_NOTE_CHARS = 20_000


class Comparison(NamedTuple):
    """The difference check's result, in words."""

    same: list[str]
    differs: list[str]
    conflicts: dict[str, str]
    """The dimensions on which the two cannot be the same bug, each with its entry of `differs`."""


class _Target(NamedTuple):
    candidate: Candidate
    incident: Incident
    """The canonical incident, or the neighbour itself where the canonical one is not known."""
    facts: Facts


def relate(
    report: Report,
    facts: Sequence[Fact],
    neighbours: Neighbours,
    *,
    chain: Callable[[str], list[str]],
    facts_of: Callable[[Incident], Facts],
    as_of: datetime,
    incident_of: Callable[[str], Incident | None] = lambda _id: None,
) -> list[Relation]:
    """Relate the report to at most MAX_RELATIONS incidents: claims stronger than `same-area` first, then the closer.

    Each stronger kind is claimed once, of the nearest incident that the difference check lets pass; a routine text,
    which comes back again and again without anything being broken, is never claimed to be more than of the same area.

    `chain(id)` follows duplicate links from an incident and ends at the canonical one; `facts_of` gives an incident's
    comparable facts. `incident_of` finds a canonical incident that is not among the neighbours, masked as they are;
    one that cannot be found is at most `same-area`. A relation's probability is its candidate's: that the two are the
    same bug, whatever became of it; None where no learned order gave one.
    """
    mine = _with_version(comparable(facts), report)
    vague = len(report.text.split()) < MIN_WORDS
    known = {incident.id: incident for _, incident in neighbours}
    claimable = not vague and not is_routine(report, known.values(), as_of)
    found: dict[str, tuple[Candidate, Relation]] = {}
    for candidate, incident in neighbours:
        if not _worth(candidate) >= 1.0:  # so that a similarity that is no number is far
            continue
        canonical = _canonical_id(incident, chain)
        if report.id in (incident.id, canonical) or canonical in found:
            continue
        target = _target(candidate, incident, known.get(canonical) or incident_of(canonical), canonical, facts_of)
        found[canonical] = (candidate, _relation(report, mine, target, canonical, as_of, claimable))
    return _ranked(found.values())[:MAX_RELATIONS]


def explain_absence(similar: Sequence[Candidate]) -> str:
    """Why no open incident was called a duplicate, in one sentence: the best candidate against the bounds."""
    if not similar:
        return "No duplicate was named: memory holds nothing like it."
    best = similar[0]
    if best.probability is not None:
        return (
            f"No duplicate was named. The likeliest is {best.incident_id} at {best.probability:.2f} (a claim needs "
            f"{STRONG_PROBABILITY:.2f}); it must also be open and not differ."
        )
    meaning = "not compared" if best.dense is None else f"{best.dense:.2f}"
    return (
        f"No duplicate was named. The nearest is {best.incident_id}: meaning {meaning} (a duplicate needs {STRONG_DENSE}), "
        f"words {best.lexical or 0:.2f} ({STRONG_LEXICAL} where meaning was not compared); it must also be open and not differ."
    )


def closeness(candidate: Candidate) -> float:
    """How near the incident is, measured in floors: 1 is just worth showing; comparable within one answer."""
    return max((candidate.dense or 0.0) / AREA_DENSE, (candidate.lexical or 0.0) / AREA_LEXICAL)


def _worth(candidate: Candidate) -> float:
    """Whether the incident is worth a reader's time: 1 is just so; by its texts, or by its probability."""
    return max(closeness(candidate), (candidate.probability or 0.0) / AREA_PROBABILITY)


def compare(mine: Facts, theirs: Facts) -> Comparison:
    """Hold two sets of facts against each other; a dimension that either side leaves open says nothing."""
    same, differs, conflicts = [], [], {}
    for dimension, words in DIMENSIONS.items():
        ours, others = (_keyed(dimension, facts.get(dimension, set())) for facts in (mine, theirs))
        if not ours or not others:
            continue
        if shared := ours.keys() & others.keys():
            same.append(f"{words}: {_shown(ours[key] for key in shared)}")
        else:
            entry = f"{_shown(ours.values())} vs {_shown(others.values())}"
            differs.append(f"{words}: {entry}")
            if dimension != "version" or not _patches_of_one(mine, theirs):
                conflicts[dimension] = f"{words} {entry}"
    return Comparison(same, differs, conflicts)


def _patches_of_one(mine: Facts, theirs: Facts) -> bool:
    """Whether some version of each is a patch of the same release, 8.0.1 and 8.0.2 say: told, but no conflict."""
    ours, others = (
        {key[:2] for version in facts["version"] if (key := version_key(version)) and version.count(".") >= PATCH_DOTS}
        for facts in (mine, theirs)
    )
    return bool(ours & others)


def version_key(text: str) -> tuple[int, ...] | None:
    """The numeric parts of the first version in `text`, trailing zeros dropped: `Release 8.0` → (8,); None without."""
    match = _VERSION.search(text[:200])
    if not match:
        return None
    parts = [int(part) for part in match.group().split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def fixed_versions(incident: Incident) -> list[str]:
    """The versions said to hold the fix: from the tracker's fix-version field, else from the resolution note."""
    extra = incident.model_extra or {}
    for key in FIX_VERSION_KEYS:
        value = extra.get(key)
        listed = value if isinstance(value, list) else [value]
        if texts := [str(v) for v in listed[:20] if isinstance(v, str | int | float) and version_key(str(v))]:
            return texts
    return _FIXED_IN.findall((incident.resolution_note or "")[:_NOTE_CHARS])[:5]


def _ranked(found: Iterable[tuple[Candidate, Relation]]) -> list[Relation]:
    """Best first. Of two incidents that are both near, at most one is the same bug: further claims are demoted."""
    claimed: set[RelationKind] = set()
    claims, others = [], []
    for candidate, relation in sorted(found, key=lambda pair: -_likeness(pair[0])):
        if relation.kind != "same-area" and relation.kind not in claimed:
            claimed.add(relation.kind)
            claims.append(relation)
        else:
            others.append((_worth(candidate), relation.model_copy(update={"kind": "same-area"})))
    return claims + [relation for _, relation in sorted(others, key=lambda pair: -pair[0])]


def _relation(
    report: Report, mine: Facts, target: _Target, canonical: str, as_of: datetime, claimable: bool
) -> Relation:
    candidate, incident, theirs = target
    comparison = _with_headlines(compare(mine, theirs), report, incident)
    kind: RelationKind = "same-area"
    vetoed_by = None
    if incident.id == canonical and claimable and (_likeness(candidate) >= 1.0 or _tied(candidate, mine, theirs)):
        kind = _kind_by_outcome(mine, incident, theirs, as_of)
    # A fix moves the version on purpose: for a fixed bug, the versions were already weighed against the fix.
    vetoes = [
        words
        for dimension, words in comparison.conflicts.items()
        if dimension != "version" or kind == "duplicate-of-open"
    ]
    if kind != "same-area" and vetoes:
        vetoed_by, kind = f"{kind}: {_in_words(candidate)}, but {vetoes[0]}", "same-area"
    known = incident.id == canonical
    return Relation(
        incident_id=canonical,
        kind=kind,
        probability=candidate.probability,
        same=_shared(candidate, canonical, comparison),
        differs=comparison.differs,
        vetoed_by=vetoed_by,
        state=_state(incident, as_of) if known else "",
        summary=" ".join(incident.summary[: 4 * SUMMARY_CHARS].split())[:SUMMARY_CHARS] if known else "",
    )


def _with_headlines(found: Comparison, report: Report, incident: Incident) -> Comparison:
    """The comparison of the texts with what the two say first: the more telling difference leads."""
    apart = headline_conflicts(report, incident)
    return Comparison(found.same, [*apart.values(), *found.differs], {**apart, **found.conflicts})


def _shared(candidate: Candidate, canonical: str, comparison: Comparison) -> list[str]:
    by_way = [f"{candidate.incident_id}, its duplicate, is alike"] if candidate.incident_id != canonical else []
    words = [f"words: {', '.join(candidate.shared[:SHOWN_WORDS])}"] if candidate.shared else []
    return by_way + comparison.same + words


def _kind_by_outcome(mine: Facts, incident: Incident, theirs: Facts, as_of: datetime) -> RelationKind:
    """What a strong likeness means, given what became of the incident."""
    if incident.open_at(as_of):
        return "duplicate-of-open"
    if (incident.resolution or incident.status or "").casefold() not in FIXED:
        return "same-area"
    if is_task(incident):
        return "same-area"
    reported, affected = _newest(mine), _newest(theirs)
    fixes = [key for version in fixed_versions(incident) if (key := version_key(version))]
    if reported and fixes:
        on_branch = [fix for fix in fixes if _branch(fix) == _branch(reported)] or fixes
        return "regression-of-fixed" if reported >= min(on_branch) else "already-fixed"
    if reported and affected and reported <= affected:
        return "already-fixed"  # the fix came after the version the bug was first seen in
    return "regression-of-fixed"


def _likeness(candidate: Candidate) -> float:
    """Likeness in units of what counts as strong: by probability, else by the vectors, else by the words."""
    if candidate.probability is not None:
        return candidate.probability / STRONG_PROBABILITY
    if candidate.dense is not None:
        return candidate.dense / STRONG_DENSE
    return (candidate.lexical or 0.0) / STRONG_LEXICAL


def _tied(candidate: Candidate, mine: Facts, theirs: Facts) -> bool:
    """Whether near texts name the same failure: by MIN_IDENTITY kinds of what identifies one."""
    shared = sum(bool(mine.get(kind, set()) & theirs.get(kind, set())) for kind in IDENTITY)
    return (candidate.dense or 0.0) >= STRONG_DENSE and shared >= MIN_IDENTITY


def _in_words(candidate: Candidate) -> str:
    same = (candidate.dense or 0.0) >= SAME_TEXT_DENSE or (candidate.lexical or 0.0) >= SAME_TEXT_LEXICAL
    return "same text" if same else "similar text"


def _canonical_id(incident: Incident, chain: Callable[[str], list[str]]) -> str:
    """Where the duplicate links known at the time end; the incident itself when it has none."""
    path = chain(incident.id) if incident.duplicate_of else []
    return path[-1] if path else incident.id


def _target(
    candidate: Candidate,
    neighbour: Incident,
    canonical: Incident | None,
    canonical_id: str,
    facts_of: Callable[[Incident], Facts],
) -> _Target:
    """The incident to relate to, with the facts of all the confirmed duplicates on the way to it."""
    theirs = _with_version(facts_of(neighbour), neighbour)
    if canonical is None or canonical_id == neighbour.id:
        return _Target(candidate, neighbour, theirs)
    own = _with_version(facts_of(canonical), canonical)
    return _Target(candidate, canonical, {key: own.get(key, set()) | theirs.get(key, set()) for key in {*own, *theirs}})


def _with_version(facts: Facts, report: Report) -> Facts:
    """The version field outweighs versions found in the text, which may belong to other software."""
    return {**facts, "version": {report.version}} if report.version and version_key(report.version) else facts


def _newest(facts: Facts) -> tuple[int, ...] | None:
    return max((key for version in facts.get("version", set()) if (key := version_key(version))), default=None)


def _branch(version: tuple[int, ...]) -> tuple[int, ...]:
    return (*version, 0)[:2]


def _keyed(dimension: str, values: set[str]) -> dict[object, str]:
    """Values by what makes them equal: the numeric parts of versions, the case-folded text of all else."""
    key = version_key if dimension == "version" else str.casefold
    return {key(value) or value.casefold(): value for value in sorted(values)}


def _shown(values: Iterable[str]) -> str:
    texts = sorted(value[:SHOWN_CHARS] for value in values)
    more = f" and {len(texts) - SHOWN_VALUES} more" if len(texts) > SHOWN_VALUES else ""
    return ", ".join(texts[:SHOWN_VALUES]) + more


def _state(incident: Incident, as_of: datetime) -> str:
    return "open" if incident.open_at(as_of) else incident.resolution or incident.status or "closed"
