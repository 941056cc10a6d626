"""A transparent matcher: does a line of a plan show a behaviour of a suite? Words, opposites, literals, and one threshold.

The rule. Both texts are cut into condition and outcome at when, if, on, after …. A pair matches when
1. neither part is denied in one text and asserted in the other (not, no, never; hide for show, reject for accept …),
2. every literal and number of the behaviour occurs in the plan's line,
3. the plan's line holds at least `threshold` of the behaviour's content words, weighted by how rare they are.
The threshold is the only thing chosen from labels. A matcher like this is no judge of meaning: it must pass the licence first.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydantic import BaseModel

from evals.plans.corpora import split
from evals.stats import Interval

LICENCE = 0.85
"""Balanced accuracy on the labelled pairs that a judge needs before its numbers count."""
GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
_WORD = re.compile(r"#?[a-z][a-z0-9_-]*|\d+(?:\.\d+)*")
_LITERAL = re.compile(r"`([^`\n]{1,60})`|\"([^\"\n]{1,40})\"|(?<!\w)([#/.][a-z][\w/.-]{1,40})|\b(\d+)\b")
_BREAK = re.compile(r"\b(?:when|whenever|if|after|once|while|until|unless|on|before|upon)\b")
_DENIED = re.compile(
    r"\b(?:not|no|never|without|cannot|can't|won't|nor|hid(?:e|es|den|ing)|reject(?:s|ed)?|refus(?:e|es|ed|al)|invalid"
    r"|forbid(?:s|den)?|disallow(?:s|ed)?|disabl(?:e|es|ed))\b"
)
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
    """Each behaviour judged at the threshold chosen without it; 95 % bootstrap over behaviours."""
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


def score(plan: Line, statement: Line, weights: Counter[str], number: float) -> float:
    """0 to 1: weighted share of the behaviour's words that the plan's line holds; 0 where rule 1 or 2 fails."""
    if not statement.literals <= plan.literals | plan.words:
        return 0.0
    if plan.outcome_denied != statement.outcome_denied:
        return 0.0
    if None not in (plan.condition_denied, statement.condition_denied) and (
        plan.condition_denied != statement.condition_denied
    ):
        return 0.0
    return held_share(statement.words, plan.words, weights, number)


def held_share(wanted: Iterable[str], held: frozenset[str], weights: Counter[str], number: float) -> float:
    """Share of the wanted words that are held, each weighted by how rare it is in `number` texts; 0 where none is wanted."""
    rarity = {word: math.log(1 + number / (1 + weights[word])) for word in wanted}
    total = sum(rarity.values())
    return sum(value for word, value in rarity.items() if word in held) / total if total else 0.0


@lru_cache(maxsize=1 << 15)
def prepared(text: str) -> Line:
    """The text as the rule sees it."""
    low = text.lower().replace("’", "'")
    literals = frozenset(next(filter(None, found)) for found in _LITERAL.findall(low))
    outcome, condition = _parts(low)
    return Line(
        words=frozenset(stem for word in _WORD.findall(low) if (stem := _stem(word)) and stem not in _STOP),
        literals=literals,
        condition_denied=bool(_DENIED.search(condition)) if condition else None,
        outcome_denied=len(_DENIED.findall(outcome)) % 2 == 1,
    )


def weights_of(texts: Iterable[str]) -> tuple[Counter[str], float]:
    """In how many of the texts each word occurs, and their number: what rarity is counted from."""
    counted: Counter[str] = Counter()
    number = 0
    for text in texts:
        number += 1
        counted.update(prepared(text).words)
    return counted, float(number)


def licence(pairs: Sequence[Pair], *, rounds: int = 2_000) -> Licence:
    """Choose the threshold and say how good the matcher is where it was not chosen (leave one behaviour out)."""
    weights, number = weights_of(text for pair in pairs for text in (pair.plan_text, pair.behaviour))
    scores = [_pair_score(pair, weights, number) for pair in pairs]
    labels = [pair.label for pair in pairs]
    said = []
    for pair, own in zip(pairs, scores, strict=True):
        rest = [i for i, other in enumerate(pairs) if other.behaviour != pair.behaviour]
        said.append(int(own >= _best([scores[i] for i in rest], [labels[i] for i in rest])))
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
        passed=value >= LICENCE,
    )


def balanced(said: Sequence[int], labels: Sequence[int]) -> float:
    """Mean of the shares of matches and of mismatches that were called right; nan without both kinds."""
    right = [[s == label for s, label in zip(said, labels, strict=True) if label == kind] for kind in (0, 1)]
    if not all(right):
        return math.nan
    return sum(sum(one) / len(one) for one in right) / 2


def _best(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The threshold with the highest balanced accuracy, the strictest where several are equal."""
    return max(GRID, key=lambda cut: (balanced([int(one >= cut) for one in scores], labels), cut))


def _pair_score(pair: Pair, weights: Counter[str], number: float) -> float:
    return score(prepared(pair.plan_text), prepared(split(pair.behaviour)[1]), weights, number)


def _parts(low: str) -> tuple[str, str]:
    """Outcome and condition of a sentence in lower case; the part that begins with when, if … is the condition."""
    match = _BREAK.search(low)
    if match is None:
        return low, ""
    if low[: match.start()].strip(" ,:;.-"):
        return low[: match.start()], low[match.start() :]
    condition, comma, outcome = low.partition(",")
    return (outcome, condition) if comma else (low, "")


def _stem(word: str) -> str:
    """The word without the endings of English inflection; numbers and short words as they are."""
    if word in _STOP:
        return ""
    for ending in ("ing", "ed", "ies", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)].rstrip("e") + ("y" if ending == "ies" else "")
    return word.rstrip("e") if len(word) > 3 else word
