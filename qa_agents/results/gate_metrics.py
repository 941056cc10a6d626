"""What a quality gate can be held against: metrics over a run and over what is known about it. Pure.

pass_rate, skipped_rate, failed_tests, tests    of the tests in scope; skipped ones do not count towards the pass rate
new_failures, still_failing, flaky_tests, slower_tests, missing_tests    against a baseline
line_coverage, branch_coverage                  shares, known exactly
requirement_coverage                            share of a plan's requirements that a passed test proves
open_criticals                                  open incidents of the highest severity
score:NAME, accuracy                            mean of a score of AI outputs; accuracy is label = expected
latency_p50, _p90, _p95, _p99                   percentiles in milliseconds
fairness_gap:SCORE:ATTRIBUTE                    the largest distance of a group's mean to that of all others
drifted_columns                                 columns of AI outputs that differ from the baseline's, as `monitor` finds them
score_drop:NAME                                 the baseline's mean of a score minus this run's, case by case for the same cases

Drift needs a baseline and MIN_OUTPUTS outputs on both sides; with less it was not measured, and the promise stays undecided.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from qa_agents.results.bounds import Estimate, counted, mean, percentile, share
from qa_agents.results.schema import Coverage, Run, ScoredOutput, TestResult

if TYPE_CHECKING:
    from qa_agents.results.gates import Gate, Scope

MIN_GROUP = 30
"""Groups with fewer outputs are not compared: their gap would be noise."""


@dataclass(frozen=True)
class Compared:
    """What a comparison with a baseline found, by test id; `tests` were compared."""

    baseline: str
    tests: int
    new_failures: tuple[str, ...] = ()
    still_failing: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    slower: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Everything a gate may ask about. None: it was not looked at, and a gate that asks for it is undecided."""

    run: Run
    compared: Compared | None = None
    requirements: tuple[int, int] | None = None
    """(proven, all) of a plan."""
    open_criticals: tuple[int, int] | None = None
    """(open incidents of the highest severity, all incidents in memory)."""
    before: Run | None = None
    """The baseline, whole; None where there is none or it is not kept any more."""


@dataclass(frozen=True)
class Measurement:
    """The estimate, or why there is none; and where the number comes from."""

    estimate: Estimate | None
    source: str = ""
    missing: str = ""


Metric = Callable[[Facts, "Gate"], Measurement]


def measure(facts: Facts, gate: "Gate") -> Measurement:
    """Measure what a gate asks for. Never raises for facts that are not there: it says what is missing."""
    name, *parts = gate.metric.split(":")
    if name == "score":
        return _score(facts, gate, ":".join(parts))
    if name == "fairness_gap":
        return _fairness(facts, gate, *parts)
    if name == "score_drop":
        return _score_drop(facts, gate, ":".join(parts))
    return KNOWN[name](facts, gate)


def complaint(metric: str) -> str | None:
    """Why this names no metric, with the nearest that does; None when it does."""
    name, *parts = metric.split(":")
    if name in ("score", "score_drop"):
        return None if parts and all(parts) else f"{name} needs the name of a score: {name}:helpful"
    if name == "fairness_gap":
        good = len(parts) == 2 and all(parts)
        return None if good else "fairness_gap needs a score and an attribute: fairness_gap:accuracy:language"
    if name in KNOWN and not parts:
        return None
    near = difflib.get_close_matches(name, [*KNOWN, "score", "score_drop", "fairness_gap"], n=1)
    return f"{metric[:80]} is no known metric{f' (did you mean {near[0]}?)' if near else ''}"


def tests_in(run: Run, scope: "Scope") -> list[TestResult]:
    """The tests that a scope names."""
    return [
        one
        for one in run.results
        if (not scope.suite or fnmatchcase(one.suite, scope.suite))
        and (not scope.tag or any(fnmatchcase(tag, scope.tag) for tag in one.tags))
    ]


def outputs_in(run: Run, scope: "Scope") -> list[ScoredOutput]:
    """The AI outputs that a scope names."""
    return [one for one in run.outputs if all(one.groups.get(name) == value for name, value in scope.group.items())]


def score_of(output: ScoredOutput, name: str) -> float | None:
    """A score by name; `accuracy`, where nobody scored it, is whether the label is the expected one."""
    if name in output.scores:
        return output.scores[name]
    if name == "accuracy" and output.expected is not None and output.label is not None:
        return float(output.label == output.expected)
    return None


