"""A transparent matcher: does a line of a plan show a behaviour of a suite? A veto, three signals, and one threshold.

The veto. Both texts are cut into condition and outcome. A pair does not match when either part is denied in one text and
asserted in the other (not, no, never; hide for show, reject for accept …), or when a literal or number of the behaviour does
not occur in the line. The signals, each from 0 to 1, of which the mean counts:
1. words: how many of the behaviour's content words the line holds, and how much else it says, weighted by how rare they are;
   what is long loses here,
2. deed: whether the behaviour's verb occurs in the line's outcome,
3. meaning: the cosine of the two texts by the local embedder.
The threshold is the only thing chosen from labels. A matcher like this is no judge of meaning: it must pass the licence first.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydantic import BaseModel

from evals.plans.corpora import split
from evals.stats import Interval
from qa_agents.incidents.minilm import Vectors
from qa_agents.plans.requirements.ears import shape_of

LICENCE = 0.85
"""Balanced accuracy on the labelled pairs that a judge needs before its numbers count."""
GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
RECALL_WEIGHT = 4.0
"""Beta squared of the words' F: holding what is wanted weighs more than holding nothing else."""
Embed = Callable[[Sequence[str]], Vectors]
Rarity = Mapping[str, float]
_WORD = re.compile(r"#?[a-z][a-z0-9_-]*|\d+(?:\.\d+)*")
_LITERAL = re.compile(r"`([^`\n]{1,60})`|\"([^\"\n]{1,40})\"|(?<!\w)([#/.][a-z][\w/.-]{1,40})|\b(\d+)\b")
_DENIED = re.compile(
    r"\b(?:not|no|never|without|cannot|can't|won't|nor|hid(?:e|es|den|ing)|reject(?:s|ed)?|refus(?:e|es|ed|al)|invalid"
    r"|forbid(?:s|den)?|disallow(?:s|ed)?|disabl(?:e|es|ed))\b"
)
_ASIDE = re.compile(r"\b(?:that|which|who|whose|so)\b.*", re.DOTALL)
"""What a subordinate clause denies is not what happens."""
_DEED = re.compile(
    r"\b(?:should|must|shall|will|can|may)(?: not| never| be(?: able to)?| allow \w+ to| also| only)* ([a-z][a-z-]+)"
)
_MODAL = re.compile(r"^(?:it |they )?(?:should|must|shall|will)(?: be able to| allow \w+ to)? ")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_STOP = frozenset(
    re.findall(
        r"\w+",
        """
        a after all allow allows also an and any are as at be been before being but by can could do does each
        for from given had has have i if in into is it its made make may me more must never no not of on once
        or our product shall should show so sure than that the their them then there these they this those to
        under unless until upon was were when while will with without would you your
        """,
    )
)


class Pair(BaseModel):
    """One labelled pair."""

    id: str
    plan_text: str
    behaviour: str
    label: int


class Licence(BaseModel):
    """How well the matcher does on pairs that people labelled."""

    pairs: int
    threshold: float
    """Chosen on all pairs; used for coverage."""
    balanced_accuracy: Interval
    """Each half of the pairs judged at the threshold chosen on the other half; 95 % bootstrap over behaviours."""
    ranking: float
    """How often a match scores higher than a mismatch, ties half: what no threshold can add to; 0.5 is chance."""
    majority: float = 0.5
    """Balanced accuracy of always giving one answer."""
    passed: bool


@dataclass(frozen=True)
class Line:
    """One text, prepared."""

    words: frozenset[str]
    literals: frozenset[str]
    condition_denied: bool | None
    """None where it states no condition."""
    outcome_denied: bool
    outcome_words: frozenset[str]
    deed: str
    """The stem of the verb that says what happens; of the first word that means anything where no verb can be told."""


def score(plan: Line, statement: Line, rarity: Rarity, cosine: float) -> float:
    """0 to 1: the mean of the three signals; 0 where the veto holds."""
    if not agrees(plan, statement):
        return 0.0
    deed = float(bool(statement.deed) and statement.deed in plan.outcome_words)
    return (shared(plan.words, statement.words, rarity) + deed + max(0.0, cosine)) / 3


def agrees(plan: Line, statement: Line) -> bool:
    """Whether nothing is denied in one and asserted in the other, and every literal of the behaviour occurs."""
    if not statement.literals <= plan.literals | plan.words or plan.outcome_denied != statement.outcome_denied:
        return False
    both = None not in (plan.condition_denied, statement.condition_denied)
    return not both or plan.condition_denied == statement.condition_denied


def shared(held: frozenset[str], wanted: frozenset[str], rarity: Rarity) -> float:
    """F of the words by rarity, 0 to 1: the share of the wanted that is held, and of the held that is wanted."""
    common = sum(rarity.get(word, 1.0) for word in held & wanted)
    if not common:
        return 0.0
    recall = common / sum(rarity.get(word, 1.0) for word in wanted)
    precision = common / sum(rarity.get(word, 1.0) for word in held)
    return (1 + RECALL_WEIGHT) * recall * precision / (RECALL_WEIGHT * precision + recall)


