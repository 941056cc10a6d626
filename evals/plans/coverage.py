"""Behaviour coverage: which behaviours of an independent suite a plan shows, by the matcher, beside controls."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from evals.plans.corpora import Behaviour, Corpus, Drafted
from evals.plans.matcher import Embed, Line, Rarity, cosines, prepared, rarity_of, score, shared
from evals.plans.requests import is_of_api, shown_by
from evals.stats import Interval, wilson
from qa_agents.plans.schema import TestCase, TestPlan

_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n(?=\s*[-*|#\d])")
_SHOW = re.compile(r"^show that ", re.I)


class Told(NamedTuple):
    """What a line of a plan says."""

    text: str
    gist: str
    """What it is about, in a sentence: what is embedded."""
    outcome: str
    """What is seen; empty where that must be told from the words."""
    negative: bool
    case: TestCase | None = None
    """The case itself; None for a mere sentence, which sends no request."""


class Covered(BaseModel):
    """What one plan covers of one suite."""

    covered: Interval
    by_kind: dict[str, str] = {}
    """Kind to `covered of all`."""
    ids: list[str] = []


class Coverage(BaseModel):
    """One corpus: the plan beside the controls."""

    corpus: str
    behaviours: int
    cases: int
    plan: Covered
    spec_copy: Covered
    """Every sentence of the specification as a case: what a mere copy gets."""
    copied: int
    """Sentences of that copy."""
    copy_in_part: Covered
    """As many of them, evenly spread, as the plan has cases: what a copy gets at the same cost."""
    foreign: Covered
    """The plan of another corpus: what chance gets."""
    empty: Covered
    groups: Interval
    """Groups of the suite with a behaviour that is covered."""
    cited: Interval | None
    """Behaviours whose labelled words of the specification some case rests on; None without such labels. A copy gets all."""
    cases_per_covered: float | None


def measure(corpus: Corpus, drafted: Drafted, foreign: TestPlan, threshold: float, embed: Embed) -> Coverage:
    """The coverage of one corpus by its plan, by a copy of its text, by another corpus' plan, and by nothing."""
    suite = [one for one in corpus.behaviours if one.kind != "spec_only"]
    text = "\n\n".join(document.text for document in drafted.documents)
    own, copy, other = told(drafted.plan.cases), sentences(text), told(foreign.cases)
    plan, spec_copy, part, strange, empty = (
        covered(suite, lines, threshold, embed) for lines in (own, copy, spread(copy, len(own)), other, list[Told]())
    )
    groups: dict[str, bool] = {}
    for one in suite:
        groups[one.group] = groups.get(one.group, False) or one.id in plan.ids
    return Coverage(
        corpus=corpus.name,
        behaviours=len(suite),
        cases=len(drafted.plan.cases),
        plan=plan,
        copied=len(copy),
        spec_copy=spec_copy,
        copy_in_part=part,
        foreign=strange,
        empty=empty,
        groups=wilson(sum(groups.values()), len(groups)),
        cited=cited(corpus, drafted),
        cases_per_covered=len(drafted.plan.cases) / len(plan.ids) if plan.ids else None,
    )


def told(cases: Iterable[TestCase]) -> list[Told]:
    """What each case says: what it shows, what is done with which data, and what is seen."""
    return [
        Told(
            text=" ".join([case.objective, *(f"{step.action} {step.data} {step.expected}" for step in case.steps)]),
            gist=_SHOW.sub("", case.objective),
            outcome=case.steps[-1].expected,
            negative=case.polarity == "negative",
            case=case,
        )
        for case in cases
    ]


def sentences(text: str) -> list[Told]:
    """Every sentence of a text as a line of a plan."""
    found = [" ".join(part.split()) for part in _SENTENCE.split(text)]
    return [
        Told(one, one, "", bool(re.search(r"\b(?:not|invalid|no)\b", one, re.I)))
        for one in found
        if len(one.split()) > 2
    ]


def spread(lines: Sequence[Told], number: int) -> list[Told]:
    """So many of the lines, evenly spread; all where there are no more."""
    return [lines[place * len(lines) // number] for place in range(number)] if 0 < number < len(lines) else [*lines]


def covered(suite: Sequence[Behaviour], lines: Sequence[Told], threshold: float, embed: Embed) -> Covered:
    """Behaviours that some line shows, 95 % Wilson."""
    kinds = Counter(one.kind for one in suite)
    hits = _shown(suite, lines, threshold, embed) if lines else []
    got = Counter(one.kind for one in hits)
    return Covered(
        covered=wilson(len(hits), len(suite)),
        by_kind={kind: f"{got[kind]} of {total}" for kind, total in sorted(kinds.items())},
        ids=[one.id for one in hits],
    )


def _shown(suite: Sequence[Behaviour], lines: Sequence[Told], threshold: float, embed: Embed) -> list[Behaviour]:
    wanted = [one.statement if one.refused is None else f"{one.context} {one.statement}" for one in suite]
    rarity = rarity_of([*wanted, *(line.text for line in lines)])
    near = cosines(embed, [line.gist for line in lines], wanted)
    ready = [prepared(line.text, line.outcome) for line in lines]
    cases = [line.case for line in lines if line.case is not None]
    return [
        one
        for number, one in enumerate(suite)
        if (
            shown_by(one.statement, cases)
            if is_of_api(one.statement)
            else any(
                _score(one, wanted[number], line, own, rarity, float(cosine)) >= threshold
                for line, own, cosine in zip(lines, ready, near[:, number], strict=True)
            )
        )
    ]


def _score(one: Behaviour, wanted: str, line: Told, own: Line, rarity: Rarity, cosine: float) -> float:
    if one.refused is None:
        return score(own, prepared(wanted), rarity, cosine)
    if one.refused != line.negative:
        return 0.0
    # The suite's file names carry neither verb nor denial, and numbers that mean nothing: the case's polarity says both.
    names = frozenset(word for word in prepared(wanted).words if not word.isdigit())
    return (shared(own.words, names, rarity) + max(0.0, cosine)) / 2


def cited(corpus: Corpus, drafted: Drafted) -> Interval | None:
    """Behaviours whose labelled words of the specification lie in a requirement that has a case; None without such labels."""
    quotes = [one.spec_quote for one in corpus.behaviours if one.spec_quote]
    if not quotes:
        return None
    used = {name for case in drafted.plan.cases for name in case.requirement_ids}
    spans = [(one.start, one.end) for one in drafted.plan.requirements if one.id in used]
    text = drafted.documents[0].text
    hits = 0
    for quote in quotes:
        start = text.find(quote)
        hits += start >= 0 and any(a < start + len(quote) and start < b for a, b in spans)
    return wilson(hits, len(quotes))
