"""The columns of scored outputs: what can be compared between two runs, taken out of them once."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from qa_agents.results.gate_metrics import score_of
from qa_agents.results.schema import ScoredOutput

Kind = Literal["yes/no", "score", "latency", "length", "category", "text", "missing"]
MAX_CATEGORIES = 50
"""A column with more different values is text."""
MIN_SHARED = 0.8
"""Two runs are of the same cases when so much of each is in the other."""


@dataclass(frozen=True)
class Column:
    """One thing that every output of both runs may say. Values stand beside the case they belong to."""

    name: str
    kind: Kind
    now: list[tuple[str, float | str]] = field(default_factory=list)
    before: list[tuple[str, float | str]] = field(default_factory=list)


def columns_of(now: Sequence[ScoredOutput], before: Sequence[ScoredOutput]) -> list[Column]:
    """Every column that both sides have: scores, accuracy, latency, answers, lengths, which scores are missing, and the mix of
    groups, unless both sides are of the same cases, whose mix is what it is.

    A score that is missing on one side entirely is not a column: `unmatched` names it.
    """
    made: list[Column] = []
    for name in shared_scores(now, before):
        sides = [_scored(side, name) for side in (now, before)]
        yes_no = all(value in (0.0, 1.0) for side in sides for _, value in side)
        made.append(Column(name, "yes/no" if yes_no else "score", *sides))
        if any(len(side) < len(all_) for side, all_ in zip(sides, (now, before), strict=True)):
            made.append(_column(f"{name} missing", "missing", now, before, partial(_lacks, name=name)))
    made += [
        _column("latency", "latency", now, before, lambda one: one.latency_ms),
        _column("answer", "category", now, before, lambda one: one.label),
    ]
    if any(one.output for one in (*now, *before)):
        made.append(_column("output length", "length", now, before, lambda one: float(len(one.output))))
        made.append(_column("output meaning", "text", now, before, lambda one: one.output or None))
    mixes = set() if same_cases(now, before) else {name for one in (*now, *before) for name in one.groups}
    for name in sorted(mixes):
        mix = _column(f"mix of {name}", "category", now, before, partial(_group, name=name))
        if len({value for _, value in (*mix.now, *mix.before)}) <= MAX_CATEGORIES:
            made.append(mix)
    return [column for column in made if column.now and column.before]


def shared_scores(now: Sequence[ScoredOutput], before: Sequence[ScoredOutput]) -> list[str]:
    """Scores that both sides have somewhere, `accuracy` among them where labels allow it."""
    return sorted(_names(now) & _names(before))


def unmatched(now: Sequence[ScoredOutput], before: Sequence[ScoredOutput]) -> list[str]:
    """One sentence for each score that only one of the two runs has."""
    here, there = _names(now), _names(before)
    return [
        *(f"The score {name} is new: the baseline does not have it." for name in sorted(here - there)),
        *(f"The score {name} is gone: only the baseline has it." for name in sorted(there - here)),
    ]


def same_cases(now: Iterable[ScoredOutput], before: Iterable[ScoredOutput]) -> bool:
    """Whether the two runs answered the same cases, so that answers can be compared case by case."""
    here, there = Counter(one.case_id for one in now), Counter(one.case_id for one in before)
    both = len(here.keys() & there.keys())
    return bool(both) and both >= MIN_SHARED * max(len(here), len(there)) and max(*here.values(), *there.values()) == 1


def matched(column: Column) -> tuple[list[float | str], list[float | str]]:
    """The values of the cases that both sides have, in one order."""
    before = dict(column.before)
    pairs = [(value, before[case]) for case, value in column.now if case in before]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _names(side: Iterable[ScoredOutput]) -> set[str]:
    found: set[str] = set()
    for one in side:
        found.update(one.scores)
        if score_of(one, "accuracy") is not None:
            found.add("accuracy")
    return found


def _scored(side: Iterable[ScoredOutput], name: str) -> list[tuple[str, float | str]]:
    return [(one.case_id, value) for one in side if (value := score_of(one, name)) is not None]


def _column(
    name: str,
    kind: Kind,
    now: Iterable[ScoredOutput],
    before: Iterable[ScoredOutput],
    value: Callable[[ScoredOutput], float | str | None],
) -> Column:
    sides = [[(one.case_id, found) for one in side if (found := value(one)) is not None] for side in (now, before)]
    return Column(name, kind, *sides)


def _lacks(one: ScoredOutput, name: str) -> float:
    return float(score_of(one, name) is None)


def _group(one: ScoredOutput, name: str) -> str | None:
    return one.groups.get(name)
