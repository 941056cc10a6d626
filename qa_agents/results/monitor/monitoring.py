"""The whole look at a run's AI outputs: against a baseline, over the history, by slice and by group."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from qa_agents.results.gate_metrics import MIN_GROUP
from qa_agents.results.monitor.change import ALPHA, Difference, difference
from qa_agents.results.monitor.columns import Column, Kind, columns_of, matched, same_cases, shared_scores, unmatched
from qa_agents.results.monitor.drift import (
    MAX_TEXTS,
    Drift,
    categories_drift,
    meanings_drift,
    most_unlike,
    numbers_drift,
)
from qa_agents.results.monitor.fairness import MARGIN, Fairness, every_fairness
from qa_agents.results.monitor.latency import LatencyChange, latency_changes
from qa_agents.results.monitor.sequential import Look, Watched, indicator_columns, watch
from qa_agents.results.monitor.slices import Sliced, find_slices
from qa_agents.results.multiplicity import benjamini_yekutieli
from qa_agents.results.schema import Run, ScoredOutput
from qa_agents.storage.canonical import digest_of

SCHEMA_VERSION = 1
MIN_OUTPUTS = 20
"""Fewer outputs on a side are not tested: only very large changes could be seen, and nobody should rest on their absence."""

_Item = TypeVar("_Item")
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class ColumnChange(BaseModel):
    """One column against the baseline."""

    model_config = ConfigDict(frozen=True)

    column: str
    kind: Kind
    n: int
    n_before: int
    paired: bool
    now: float | None
    """Mean; None for classes and texts."""
    before: float | None
    change: Difference | None
    """Of the means; None for classes and texts."""
    test: str
    effect: float
    effect_name: str
    p: float | None
    """Adjusted over the columns (Benjamini and Yekutieli); None when it was not tested."""
    drifted: bool
    note: str = ""


class Monitoring(BaseModel):
    """What is known about a run's AI outputs."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA_VERSION
    run: str
    baseline: str
    n: int
    n_before: int
    same_cases: bool
    columns: tuple[ColumnChange, ...] = ()
    latency: tuple[LatencyChange, ...] = ()
    slices: Sliced = Sliced(tested=0, too_small=0, found=())
    fairness: tuple[Fairness, ...] = ()
    watched: tuple[Watched, ...] = ()
    looks: tuple[str, ...] = ()
    """The runs of the history, the reference first."""
    notes: tuple[str, ...] = ()
    """What was not looked at, and why: one sentence each."""

    @property
    def drifted(self) -> tuple[str, ...]:
        """Columns that differ from the baseline."""
        return tuple(one.column for one in self.columns if one.drifted)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Columns whose alarm went off at some look."""
        return tuple(one.column for one in self.watched if one.alarmed_at is not None)

    @property
    def unfair(self) -> tuple[Fairness, ...]:
        """Scores that differ between groups by more than nothing, as far as that is shown."""
        return tuple(one for one in self.fairness if one.standing == "worse")

    @property
    def has_findings(self) -> bool:
        """Whether a person should look: a drift, an alarm, a slice or a group that is worse."""
        return bool(self.drifted or self.alarms or self.slices.found or self.slices.worse or self.unfair)


def monitor(
    run: Run,
    baseline: Run | None = None,
    history: Sequence[Run] = (),
    *,
    embed: Embed | None = None,
    attributes: Sequence[str] = (),
    margin: float = MARGIN,
    min_n: int = MIN_GROUP,
    lower_is_better: Iterable[str] = (),
) -> Monitoring:
    """Look at a run. `history`: earlier runs, oldest first, each looked at when it came; its first is the reference.

    Without a baseline the first run of the history is one; without both only slices and fairness are looked at.
    """
    before_run = baseline or (history[0] if history else None)
    now, before = list(run.outputs), list(before_run.outputs) if before_run else []
    low = set(lower_is_better)
    scores = shared_scores(now, now)
    known = {name for one in now for name in one.groups}
    notes = _notes(now, before, before_run, embed)
    notes += [f"No output says which {name} it belongs to." for name in attributes if name not in known]
    notes += [f"No output has the score {name}." for name in sorted(low) if name not in scores]
    paired = same_cases(now, before)
    tested = testable(now, before)
    columns = compare_columns(tested, paired, embed)
    latency = next((one for one in tested if one.kind == "latency"), None)
    looks = [*history, run] if history else []
    return Monitoring(
        run=run.info.run_id,
        baseline=before_run.info.run_id if before_run else "",
        n=len(now),
        n_before=len(before),
        same_cases=paired,
        columns=tuple(columns),
        latency=tuple(latency_changes(_numbers(latency.now), _numbers(latency.before))) if latency else (),
        slices=find_slices(now, before, scores, min_n=min_n, lower_is_better=low),
        fairness=tuple(every_fairness(now, scores, attributes, margin=margin, min_n=min_n, lower_is_better=low)),
        watched=tuple(
            _watch([list(one.outputs) for one in looks], embed, "/".join(one.info.run_id for one in looks[:1]))
        ),
        looks=tuple(one.info.run_id for one in looks),
        notes=tuple(notes),
    )


def testable(now: Sequence[ScoredOutput], before: Sequence[ScoredOutput]) -> list[Column]:
    """The columns that can be held against one another; none below MIN_OUTPUTS on either side."""
    return columns_of(now, before) if min(len(now), len(before)) >= MIN_OUTPUTS else []


def compare_columns(columns: Sequence[Column], paired: bool, embed: Embed | None = None) -> list[ColumnChange]:
    """Each column against the baseline, the error shared over all of them; texts only with an embedder."""
    made = [_one(column, paired, embed) for column in columns if column.kind != "text" or embed is not None]
    tested = [one.p for one in made if one.p is not None]
    adjusted = iter(benjamini_yekutieli(tested))
    return [
        one if one.p is None else one.model_copy(update={"p": (p := next(adjusted)), "drifted": p <= ALPHA})
        for one in made
    ]


def _one(column: Column, paired: bool, embed: Embed | None) -> ColumnChange:
    """The column with its p-value not adjusted yet."""
    if column.kind == "text":
        assert embed is not None
        return _meaning(column, paired, embed)
    if column.kind == "category":
        found = categories_drift([str(v) for _, v in column.now], [str(v) for _, v in column.before])
        return _change(column, found, None, found.p, note=_new_classes(column))
    sides = matched(column) if paired else (_numbers(column.now), _numbers(column.before))
    now, before = (np.asarray(side, np.float64) for side in sides)
    change = difference(now, before, paired=paired)
    if column.kind in ("yes/no", "missing"):
        return _change(column, Drift(change.p, change.value, change.test, "difference"), change, change.p, paired)
    shape = numbers_drift(np.asarray(_numbers(column.now)), np.asarray(_numbers(column.before)))
    # Two tests of one column: the smaller p twice.
    return _change(column, shape, change, min(1.0, 2 * min(shape.p, change.p)), paired)


def _change(
    column: Column, drift: Drift, change: Difference | None, p: float, paired: bool = False, note: str = ""
) -> ColumnChange:
    numeric = column.kind not in ("category", "text")
    return ColumnChange(
        column=column.name,
        kind=column.kind,
        n=len(column.now),
        n_before=len(column.before),
        paired=paired,
        now=float(np.mean(_numbers(column.now))) if numeric else None,
        before=float(np.mean(_numbers(column.before))) if numeric else None,
        change=change,
        test=drift.test if change is None or drift.test == change.test else f"{drift.test}, {change.test}",
        effect=drift.effect,
        effect_name=drift.effect_name,
        p=p,
        drifted=False,
        note=note,
    )


def _meaning(column: Column, paired: bool, embed: Embed) -> ColumnChange:
    if paired:
        known = dict(column.before)
        cases = [(case, str(value), str(known[case])) for case, value in column.now if case in known]
        kept = _spread_out(cases, MAX_TEXTS)
        now, before = embed([value for _, value, _ in kept]), embed([other for _, _, other in kept])
        names = [case for case, _, _ in kept]
    else:
        here, there = _spread_out(column.now, MAX_TEXTS), _spread_out(column.before, MAX_TEXTS)
        now, before = embed([str(value) for _, value in here]), embed([str(value) for _, value in there])
        names = [case for case, _ in here]
    found = meanings_drift(now, before, paired=paired)
    unlike = ", ".join(names[index] for index in most_unlike(now, before))
    note = f"most unlike the baseline: {unlike}"
    if len(column.now) > len(names):
        note += f"; {len(names)} of {len(column.now)} texts were compared"
    return _change(column, found, None, found.p, paired, note)


def _spread_out(values: Sequence[_Item], most: int) -> list[_Item]:
    """At most so many, evenly spaced."""
    if len(values) <= most:
        return list(values)
    return [values[int(place)] for place in np.linspace(0, len(values) - 1, most)]


def _new_classes(column: Column) -> str:
    known = {value for _, value in column.before}
    new = sorted({str(value) for _, value in column.now if value not in known})
    return f"new: {', '.join(new[:5])}{' …' if len(new) > 5 else ''}" if new else ""


def _watch(looks: Sequence[Sequence[ScoredOutput]], embed: Embed | None, salt: str) -> list[Watched]:
    if len(looks) < 2:
        return []
    within = all(same_cases(one, looks[0]) for one in looks[1:])
    columns: dict[str, Sequence[Look]] = {}
    sides = [columns_of(one, looks[0]) for one in looks[1:]]
    for column in columns_of(looks[0], looks[0]):
        later = [next((one for one in side if one.name == column.name), None) for side in sides]
        if any(one is None for one in later) or column.kind == "missing":
            continue
        values = [column.before, *(one.now for one in later if one is not None)]
        if column.kind == "category":
            columns |= indicator_columns(column.name, [[(c, str(v)) for c, v in look] for look in values])
        elif column.kind == "text":
            columns |= {column.name: _strangeness(values, embed)} if embed is not None else {}
        else:
            columns[column.name] = [[(case, float(value)) for case, value in look] for look in values]
    return watch(columns, within, salt=digest_of([salt, len(looks[0])]))


def _strangeness(looks: Sequence[Sequence[tuple[str, float | str]]], embed: Embed) -> list[Look]:
    """How far each text lies from the middle of half of the first look; that half is not compared with."""
    centre_of, reference = looks[0][::2], looks[0][1::2]
    centre = embed([str(text) for _, text in centre_of]).mean(axis=0)

    def distances(look: Sequence[tuple[str, float | str]]) -> Look:
        if not look:
            return []
        gaps = 1 - embed([str(text) for _, text in look]) @ centre
        return [(case, float(gap)) for (case, _), gap in zip(look, gaps, strict=True)]

    return [distances(reference), *(distances(look) for look in looks[1:])]


def _notes(
    now: Sequence[ScoredOutput], before: Sequence[ScoredOutput], before_run: Run | None, embed: Embed | None
) -> list[str]:
    notes = []
    if before_run is None:
        notes.append("Nothing to compare with: name a --baseline or keep runs and say --history.")
    elif min(len(now), len(before)) < MIN_OUTPUTS:
        notes.append(f"Fewer than {MIN_OUTPUTS} outputs on a side: nothing was tested for drift.")
    else:
        notes += unmatched(now, before)
        if not same_cases(now, before):
            notes.append("The two runs answered different cases; they are compared as two samples.")
    if embed is None and any(one.output for one in now):
        notes.append("Meaning was not compared: no embedder is configured.")
    twins = len(now) - len({one.case_id for one in now})
    if twins:
        notes.append(f"{twins} outputs repeat a case; their errors are taken as independent.")
    return notes


def _numbers(values: Sequence[tuple[str, float | str]]) -> list[float]:
    return [float(value) for _, value in values]
