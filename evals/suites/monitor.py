"""Do the statistics of monitoring and of quality gates keep what they promise? Simulations with known truth.

    python -m evals monitor [--quick] [--json FILE]

Intervals that cover, looks every day without false alarms, changes that are found and how soon, parts and groups that are named.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import NormalDist, median

import numpy as np
from pydantic import BaseModel

from evals.report import table
from evals.stats import Interval, wilson
from qa_agents.results.bounds import percentile, share, unit_mean
from qa_agents.results.monitor.change import Numbers, difference, equivalence
from qa_agents.results.monitor.drift import numbers_drift
from qa_agents.results.monitor.fairness import fairness
from qa_agents.results.monitor.monitoring import monitor
from qa_agents.results.monitor.sequential import Look, watch
from qa_agents.results.monitor.slices import find_slices
from qa_agents.results.schema import Run, RunInfo, ScoredOutput

ALPHA = 0.05
DAYS, CASES = 30, 100
CHANGED_AFTER = 10
"""Planted changes begin after this look."""
PLAIN = 100
"""So many of the quiet streams are also looked at by plain tests, for comparison."""

_SPREAD = 1.118
"""The standard deviation of a score over cases and days."""
_PLANTED = {
    "one score moves by 0.25 sd": 0.25 * _SPREAD,
    "one score moves by 0.5 sd": 0.5 * _SPREAD,
    "passes fall by 5 points": 0.05,
    "passes fall by 10 points": 0.10,
}
"""What is planted, in the column's unit, where that is the same for every value."""

Tell = Callable[[str], None]


class Covered(BaseModel):
    """How often an interval held the truth."""

    what: str
    promised: float
    found: Interval

    @property
    def holds(self) -> bool:
        """Whether the promise is not refuted: it lies below the upper end of what was measured."""
        return self.found.high >= self.promised


class Fired(BaseModel):
    """How often something was called a finding."""

    what: str
    at_most: float | None
    """The promise, where nothing was planted; None where something was."""
    found: Interval
    delay: float | None = None
    """Median number of looks from the change to the alarm."""
    change: float | None = None
    """What was planted, in the column's unit."""
    detectable: float | None = None
    """The change, begun half way, that the program says it finds in 80 of 100: the median over the streams."""

    @property
    def holds(self) -> bool:
        """Whether the promise is not refuted."""
        return self.at_most is None or self.found.low <= self.at_most