def _of_tests(what: str, chosen: Callable[[TestResult], bool], among: Callable[[TestResult], bool]) -> Metric:
    def metric(facts: Facts, gate: "Gate") -> Measurement:
        found = [one for one in tests_in(facts.run, gate.scope) if among(one)]
        if not found:
            return Measurement(None, missing=_nothing("test", gate))
        return Measurement(share(sum(map(chosen, found)), len(found), gate.confidence), source=what)

    return metric


def _count_tests(what: str, chosen: Callable[[TestResult], bool]) -> Metric:
    def metric(facts: Facts, gate: "Gate") -> Measurement:
        found = [one for one in tests_in(facts.run, gate.scope) if one.outcome != "skipped"]
        if not found:
            return Measurement(None, missing=_nothing("test that ran", gate))
        return Measurement(counted(sum(map(chosen, found)), len(found)), source=what)

    return metric


def _compared(what: str, chosen: Callable[[Compared], tuple[str, ...]]) -> Metric:
    def metric(facts: Facts, gate: "Gate") -> Measurement:
        if facts.compared is None:
            return Measurement(None, missing="The run was compared with no baseline.")
        if facts.compared.tests == 0:
            return Measurement(None, missing="No test was compared.")
        found = chosen(facts.compared)
        if gate.scope.suite:
            found = tuple(one for one in found if fnmatchcase(one.rpartition("::")[0], gate.scope.suite))
        return Measurement(
            counted(len(found), facts.compared.tests), source=f"{what}, against {facts.compared.baseline}"
        )

    return metric


def _coverage(what: str, branches: bool) -> Metric:
    def metric(facts: Facts, gate: "Gate") -> Measurement:
        del gate
        found = facts.run.coverage or Coverage()
        covered = found.branches_covered if branches else found.lines_covered
        total = found.branches_total if branches else found.lines_total
        if not total or covered is None:
            return Measurement(None, missing=f"The run says nothing about {what}.")
        return Measurement(counted(covered / total, total), source=f"{covered} of {total} {what}")

    return metric


def _requirements(facts: Facts, gate: "Gate") -> Measurement:
    del gate
    if facts.requirements is None or not facts.requirements[1]:
        return Measurement(None, missing="No plan was given to compare with.")
    proven, total = facts.requirements
    return Measurement(counted(proven / total, total), source=f"{proven} of {total} requirements")


def _criticals(facts: Facts, gate: "Gate") -> Measurement:
    del gate
    if facts.open_criticals is None or not facts.open_criticals[1]:
        return Measurement(None, missing="The memory holds no incidents that could be counted.")
    found, known = facts.open_criticals
    return Measurement(counted(found, known), source=f"the memory of {known} incidents")


def _score(facts: Facts, gate: "Gate", name: str) -> Measurement:
    found = outputs_in(facts.run, gate.scope)
    values = [value for value in (score_of(one, name) for one in found) if value is not None]
    if not values:
        return Measurement(None, missing=_no_score(found, name, gate))
    left = f"; {len(found) - len(values)} have no such score" if len(values) < len(found) else ""
    return Measurement(mean(values, gate.confidence), source=f"{len(values)} outputs{left}")


def _accuracy(facts: Facts, gate: "Gate") -> Measurement:
    return _score(facts, gate, "accuracy")


def _latency(q: float) -> Metric:
    def metric(facts: Facts, gate: "Gate") -> Measurement:
        found = [one.latency_ms for one in outputs_in(facts.run, gate.scope) if one.latency_ms is not None]
        if not found:
            return Measurement(None, missing=_nothing("output with a latency", gate))
        return Measurement(percentile(found, q, gate.confidence), source=f"{len(found)} outputs, milliseconds")

    return metric


def _fairness(facts: Facts, gate: "Gate", score: str, attribute: str) -> Measurement:
    from qa_agents.results.monitor.fairness import gap

    found = outputs_in(facts.run, gate.scope)
    values = [(one.groups[attribute], score_of(one, score)) for one in found if attribute in one.groups]
    known = [(group, value) for group, value in values if value is not None]
    if not known:
        return Measurement(None, missing=_no_score(found, f"{score} with the attribute {attribute}", gate))
    estimate, worst = gap(known, min_n=MIN_GROUP, confidence=gate.confidence)
    if estimate is None:
        return Measurement(None, missing=f"Fewer than two groups of {attribute} have {MIN_GROUP} outputs.")
    return Measurement(estimate, source=f"{attribute} {worst} against all others")