@lru_cache(maxsize=1 << 15)
def prepared(text: str, outcome: str = "") -> Line:
    """The text as the rule sees it; `outcome` where it is known and need not be told from the words."""
    low = text.lower().replace("’", "'")
    shape = shape_of(low)
    told = outcome.lower().replace("’", "'") or shape.response or low
    condition = " ".join(part for part in (shape.trigger, shape.precondition) if part)
    verb = _DEED.search(_ASIDE.sub("", told))
    return Line(
        words=words_of(low),
        literals=frozenset(next(filter(None, found)) for found in _LITERAL.findall(low)),
        condition_denied=bool(_DENIED.search(condition)) if condition else None,
        outcome_denied=len(_DENIED.findall(_ASIDE.sub("", told))) % 2 == 1,
        outcome_words=words_of(told),
        deed=_stem(verb[1]) if verb else next((stem for word in _WORD.findall(told) if (stem := _stem(word))), ""),
    )


def words_of(text: str) -> frozenset[str]:
    """Stems of the content words of a text in lower case."""
    return frozenset(stem for word in _WORD.findall(text) if (stem := _stem(word)) and stem not in _STOP)


def rarity_of(texts: Iterable[str]) -> dict[str, float]:
    """How much each word tells: more, the fewer of the texts it occurs in."""
    counted: Counter[str] = Counter()
    number = 0
    for text in texts:
        number += 1
        counted.update(words_of(text.lower()))
    return {word: math.log(1 + number / (1 + times)) for word, times in counted.items()}


def gist(text: str) -> str:
    """The text as it is embedded: without the words that open a demand."""
    return _MODAL.sub("", " ".join(text.lower().split()))


def cosines(embed: Embed, ours: Sequence[str], theirs: Sequence[str]) -> Vectors:
    """The cosine of each of our texts with each of theirs."""
    first, second = (
        vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        for vectors in (embed([gist(one) for one in texts]) for texts in (ours, theirs))
    )
    return np.asarray(first @ second.T, np.float32)


def parts(text: str) -> list[str]:
    """A line of a plan sentence by sentence, without the name of its place in front."""
    head, statement = split(text)
    bare = statement if head and len(head.split()) <= 4 else text
    return [one for one in _SENTENCE.split(bare) if len(one.split()) > 1] or [bare]


def licence(pairs: Sequence[Pair], embed: Embed, *, rounds: int = 2_000) -> Licence:
    """Choose the threshold and say how good the matcher is where it was not chosen."""
    scores, labels = _scores(pairs, embed), [pair.label for pair in pairs]
    halves = [int(hashlib.sha256(pair.behaviour.encode()).hexdigest(), 16) % 2 for pair in pairs]
    cuts = [_best(*_of(scores, labels, [half != own for half in halves])) for own in (0, 1)]
    said = [int(own >= cuts[half]) for own, half in zip(scores, halves, strict=True)]
    groups = sorted({pair.behaviour for pair in pairs})
    members = [[i for i, pair in enumerate(pairs) if pair.behaviour == group] for group in groups]
    draws = []
    for picked in np.random.default_rng(0).integers(0, len(groups), (rounds, len(groups))):
        chosen = [i for group in picked for i in members[group]]
        draws.append(balanced([said[i] for i in chosen], [labels[i] for i in chosen]))
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    value = balanced(said, labels)
    return Licence(
        pairs=len(pairs),
        threshold=_best(scores, labels),
        balanced_accuracy=Interval(value=value, low=float(low), high=float(high), n=len(pairs)),
        ranking=_ranking(scores, labels),
        passed=value >= LICENCE,
    )


def balanced(said: Sequence[int], labels: Sequence[int]) -> float:
    """Mean of the shares of matches and of mismatches that were called right; nan without both kinds."""
    right = [[s == label for s, label in zip(said, labels, strict=True) if label == kind] for kind in (0, 1)]
    if not all(right):
        return math.nan
    return sum(sum(one) / len(one) for one in right) / 2


def _scores(pairs: Sequence[Pair], embed: Embed) -> list[float]:
    statements = [split(pair.behaviour)[1] for pair in pairs]
    rarity = rarity_of([*statements, *(pair.plan_text for pair in pairs)])
    found = []
    for pair, statement in zip(pairs, statements, strict=True):
        told = parts(pair.plan_text)
        near = cosines(embed, told, [statement])[:, 0]
        ready = prepared(statement)
        found.append(max(score(prepared(one), ready, rarity, float(c)) for one, c in zip(told, near, strict=True)))
    return found


def _of(scores: Sequence[float], labels: Sequence[int], chosen: Sequence[bool]) -> tuple[list[float], list[int]]:
    kept = [i for i, one in enumerate(chosen) if one]
    return [scores[i] for i in kept], [labels[i] for i in kept]


def _best(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The threshold with the highest balanced accuracy, the strictest where several are equal."""
    return max(GRID, key=lambda cut: (balanced([int(one >= cut) for one in scores], labels), cut))


def _ranking(scores: Sequence[float], labels: Sequence[int]) -> float:
    good = [one for one, label in zip(scores, labels, strict=True) if label]
    bad = [one for one, label in zip(scores, labels, strict=True) if not label]
    pairs = [(one > other) + 0.5 * (one == other) for one in good for other in bad]
    return sum(pairs) / len(pairs) if pairs else math.nan


def _stem(word: str) -> str:
    """The word without the endings of English inflection; numbers and short words as they are."""
    if word in _STOP:
        return ""
    for ending in ("ing", "ed", "ies", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e") + ("y" if ending == "ies" else "")
    return word.rstrip("e") if len(word) > 3 else word