class MonitorResult(BaseModel):
    """The whole measurement."""

    covered: list[Covered]
    daily: list[Fired]
    single: list[Fired]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether no promise is refuted."""
        return all(one.holds for one in self.covered) and all(one.holds for one in (*self.daily, *self.single))


def coverage(runs: int, seed: int = 0) -> list[Covered]:
    """Intervals against the truth, for shapes that scores really have."""
    random = np.random.default_rng(seed)

    def row(what: str, promised: float, once: Callable[[], bool]) -> Covered:
        return Covered(what=what, promised=promised, found=wilson(sum(once() for _ in range(runs)), runs))

    rows = [
        row(f"exact lower bound of a rate {rate}, n = {n}", 0.95, partial(_rate_bound, random, rate, n))
        for rate, n in ((0.5, 30), (0.95, 100), (0.99, 300))
    ]
    for a, b, n in ((9.0, 1.0, 50), (0.4, 0.1, 50), (45.0, 5.0, 300)):
        for side in ("lower", "upper"):
            once = partial(_bet_bound, random, a, b, n, side)
            rows.append(row(f"betting {side} bound of Beta({a:g}, {b:g}), n = {n}", 0.95, once))
    rows += [
        row(f"upper bound of the {q:.0%} point, log-normal, n = {n}", 0.95, partial(_point_bound, random, q, n))
        for q, n in ((0.5, 50), (0.95, 200))
    ]
    rows += [
        row(f"difference of rates {a} and {b}, n = {n} each", 0.95, partial(_rates_held, random, a, b, n))
        for a, b, n in ((0.9, 0.9, 40), (0.95, 0.85, 100), (0.99, 0.97, 300))
    ]
    rows += [
        row(f"difference of paired rates, 10 % discordant, n = {n}", 0.95, partial(_pairs_held, random, n))
        for n in (40, 300)
    ]
    return [*rows, row("difference of skewed means, n = 100 each", 0.95, partial(_means_held, random, 100))]


def daily_looks(runs: int, *, same: bool, tell: Tell) -> list[Fired]:
    """Looks on DAYS days at four columns that depend on one another: quiet streams, and changes after CHANGED_AFTER looks."""
    cases = "the same cases" if same else "other cases each day"
    rows: list[Fired] = []
    for name, change, count in (
        ("nothing changes", {}, runs),
        ("one score moves by 0.25 sd", {"score": 0.25}, max(20, runs // 10)),
        ("one score moves by 0.5 sd", {"score": 0.5}, max(20, runs // 10)),
        ("passes fall by 5 points", {"passed": 0.05}, max(20, runs // 10)),
        ("passes fall by 10 points", {"passed": 0.10}, max(20, runs // 10)),
        ("20 % slower", {"latency": 0.18}, max(20, runs // 10)),
    ):
        fired, delays, seen_from = 0, [], list[float]()
        naive, corrected, plain = 0, 0, min(count, PLAIN)
        for seed in range(count):
            columns = _stream(seed, change, same=same)
            found = watch(columns, same, salt=str(seed))
            when = [
                one.alarmed_at for one in found if one.alarmed_at is not None and (not change or one.column in change)
            ]
            seen_from += [one.detectable for one in found if one.column in change and one.detectable is not None]
            early = bool(change) and any(at <= CHANGED_AFTER for at in when)
            fired += bool(when) and not early
            delays += [min(when) - CHANGED_AFTER] if when and not early else []
            if not change and seed < plain:
                p_values = _daily_tests(columns)
                naive += bool((p_values <= ALPHA).any())
                corrected += bool((p_values <= ALPHA / len(columns)).any())
        tell(f"{name}, {cases}: {fired} of {count}")
        promise = None if change else ALPHA
        rows.append(
            Fired(
                what=f"{name} ({cases})",
                at_most=promise,
                found=wilson(fired, count),
                delay=float(median(delays)) if delays and change else None,
                change=_PLANTED.get(name),
                detectable=float(median(seen_from)) if seen_from else None,
            )
        )
        if not change:
            rows.append(
                Fired(
                    what=f"– a plain test of each column each day ({cases})", at_most=None, found=wilson(naive, plain)
                )
            )
            rows.append(
                Fired(
                    what=f"– the same, Bonferroni over columns ({cases})", at_most=None, found=wilson(corrected, plain)
                )
            )
    return rows


def shared_shocks(runs: int) -> Fired:
    """What breaks the promise: days on which all cases move together by a tenth of a standard deviation."""
    fired = sum(
        bool([w for w in watch(_stream(s, {}, same=True, shock=0.1), True, salt=str(s)) if w.alarmed_at])
        for s in range(runs)
    )
    return Fired(
        what="days that shake all cases together, sd 0.1 (outside of what is promised)",
        at_most=None,
        found=wilson(fired, runs),
    )


def single_looks(runs: int, tell: Tell) -> list[Fired]:
    """One look at a run: columns, slices and groups where nothing or something was planted."""
    rows: list[Fired] = []
    for same in (True, False):
        quiet = [
            monitor(_run(2 * s, shared=s if same else 2 * s), _run(2 * s + 1, shared=s if same else 2 * s + 1))
            for s in range(runs)
        ]
        cases = "the same cases" if same else "other cases"
        for what, is_found in (
            ("a column is said to differ", lambda one: bool(one.drifted)),
            ("a part is said to be worse than the rest", lambda one: bool(one.slices.found)),
            ("a part is said to have got worse", lambda one: bool(one.slices.worse)),
        ):
            count = sum(map(is_found, quiet))
            rows.append(Fired(what=f"nothing planted, {cases}: {what}", at_most=ALPHA, found=wilson(count, runs)))
        tell(f"quiet looks, {cases}")
    planted = {"language": "ja"}
    for drop in (0.1, 0.2, 0.3):
        found = [
            find_slices(_outputs(s, shared=s, n=600, bad=planted, drop=drop), [], ["good"]).found for s in range(runs)
        ]
        hit = sum(any(one.where == planted for one in each) for each in found)
        rows.append(
            Fired(
                what=f"a part of about 200 of 600 loses {drop:.0%}: it is named", at_most=None, found=wilson(hit, runs)
            )
        )
        wrong = sum(any("ja" not in one.where.values() for one in each) for each in found)
        rows.append(
            Fired(what=f"– a part without it is named (loss {drop:.0%})", at_most=None, found=wilson(wrong, runs))
        )
    random = np.random.default_rng(5)
    for n in (300, 1_000, 2_000):
        equal = sum(_equal(random, n, 0.0) for _ in range(runs))
        rows.append(
            Fired(
                what=f"two groups alike at 90 %, n = {n} each: shown to be equal within 5 points",
                at_most=None,
                found=wilson(equal, runs),
            )
        )
        unequal = sum(_equal(random, n, 0.05) for _ in range(runs))
        rows.append(
            Fired(
                what=f"two groups exactly 5 points apart, n = {n} each: wrongly shown to be equal",
                at_most=ALPHA,
                found=wilson(unequal, runs),
            )
        )
    groups = sum(_differs(s) for s in range(runs))
    rows.append(
        Fired(what="three equal groups: one is said to differ (Holm)", at_most=ALPHA, found=wilson(groups, runs))
    )
    return rows


def run_monitor(*, quick: bool = False, tell: Tell = lambda _: None) -> MonitorResult:
    """Everything; `quick` with few repetitions."""
    began = time.perf_counter()
    covered = coverage(200 if quick else 1_000)
    tell("intervals done")
    daily = [one for same in (True, False) for one in daily_looks(40 if quick else 1_000, same=same, tell=tell)]
    daily.append(shared_shocks(30 if quick else 100))
    single = single_looks(40 if quick else 200, tell)
    return MonitorResult(covered=covered, daily=daily, single=single, seconds=time.perf_counter() - began)


def monitor_report(found: MonitorResult) -> str:
    """The measurement as Markdown."""

    def fired(rows: Sequence[Fired]) -> str:
        head = ("what", "n", "promised", "found (95 %)", "looks until it", "change", "said to be seen from")
        lines = (
            (
                one.what,
                f"{one.found.n:,}",
                "" if one.at_most is None else f"≤ {one.at_most:.0%}",
                str(one.found),
                "" if one.delay is None else f"{one.delay:.0f}",
                "" if one.change is None else f"{one.change:.3f}",
                "" if one.detectable is None else f"{one.detectable:.3f}",
            )
            for one in rows
        )
        return table(head, lines)

    covered = ((one.what, f"{one.found.n:,}", f"≥ {one.promised:.0%}", str(one.found)) for one in found.covered)
    return "\n\n".join(
        (
            "## Monitoring and gates: do the statistics hold?",
            f"{found.seconds:.0f} s. Every interval is Wilson's, 95 %.",
            "### Intervals",
            table(("interval", "n", "promised", "held the truth"), covered),
            f"### {DAYS} daily looks, {CASES} outputs each, 4 columns; changes are planted after look {CHANGED_AFTER}",
            fired(found.daily),
            "### One look",
            fired(found.single),
            "Every promise holds." if found.holds else "A PROMISE IS REFUTED.",
        )
    )


def _rate_bound(random: np.random.Generator, rate: float, n: int) -> bool:
    low = share(int(random.binomial(n, rate)), n).low
    return low is not None and low <= rate


def _bet_bound(random: np.random.Generator, a: float, b: float, n: int, side: str) -> bool:
    low, high = unit_mean(random.beta(a, b, n))
    return low <= a / (a + b) if side == "lower" else high >= a / (a + b)


def _point_bound(random: np.random.Generator, q: float, n: int) -> bool:
    high = percentile(random.lognormal(size=n), q).high
    return high is None or high >= float(np.exp(NormalDist().inv_cdf(q)))


def _rates_held(random: np.random.Generator, a: float, b: float, n: int) -> bool:
    one, other = ((random.random(n) < rate).astype(np.float64) for rate in (a, b))
    return _held(one, other, a - b, paired=False)


def _pairs_held(random: np.random.Generator, n: int) -> bool:
    now, before = _discordant(random, n)
    return _held(now, before, 0.0, paired=True)


def _means_held(random: np.random.Generator, n: int) -> bool:
    return _held(random.exponential(size=n), random.exponential(size=n), 0.0, paired=False)


def _held(now: Numbers, before: Numbers, true: float, *, paired: bool) -> bool:
    found = difference(now, before, paired=paired)
    return found.low <= true <= found.high


def _discordant(random: np.random.Generator, n: int) -> tuple[Numbers, Numbers]:
    kind = random.random(n)
    now = np.where(kind < 0.05, 1.0, np.where(kind < 0.10, 0.0, (kind < 0.85).astype(float)))
    before = np.where(kind < 0.05, 0.0, np.where(kind < 0.10, 1.0, (kind < 0.85).astype(float)))
    return now, before


def _stream(seed: int, change: dict[str, float], *, same: bool, shock: float = 0.0) -> dict[str, Sequence[Look]]:
    """Four columns of CASES outputs a day; one difficulty per case is behind all of them."""
    random = np.random.default_rng(seed)
    hard = random.normal(size=CASES)
    looks: dict[str, list[Look]] = {name: [] for name in ("score", "other", "passed", "latency")}
    for day in range(DAYS + 1):
        if not same:
            hard = random.normal(size=CASES)
        moved = change if day > CHANGED_AFTER else {}
        noise, together = random.normal(0, 0.5, (2, CASES)), random.normal(0, shock) if shock else 0.0
        rate = np.clip(0.85 - 0.1 * hard - moved.get("passed", 0.0), 0.02, 0.98)
        day_values = {
            "score": -hard + noise[0] - moved.get("score", 0.0) * _SPREAD + together,
            "other": -0.7 * hard + 0.5 * noise[0] + noise[1],
            "passed": (random.random(CASES) < rate).astype(float),
            "latency": np.exp(6 + 0.3 * hard + 0.2 * random.normal(size=CASES) + moved.get("latency", 0.0)),
        }
        for name, values in day_values.items():
            looks[name].append([(str(case), float(value)) for case, value in enumerate(values)])
    return {name: list(days) for name, days in looks.items()}


def _daily_tests(columns: dict[str, Sequence[Look]]) -> Numbers:
    """What a plain dashboard does: each column of each day against the first day."""
    first = {name: np.array([value for _, value in looks[0]]) for name, looks in columns.items()}
    return np.array(
        [
            [numbers_drift(np.array([v for _, v in look]), first[name]).p for look in looks[1:]]
            for name, looks in columns.items()
        ]
    )


def _outputs(
    seed: int, *, shared: int, n: int = 200, bad: dict[str, str] | None = None, drop: float = 0.0
) -> list[ScoredOutput]:
    cases, random = np.random.default_rng(shared), np.random.default_rng(10_000 + seed)
    made = []
    for number in range(n):
        hard = float(cases.normal())
        groups = {"language": ("en", "de", "ja")[cases.integers(3)], "plan": ("free", "pro")[cases.integers(2)]}
        lost = drop if bad and all(groups[name] == value for name, value in bad.items()) else 0.0
        made.append(
            ScoredOutput(
                case_id=f"c{shared}-{number}",
                scores={
                    "good": float(random.random() < min(1.0, max(0.0, 0.85 - 0.1 * hard - lost))),
                    "style": float(random.normal(-hard, 0.5)),
                },
                latency_ms=float(np.exp(6 + 0.3 * hard + 0.2 * random.normal())),
                label=("a", "b", "c")[random.integers(3)],
                groups=groups,
            )
        )
    return made


def _run(seed: int, *, shared: int) -> Run:
    return Run(info=RunInfo(run_id=f"r{seed}"), outputs=tuple(_outputs(seed, shared=shared)))


def _equal(random: np.random.Generator, n: int, gap: float) -> bool:
    one, other = (random.binomial(1, rate, n).astype(np.float64) for rate in (0.9, 0.9 - gap))
    found = difference(one, other, paired=False, confidence=1 - 2 * ALPHA)
    return equivalence(found.low, found.high, 0.05)


def _differs(seed: int) -> bool:
    found = fairness(_outputs(seed, shared=seed, n=300), "good", ["language"])
    return found is not None and any(one.p is not None and one.p <= ALPHA for one in found.groups)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when no promise is refuted, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.suites.monitor", description="Do the statistics of monitoring hold?"
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    found = run_monitor(quick=options.quick, tell=lambda text: print(text, file=sys.stderr, flush=True))
    print(monitor_report(found))
    if options.json:
        options.json.write_text(found.model_dump_json(indent=2), encoding="utf-8")
    return int(not found.holds)


if __name__ == "__main__":
    sys.exit(main())