def _drifted(facts: Facts, gate: "Gate") -> Measurement:
    from qa_agents.results.monitor.columns import same_cases
    from qa_agents.results.monitor.monitoring import compare_columns, testable

    now, before = _sides(facts, gate)
    if missing := _too_few(facts, now, before):
        return Measurement(None, missing=missing)
    found = [one for one in compare_columns(testable(now, before), same_cases(now, before)) if one.p is not None]
    if not found:
        return Measurement(None, missing="The two runs have no column in common that could be tested.")
    names = [one.column for one in found if one.drifted]
    told = f" ({', '.join(names[:8])}{' …' if len(names) > 8 else ''})" if names else ""
    return Measurement(counted(len(names), len(found)), source=f"columns of outputs that differ{told}{_against(facts)}")


def _score_drop(facts: Facts, gate: "Gate", name: str) -> Measurement:
    """The bounds are one-sided at the gate's confidence. A score that is better when low drops when it becomes better."""
    import numpy as np

    from qa_agents.results.monitor.change import difference
    from qa_agents.results.monitor.columns import same_cases

    now, before = ([one for one in side if score_of(one, name) is not None] for side in _sides(facts, gate))
    if missing := _too_few(facts, now, before):
        return Measurement(None, missing=missing)
    paired = same_cases(now, before)
    there = {one.case_id: one for one in before}
    sides = (
        ([there[one.case_id] for one in now if one.case_id in there], [one for one in now if one.case_id in there])
        if paired
        else (before, now)
    )
    values = [np.array([score_of(one, name) for one in side], np.float64) for side in sides]
    found = difference(*values, paired=paired, confidence=2 * gate.confidence - 1)
    n = min(len(side) for side in values)
    estimate = Estimate(value=found.value, low=found.low, high=found.high, n=n, method=found.test)
    return Measurement(
        estimate, source=f"{n} {'cases in both' if paired else 'outputs at least a side'}{_against(facts)}"
    )


def _sides(facts: Facts, gate: "Gate") -> tuple[list[ScoredOutput], list[ScoredOutput]]:
    return outputs_in(facts.run, gate.scope), outputs_in(facts.before, gate.scope) if facts.before else []


def _too_few(facts: Facts, now: Sequence[ScoredOutput], before: Sequence[ScoredOutput]) -> str:
    """Why drift cannot be measured; "" where it can."""
    from qa_agents.results.monitor.monitoring import MIN_OUTPUTS

    if facts.before is None:
        return "The run was compared with no baseline."
    fewest = min(len(now), len(before))
    where = "this run" if len(now) == fewest else "the baseline"
    return f"Drift takes {MIN_OUTPUTS} outputs a side, and {where} has {fewest}." if fewest < MIN_OUTPUTS else ""


def _against(facts: Facts) -> str:
    return f", against {facts.before.info.run_id}" if facts.before else ""


def _nothing(what: str, gate: "Gate") -> str:
    return f"There is no {what}{f' in scope ({gate.scope})' if str(gate.scope) else ' in the run'}."


def _no_score(found: Iterable[ScoredOutput], name: str, gate: "Gate") -> str:
    names = sorted({score for one in found for score in one.scores})
    if not names:
        return _nothing("scored output", gate)
    return f"No output has the score {name}; there are {', '.join(names[:8])}."


KNOWN: dict[str, Metric] = {
    "pass_rate": _of_tests("tests that ran", lambda one: one.outcome == "passed", lambda one: one.outcome != "skipped"),
    "skipped_rate": _of_tests("all tests", lambda one: one.outcome == "skipped", lambda _: True),
    "failed_tests": _count_tests("tests that failed or broke", lambda one: one.is_red),
    "tests": _count_tests("tests that ran", lambda one: one.outcome != "skipped"),
    "new_failures": _compared("newly failing tests", lambda found: found.new_failures),
    "still_failing": _compared("tests that still fail", lambda found: found.still_failing),
    "flaky_tests": _compared("flaky tests", lambda found: found.flaky),
    "slower_tests": _compared("slower tests", lambda found: found.slower),
    "missing_tests": _compared("tests that ran before and did not now", lambda found: found.missing),
    "line_coverage": _coverage("lines", branches=False),
    "branch_coverage": _coverage("branches", branches=True),
    "requirement_coverage": _requirements,
    "open_criticals": _criticals,
    "accuracy": _accuracy,
    "drifted_columns": _drifted,
    "latency_p50": _latency(0.50),
    "latency_p90": _latency(0.90),
    "latency_p95": _latency(0.95),
    "latency_p99": _latency(0.99),
}
SAMPLED = frozenset(name for name in KNOWN if name.endswith("_rate") or name.startswith("latency_")) | {"accuracy"}
"""Estimated from a sample, as scores and fairness gaps are; all others are counted and known exactly."""
