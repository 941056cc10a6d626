"""How well could anybody name these labels? Two people's labels of one bug, held against each other.

A report and the earlier report that it repeats are one bug, labelled twice. How often the two agree says what a judge
who knew the bug as well as a colleague would reach, and so where a target is out of reach whatever the method. The
two are not quite independent: who links them may copy a label, which makes the ceiling look higher, and a repeat may
be closed before it is labelled with care, which makes it look lower. Both are left in.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import numpy as np
from pydantic import BaseModel

from evals.data import Dataset, clusters
from evals.provenance import Provenance, provenance
from evals.report import table
from evals.scorers.labels import macro_f1
from evals.stats import Interval, Numbers, bootstrap, wilson
from evals.suites.triage.seen import FIELDS
from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Incident
from qa_agents.triage.severity.rate import load_rubric

MIN_PAIRS = 20
SHUFFLES = 200
ALPHA = 0.05
"""Share of critical reports that may be missed."""
Pair = tuple[str, str]
"""The label of the report, and that of the earlier one."""


class Agreement(BaseModel):
    """One field, over the reports that repeat an earlier one and carry a label, as the earlier one does."""

    field: str
    agreed: Interval
    by_chance: float
    """What two people agree on who label with the same frequencies and never look; 0 to 1."""
    kappa: Interval
    """Agreement beyond chance (Cohen 1960); 95 % bootstrap."""
    macro_f1: Interval
    """Of the earlier label taken for the report's."""
    majority_f1: float
    shuffled_f1: float
    """The same with the earlier labels dealt out at random: what macro-F1 is worth without knowing anything."""


class Critical(BaseModel):
    """The earlier report's severity taken as a warning that this one is critical."""

    found: Interval
    """Share of the critical reports whose earlier report was critical too."""
    alarms: Interval
    """Share of the others whose earlier report was critical."""
    load: Interval
    """Share of the others that reach a person when at most ALPHA of the critical are missed; 95 % bootstrap."""


class Ceiling(BaseModel):
    """The whole measurement."""

    provenance: Provenance
    start: str
    agreements: list[Agreement]
    critical: Critical | None
    notes: list[str]
    seconds: float


def run_ceiling(dataset: Dataset, start: datetime) -> Ceiling:
    """Measure on the reports filed from `start` on that repeat an earlier one.

    Raises UnavailableError where fewer than MIN_PAIRS repeat anything.
    """
    began, origin = time.perf_counter(), provenance(dataset, seed=0)
    twins = _twins(dataset.incidents, start)
    if len(twins) < MIN_PAIRS:
        raise UnavailableError(
            f"{len(twins)} reports of {dataset.name} repeat an earlier one from {start:%Y-%m-%d} on; "
            f"{MIN_PAIRS} are needed.",
            hint="Give an earlier --start.",
        )
    notes, agreements = [], []
    for field in FIELDS:
        pairs = _labels(twins, field)
        if len(pairs) < MIN_PAIRS:
            notes.append(f"{field} was not measured: {len(pairs)} pairs carry it twice.")
        else:
            agreements.append(_agreement(field, pairs))
    words = {incident.severity for incident in dataset.incidents if incident.severity}
    critical = _critical(_labels(twins, "severity"), load_rubric().top_words(words))
    if critical is None:
        notes.append("Whether a report is critical was not measured: too few pairs, or of one kind only.")
    return Ceiling(
        provenance=origin,
        start=start.date().isoformat(),
        agreements=agreements,
        critical=critical,
        notes=notes,
        seconds=time.perf_counter() - began,
    )


def load_at(found: float, alarms: float, alpha: float = ALPHA) -> float:
    """Least share of non-critical reports that reach a person when at most `alpha` of the critical ones may be missed.

    The judge finds `found` of the critical and alarms for `alarms` of the others; what he lets pass is sent on at random
    until enough are found. No sample's uncertainty is added: a bound that holds with confidence costs more.
    """
    if found >= 1 - alpha:
        return alarms
    return alarms + (1 - alarms) * (1 - alpha - found) / (1 - found)


