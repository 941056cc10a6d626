"""Does the gate hold what it promises? `python -m evals.suites.gate [--data FILE] [--start DATE] [--quick] [--json FILE]`

Three questions: is the missed-critical bound violated in at most delta of many simulated calibrations; what does it cost on a
real tracker, calibrated before a date and measured after it; does the alarm stay quiet while nothing changes, and go off when it
does.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist, median
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import BaseModel

from evals.data import RUNS, Dataset, clusters, load_dataset, load_file
from evals.provenance import Provenance, provenance
from evals.stats import Interval, wilson
from evals.vectors import KeptVectors, Tell
from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Incident
from qa_agents.settings import Settings
from qa_agents.triage.gate.bound import auc, threshold
from qa_agents.triage.gate.calibration import Chosen, Scored, base_rate, calibrate_bound, choose
from qa_agents.triage.gate.escalation import is_critical
from qa_agents.triage.gate.exchangeability import Martingale
from qa_agents.triage.gate.rehearsal import scorer
from qa_agents.wiring import Workspace

ALPHA = DELTA = 0.05
SIMULATIONS = 2_000
SIZES = (30, 59, 93, 200, 500, 2_000)
"""Numbers of critical reports."""
BATCH = 1_000
OTHERS = 1_200
"""So many of the later reports that are not critical are scored, evenly spread."""
TELL_SECONDS = 15.0


class Simulated(BaseModel):
    """Many calibrations on `n` critical reports of a known distribution."""

    n: int
    violated: Interval
    """How often more than alpha of all critical reports lay below the threshold."""
    asks_all: bool
    """Too few critical reports to promise anything."""
    missed: float
    """The mean share of critical reports below the threshold."""


class Alarms(BaseModel):
    """How often the alarm went off, and after how many reports."""

    what: str
    runs: int
    live: int
    alarmed: Interval
    delay: float | None
    """Median number of live reports until the alarm, of those runs where it went off."""


class OnTracker(BaseModel):
    """Calibrated before `start`, measured from it on."""

    start: str
    critical_words: list[str]
    calibrated_on: int
    reporters: int
    threshold: float
    r: int
    separation_before: float | None
    separation_after: float | None
    missed: Interval
    """Critical reports from `start` on that score below the threshold, of clusters the calibration did not see."""
    missed_of_new_reporters: Interval
    others_escalated: Interval
    """Reports that are not critical and reach a person, measured after `start`."""
    needed_separation: float
    """The AUC at which normally distributed scores would send 35 % of the others to a person."""
    alarm_at: int | None
    """The report from `start` on at which the alarm went off."""
    watched: int


class GateResult(BaseModel):
    """The whole measurement."""

    provenance: Provenance | None
    alpha: float = ALPHA
    delta: float = DELTA
    simulated: list[Simulated]
    alarms: list[Alarms]
    tracker: OnTracker | None
    seconds: float


def simulate(n: int, runs: int, *, alpha: float = ALPHA, delta: float = DELTA, seed: int = 0) -> Simulated:
    """`runs` calibrations on `n` scores from the uniform distribution, where the share below t is t itself.

    The rule only orders scores, so any continuous distribution gives the same figures.
    """
    random = np.random.default_rng(seed)
    found = [threshold(random.random(n).tolist(), alpha, delta) for _ in range(runs)]
    missed = [t for t, _ in found]
    return Simulated(
        n=n,
        violated=wilson(sum(share > alpha for share in missed), runs),
        asks_all=all(r == 0 for _, r in found),
        missed=float(np.mean(missed)),
    )


def alarms(what: str, runs: int, *, reference: int = 500, live: int = 500, shift: float = 0.0, seed: int = 0) -> Alarms:
    """Streams of normal scores; the live ones moved by `shift` standard deviations."""
    random = np.random.default_rng(seed)
    at = [
        _alarm_at(random.normal(size=reference), random.normal(shift, size=live), random.random(live))
        for _ in range(runs)
    ]
    return _alarms(what, at, live)


def permuted_alarms(what: str, scores: Sequence[float], reference: int, runs: int, seed: int = 0) -> Alarms:
    """The scores of a real tracker in random orders: nothing has changed, by construction."""
    random = np.random.default_rng(seed)
    at = []
    for _ in range(runs):
        order = random.permutation(np.asarray(scores, np.float64))
        at.append(_alarm_at(order[:reference], order[reference:], random.random(len(scores) - reference)))
    return _alarms(what, at, len(scores) - reference)


def needed_separation(share: float, alpha: float = ALPHA) -> float:
    """The AUC of two normal distributions of one width, with 1 - alpha of one and `share` of the other above one cut."""
    normal = NormalDist()
    return normal.cdf((normal.inv_cdf(1 - alpha) - normal.inv_cdf(share)) / 2**0.5)


def on_tracker(
    dataset: Dataset, start: datetime, work: Path, embedder: KeptVectors | None, tell: Tell = lambda _: None
) -> tuple[OnTracker, list[Alarms]]:
    """Calibrate on what was filed before `start`, measure on what came after. Raises UnavailableError."""
    settings = Settings(home=work / "gate") if embedder else Settings(home=work / "gate", embedder="none")
    with Workspace(settings) as workspace:
        if embedder:
            workspace.embedder = embedder
        for at in range(0, len(dataset.incidents), BATCH):
            workspace.store.upsert(dataset.incidents[at : at + BATCH])
            tell(f"imported {at + BATCH}")
        workspace.memory.catch_up()
        if embedder:
            embedder.save()
        used = workspace.store.severities()
        words = sorted(workspace.rubric.top_words(used).intersection(used))
        before = [i for i in dataset.incidents if i.created and i.created < start]
        later = [i for i in dataset.incidents if i.created and i.created >= start and (i.severity or i.priority)]
        named = dict(zip((i.id for i in dataset.incidents), clusters(dataset.incidents), strict=True))
        chosen = choose(before, words, lambda incident: named[incident.id] or incident.id)
        if not chosen.critical:
            raise UnavailableError(f"{dataset.name} holds no critical report before {start:%Y-%m-%d}.")
        score, told = scorer(workspace.triage_parts, words, base_rate(chosen, words)), _Told(tell)

        def score_of(incident: Incident) -> Scored:
            told()
            return score(incident)

        bound = calibrate_bound(chosen, score_of, words, alpha=ALPHA, delta=DELTA, fingerprint="evals")
        critical, others = _measured(later, words, chosen, named)
        scored = {incident.id: score_of(incident).score for incident in [*critical, *others]}
        if embedder:
            embedder.save()
    t = bound.threshold
    low, high = [scored[i.id] for i in critical], [scored[i.id] for i in others]
    reporters = {i.reporter for i in chosen.critical}
    unknown = [scored[i.id] for i in critical if i.reporter not in reporters]
    stream = _in_proportion(critical, others, len(later))
    random = np.random.default_rng(0)
    alarm_at = _alarm_at(bound.reference, [scored[i.id] for i in stream], random.random(len(stream)))
    everything = [*bound.reference, *(scored[i.id] for i in stream)]
    measured = OnTracker(
        start=start.date().isoformat(),
        critical_words=words,
        calibrated_on=bound.n,
        reporters=bound.reporters,
        threshold=t,
        r=bound.r,
        separation_before=bound.separation,
        separation_after=auc(low, high),
        missed=wilson(sum(s < t for s in low), len(low)),
        missed_of_new_reporters=wilson(sum(s < t for s in unknown), len(unknown)),
        others_escalated=wilson(sum(s >= t for s in high), len(high)),
        needed_separation=needed_separation(0.35),
        alarm_at=alarm_at,
        watched=len(stream),
    )
    return measured, [permuted_alarms("this tracker's scores in random order", everything, len(bound.reference), 300)]


def run_gate(
    dataset: Dataset | None,
    start: datetime,
    work: Path,
    embedder: KeptVectors | None,
    *,
    simulations: int = SIMULATIONS,
    tell: Tell = lambda _: None,
) -> GateResult:
    """Everything; without a data set the parts that need none."""
    began = time.perf_counter()
    simulated = [simulate(n, simulations, seed=n) for n in SIZES]
    runs = max(200, simulations // 4)
    watched = [
        alarms("nothing changes", runs),
        alarms("scores rise by 0.5 sd", runs, shift=0.5, seed=1),
        alarms("scores fall by 0.5 sd", runs, shift=-0.5, seed=2),
        alarms("scores fall by 1 sd", runs, shift=-1.0, seed=3),
    ]
    tracker = None
    if dataset is not None:
        tracker, more = on_tracker(dataset, start, work, embedder, tell)
        watched += more
    return GateResult(
        provenance=provenance(dataset, seed=0) if dataset else None,
        simulated=simulated,
        alarms=watched,
        tracker=tracker,
        seconds=time.perf_counter() - began,
    )


def gate_report(found: GateResult) -> str:
    """The measurement as Markdown tables."""
    lines = [
        f"Missed-critical bound at alpha = {found.alpha:.0%}, delta = {found.delta:.0%}: simulated calibrations that miss more.",
        "",
        "| critical reports | violated (95 % CI) | runs | missed on average |",
        "|---|---|---|---|",
        *(
            f"| {one.n} | {one.violated} | {one.violated.n} | {'asks for all' if one.asks_all else f'{one.missed:.2%}'} |"
            for one in found.simulated
        ),
        "",
        "| alarm | runs | live reports | went off | after (median) |",
        "|---|---|---|---|---|",
        *(
            f"| {one.what} | {one.runs} | {one.live} | {one.alarmed} | {'–' if one.delay is None else f'{one.delay:.0f}'} |"
            for one in found.alarms
        ),
    ]
    if found.tracker is not None:
        lines += ["", *_tracker_lines(found.tracker)]
    return "\n".join(lines)


def _tracker_lines(one: OnTracker) -> list[str]:
    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    return [
        f"Calibrated before {one.start} on {one.calibrated_on} reports ({', '.join(one.critical_words)}), measured after:",
        "",
        "| what | value | n |",
        "|---|---|---|",
        f"| threshold t (r = {one.r}) | {one.threshold:.4f} | {one.calibrated_on} |",
        f"| critical reports missed | {one.missed} | {one.missed.n} |",
        f"| the same, by reporters new since | {one.missed_of_new_reporters} | {one.missed_of_new_reporters.n} |",
        f"| other reports that reach a person | {one.others_escalated} | {one.others_escalated.n} |",
        f"| AUC of the score, before and after | {shown(one.separation_before)}, {shown(one.separation_after)} | |",
        f"| AUC that 35 % would take | {one.needed_separation:.3f} | |",
        f"| alarm | {'none' if one.alarm_at is None else f'at report {one.alarm_at}'} | {one.watched} |",
    ]


def _measured(
    later: Sequence[Incident], words: Sequence[str], chosen: Chosen, named: dict[str, str | None]
) -> tuple[list[Incident], list[Incident]]:
    """Later reports, critical ones and a share of the others, each cluster once and none that the calibration saw."""
    seen = {named[i.id] or i.id for i in chosen.critical}
    critical: list[Incident] = []
    for incident in (i for i in later if is_critical(i, words)):
        cluster = named[incident.id] or incident.id
        if cluster not in seen:
            seen.add(cluster)
            critical.append(incident)
    others = [i for i in later if not is_critical(i, words)]
    return critical, others[:: max(1, len(others) // OTHERS)]


def _in_proportion(critical: Sequence[Incident], others: Sequence[Incident], total: int) -> list[Incident]:
    """Both in the order of filing, the critical ones thinned as the others are, so that the stream is like the real one."""
    keep = max(1, round((total - len(critical)) / max(1, len(others))))
    dated = [(i.created, i.id, i) for i in [*critical[::keep], *others] if i.created]
    return [incident for _, _, incident in sorted(dated, key=lambda entry: entry[:2])]


def _alarm_at(reference: Iterable[float], live: Iterable[float], chances: Iterable[float]) -> int | None:
    martingale = Martingale(float(score) for score in reference)
    for score, chance in zip(live, chances, strict=True):
        if martingale.watch(float(score), float(chance)).alarm:
            break
    return martingale.now.alarmed_at


def _alarms(what: str, at: Sequence[int | None], live: int) -> Alarms:
    went = [one for one in at if one is not None]
    return Alarms(
        what=what,
        runs=len(at),
        live=live,
        alarmed=wilson(len(went), len(at)),
        delay=float(median(went)) if went else None,
    )


class _Told:
    """Says now and then how many reports were scored."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._count, self._last = tell, 0, time.monotonic()

    def __call__(self) -> None:
        self._count += 1
        if time.monotonic() - self._last > TELL_SECONDS:
            self._last = time.monotonic()
            self._tell(f"scored {self._count}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when the bound held in the simulations, 1 when it did not."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.suites.gate", description="Does the gate hold what it promises?"
    )
    parser.add_argument("--data", type=Path, help="a tracker as JSON Lines, .zst too")
    parser.add_argument("--start", default="2013-01-01", help="calibrate before, measure from here on")
    parser.add_argument("--quick", action="store_true", help="simulations only, fewer of them")
    parser.add_argument("--words", action="store_true", help="compare words only, without vectors")
    parser.add_argument(
        "--vectors", type=Path, default=RUNS / "vectors.npz", metavar="FILE.npz", help="vectors computed before"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    dataset = None if options.quick else load_file(options.data) if options.data else load_dataset()
    start = datetime.fromisoformat(options.start).replace(tzinfo=UTC)
    embedder = None if options.words or dataset is None else _kept(options.vectors, tell)
    with TemporaryDirectory() as work:
        found = run_gate(
            dataset, start, Path(work), embedder, simulations=200 if options.quick else SIMULATIONS, tell=tell
        )
    print(gate_report(found))
    if options.json:
        options.json.write_text(found.model_dump_json(indent=2), encoding="utf-8")
    return int(any(one.violated.low > DELTA for one in found.simulated))


def _kept(path: Path, tell: Tell) -> KeptVectors:
    from qa_agents.incidents.minilm import MiniLM, packaged_folder

    return KeptVectors(MiniLM(packaged_folder(), threads=1), path, tell)


if __name__ == "__main__":
    sys.exit(main())
