"""Behaviour coverage: which behaviours of an independent suite a plan shows, by the matcher, beside controls."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from evals.plans.corpora import Behaviour, Corpus, Drafted
from evals.plans.matcher import held_share, prepared, score, weights_of
from evals.stats import Interval, wilson
from qa_agents.plans.schema import TestCase, TestPlan

_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n\s*\n|\n(?=\s*[-*|#\d])")
Told = tuple[str, bool]
"""What a line of a plan says, and whether it is a negative case."""


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
    foreign: Covered
    """The plan of another corpus: what chance gets."""
    empty: Covered
    groups: Interval
    """Groups of the suite with a behaviour that is covered."""
    cited: Interval | None
    """Behaviours whose labelled words of the specification some case rests on; None without such labels. A copy gets all."""
    cases_per_covered: float | None


def measure(corpus: Corpus, drafted: Drafted, foreign: TestPlan, threshold: float) -> Coverage:
    """The coverage of one corpus by its plan, by a copy of its text, by another corpus' plan, and by nothing."""
    suite = [one for one in corpus.behaviours if one.kind != "spec_only"]
    text = "\n\n".join(document.text for document in drafted.documents)
    own, copy, other = told(drafted.plan.cases), sentences(text), told(foreign.cases)
    plan = covered(suite, own, threshold)
    groups: dict[str, bool] = {}
    for one in suite:
        groups[one.group] = groups.get(one.group, False) or one.id in plan.ids
    return Coverage(
        corpus=corpus.name,
        behaviours=len(suite),
        cases=len(drafted.plan.cases),
        plan=plan,
        spec_copy=covered(suite, copy, threshold),
        foreign=covered(suite, other, threshold),
        empty=covered(suite, [], threshold),
        groups=wilson(sum(groups.values()), len(groups)),
        cited=cited(corpus, drafted),
        cases_per_covered=len(drafted.plan.cases) / len(plan.ids) if plan.ids else None,
    )


def told(cases: Iterable[TestCase]) -> list[Told]:
    """What each case says: where, under which circumstances, what is done and what is seen."""
    return [
        (
            " ".join(
                [
                    case.title,
                    *case.preconditions,
                    *(f"{step.action} {step.data}" for step in case.steps),
                    # The outcome stands in a sentence of its own: the rule compares denials part by part.
                    f"\n{case.steps[-1].expected}",
                ]
            ),
            case.polarity == "negative",
        )
        for case in cases
    ]


def sentences(text: str) -> list[Told]:
    """Every sentence of a text as a line of a plan."""
    found = [" ".join(part.split()) for part in _SENTENCE.split(text)]
    return [(one, bool(re.search(r"\b(?:not|invalid|no)\b", one, re.I))) for one in found if len(one.split()) > 2]


def covered(suite: Sequence[Behaviour], lines: Sequence[Told], threshold: float) -> Covered:
    """Behaviours that some line shows, 95 % Wilson."""
    weights, number = weights_of([*(one.statement for one in suite), *(text for text, _ in lines)])
    ready = [(_parts(text), negative) for text, negative in lines]
    hits = [
        one
        for one in suite
        if any(_shows(one, parts, negative, weights, number, threshold) for parts, negative in ready)
    ]
    kinds = Counter(one.kind for one in suite)
    got = Counter(one.kind for one in hits)
    return Covered(
        covered=wilson(len(hits), len(suite)),
        by_kind={kind: f"{got[kind]} of {total}" for kind, total in sorted(kinds.items())},
        ids=[one.id for one in hits],
    )


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


def _parts(text: str) -> list[str]:
    whole, _, outcome = text.partition("\n")
    return [f"{whole} {outcome}", *([outcome] if outcome else [])]


def _shows(
    one: Behaviour, parts: Sequence[str], negative: bool, weights: Counter[str], number: float, threshold: float
) -> bool:
    if one.refused is None:
        statement = prepared(one.statement)
        return any(score(prepared(part), statement, weights, number) >= threshold for part in parts)
    if one.refused != negative:
        return False
    # Accept or reject is said by the case's polarity; the suite's file names carry no denial, and numbers that mean nothing.
    wanted = [word for word in prepared(f"{one.context} {one.statement}").words if not word.isdigit()]
    return held_share(wanted, prepared(parts[0]).words, weights, number) >= threshold