def ceiling_report(found: Ceiling) -> str:
    """The tables, in Markdown."""
    head = ("field", "pairs", "two people agree", "by chance", "kappa", "macro-F1", "majority's", "shuffled")
    rows = [
        (
            one.field,
            str(one.agreed.n),
            str(one.agreed),
            f"{one.by_chance:.3f}",
            str(one.kappa),
            str(one.macro_f1),
            f"{one.majority_f1:.3f}",
            f"{one.shuffled_f1:.3f}",
        )
        for one in found.agreements
    ]
    parts = [
        "## Ceiling",
        f"Reports filed from {found.start} on that repeat an earlier one: the label of the one held against the other's. "
        "95 % intervals: Wilson, bootstrap for kappa, macro-F1 and load.",
        table(head, rows),
    ]
    if one := found.critical:
        parts.append(
            f"The earlier report's severity finds {one.found} of {one.found.n} critical reports and alarms for {one.alarms} of "
            f"{one.alarms.n} others. To miss at most {ALPHA:.0%} by it, {one.load} of the others reach a person."
        )
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in found.notes)]).strip()


def _twins(incidents: Sequence[Incident], start: datetime) -> list[tuple[Incident, Incident]]:
    """Each report with the first one of its cluster."""
    first: dict[str, Incident] = {}
    found = []
    for incident, cluster in zip(incidents, clusters(incidents), strict=True):
        if cluster is None:
            continue
        earlier = first.setdefault(cluster, incident)
        if earlier is not incident and incident.created and incident.created >= start:
            found.append((incident, earlier))
    return found


def _labels(twins: Sequence[tuple[Incident, Incident]], field: str) -> list[Pair]:
    both = ((getattr(one, field), getattr(earlier, field)) for one, earlier in twins)
    return [(mine, theirs) for mine, theirs in both if mine and theirs]


def _agreement(field: str, pairs: Sequence[Pair]) -> Agreement:
    true = [mine for mine, _ in pairs]
    usual = Counter(true).most_common(1)[0][0]
    dealt, chance = [theirs for _, theirs in pairs], random.Random(0)
    shuffled = []
    for _ in range(SHUFFLES):
        chance.shuffle(dealt)
        shuffled.append(macro_f1(dealt, true))
    return Agreement(
        field=field,
        agreed=wilson(sum(mine == theirs for mine, theirs in pairs), len(pairs)),
        by_chance=_by_chance(pairs),
        kappa=_drawn(pairs, _kappa),
        macro_f1=_drawn(pairs, lambda drawn: macro_f1([theirs for _, theirs in drawn], [mine for mine, _ in drawn])),
        majority_f1=macro_f1([usual] * len(true), true),
        shuffled_f1=float(np.mean(shuffled)),
    )


def _by_chance(pairs: Sequence[Pair]) -> float:
    mine, theirs = (Counter(side) for side in zip(*pairs, strict=True))
    return sum(mine[label] * theirs[label] for label in mine) / len(pairs) ** 2


def _kappa(pairs: Sequence[Pair]) -> float:
    expected = _by_chance(pairs)
    agreed = sum(mine == theirs for mine, theirs in pairs) / len(pairs)
    return (agreed - expected) / (1 - expected) if expected < 1 else 1.0


def _critical(pairs: Sequence[Pair], top: Collection[str]) -> Critical | None:
    told: dict[bool, list[bool]] = defaultdict(list)
    for mine, theirs in pairs:
        told[mine in top].append(theirs in top)
    if min(len(told[True]), len(told[False])) < MIN_PAIRS:
        return None

    def load(drawn: Sequence[Pair]) -> float:
        rates = []
        for critical in (True, False):
            warned = [theirs in top for mine, theirs in drawn if (mine in top) == critical]
            rates.append(sum(warned) / max(1, len(warned)))
        return load_at(*rates)

    return Critical(
        found=wilson(sum(told[True]), len(told[True])),
        alarms=wilson(sum(told[False]), len(told[False])),
        load=_drawn(pairs, load),
    )


def _drawn(pairs: Sequence[Pair], measure: Callable[[Sequence[Pair]], float]) -> Interval:
    """The measure over the pairs, with a 95 % percentile interval over pairs drawn anew."""

    def of_each(rows: Numbers) -> Numbers:
        return np.apply_along_axis(lambda row: measure([pairs[int(n)] for n in row]), -1, rows)

    return bootstrap(np.arange(len(pairs)), statistic=of_each, rounds=1_000)
