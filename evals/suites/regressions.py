"""Does the regression agent surface what matters? Two public histories replayed in time order, and regressions seeded into them.

A failure that stays for three runs of its test or more is a real breakage; one that is gone before is noise. The plain peer names
every test that is red now and was not red in the run before. Parameters were chosen on the earlier half of each history; what is
reported is the later half.
"""

import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from pydantic import BaseModel

from evals.data import data_dir
from evals.stats import Interval, wilson
from evals.vectors import Tell
from qa_agents.errors import UnavailableError
from qa_agents.results.compare import judged
from qa_agents.results.evidence import STAYED
from qa_agents.results.history import ABSENT, ERROR, FAILED, PASSED, SKIPPED, WINDOW, History
from qa_agents.results.schema import RunInfo
from qa_agents.results.signature import NOTHING, Signature, signature
from qa_agents.results.slower import RECENT, slower

HISTORIES = {
    "postgresql-operator": "canonical-postgresql-operator",
    "dune-common": "core-dune-common",
}
_CODES = {"passed": PASSED, "failed": FAILED, "broken": ERROR, "skipped": SKIPPED, "unknown": ABSENT}
WARM_UP = 30
"""Runs at the start of a short branch that are only learned from."""
SEEDS, SEED_LENGTH, MIN_LOOKS = 60, 8, 10
Words = Literal["new words", "known words", "no words"]
SLOW_DOWN = 2.0


class Replayed(BaseModel):
    """What pushes over the later half of a history would have shown."""

    name: str
    runs: int
    tests: int
    red: int
    """Failures, one per test and run."""
    plain: int
    """Alarms of the plain difference of failing names."""
    plain_noise: int
    named: int
    """Tests called new or suspected, summed over runs."""
    noise: int
    alarms: int
    """Of those, called new."""
    alarm_noise: int
    causes: int
    """Different signatures among the named ones, per run, summed: what a person reads."""
    quiet_runs: int
    """Runs with failures in which nothing was named."""
    real: int
    """Breakages that stayed for three runs or more, and began in this half."""
    first: int
    second: int
    third: int
    """Of those, named by the first, second, third run."""
    ever: int
    clean: int
    """Real breakages of tests that had not failed in the WINDOW before."""
    clean_first: int
    clean_third: int
    beyond: int
    """Real breakages that are not to be expected by chance of a test that flakes as it did before."""
    beyond_first: int
    beyond_third: int
    beyond_ever: int

    @property
    def suppressed(self) -> Interval:
        """The share of the plain peer's noise that is not named."""
        return wilson(max(0, self.plain_noise - self.noise), self.plain_noise)


class Seeded(BaseModel):
    """Regressions planted into tests that passed."""

    name: str
    words: str
    n: int
    first: int
    second: int
    third: int
    missed: int
    """Never named while they lasted."""
    clean: int
    """Of tests that had not failed before."""
    clean_first: int
    alarmed: int
    """Called new, not only suspected, while they lasted."""


class Equal(BaseModel):
    """Runs drawn from one and the same behaviour, compared."""

    name: str
    how: str
    simulations: int
    alarms: int
    """In which something was called new."""
    named: int
    """In which something was called new or suspected."""
    plain: int
    slower: int


class Slowed(BaseModel):
    """Tests made twice as slow."""

    name: str
    n: int
    soon: int
    """Found with the fewer recent runs."""
    found: int
    within: int
    """Runs after which it was looked again."""


class Regressions(BaseModel):
    """Everything that was measured on the histories."""

    replayed: list[Replayed]
    seeded: list[Seeded]
    equal: list[Equal]
    slowed: list[Slowed]

    @property
    def suppressed(self) -> Interval:
        """The share of the plain peer's noise that is not named, over all histories."""
        plain = sum(one.plain_noise for one in self.replayed)
        return wilson(max(0, plain - sum(one.noise for one in self.replayed)), plain)

    def promises(self) -> dict[str, bool]:
        """What was to be reached, and whether it was."""
        seeded = sum(one.n for one in self.seeded)
        return {
            "at least 90 % of the noise is suppressed": self.suppressed.value >= 0.9,
            "of at least 50 planted regressions none is missed": seeded >= 50
            and not any(s.missed for s in self.seeded),
            "equal runs alarm in at most 5 % of comparisons": all(
                one.alarms <= 0.05 * one.simulations for one in self.equal
            ),
        }


@dataclass(frozen=True)
class Streak:
    """Failures of one test in a row; columns of the history."""

    row: int
    columns: tuple[int, ...]

    @property
    def is_real(self) -> bool:
        """Whether it stayed."""
        return len(self.columns) >= STAYED


def load(name: str) -> list[History]:
    """A public history, one per branch with enough runs. Raises UnavailableError where the data are not here."""
    path = data_dir() / "results" / "history" / HISTORIES[name] / "results.jsonl.gz"
    if not path.is_file():
        raise UnavailableError(f"The run history {path} is not here.", hint="Set QA_AGENTS_DATA.")
    branches: defaultdict[str, dict[str, list[dict[str, Any]]]] = defaultdict(dict)
    for row in _rows(path):
        run = str(row["run"])
        branches[run.partition("/")[0] if "/" in run else ""].setdefault(run, []).append(row)
    return [_history(runs) for runs in branches.values() if len(runs) > 2 * WARM_UP]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as file:
        for line in file:
            yield orjson.loads(line)


def _history(runs: dict[str, list[dict[str, Any]]]) -> History:
    rows: dict[str, int] = {}
    for results in runs.values():
        for result in results:
            rows.setdefault(result["test"], len(rows))
    codes = np.full((len(rows), len(runs)), ABSENT, np.uint8)
    mixed = np.zeros(codes.shape, np.bool_)
    seconds = np.full(codes.shape, np.nan, np.float32)
    said: dict[tuple[int, int], Signature] = {}
    infos = []
    for column, (run, results) in enumerate(runs.items()):
        moment = results[0]["time"]
        infos.append(
            RunInfo(
                run_id=run,
                commit=results[0]["commit"] or "",
                at=datetime.fromisoformat(moment) if moment else None,
            )
        )
        for result in results:
            row, code = rows[result["test"]], _CODES[result["status"]]
            if codes[row, column] == ABSENT or code in (FAILED, ERROR):
                codes[row, column] = code
            seconds[row, column] = result["duration_s"] if result["duration_s"] is not None else np.nan
            if code in (FAILED, ERROR) and (words := signature(result.get("message", ""))) is not NOTHING:
                said[row, column] = words
    return History(tuple(rows), tuple(infos), codes, mixed, seconds, said)


def streaks(history: History) -> list[Streak]:
    """Every streak of failures of every test; runs in which it was skipped or missing do not end one."""
    found = []
    for row in np.flatnonzero(history.red.any(axis=1)).tolist():
        current: list[int] = []
        for column in np.flatnonzero(history.codes[row] <= ERROR).tolist():
            if history.codes[row, column] != PASSED:
                current.append(column)
            elif current:
                found.append(Streak(row, tuple(current)))
                current = []
        if current:
            found.append(Streak(row, tuple(current)))
    return found


def named_in(history: History, column: int) -> dict[int, str]:
    """Row to `new` or `suspected`, for the tests that a push would have shown, as the product looks back."""
    start = max(0, column - WINDOW - 1)
    view = history.window(start, column + 1)
    rows = {name: row for row, name in enumerate(view.tests)}
    now = column - start
    return {
        rows[change.test_id]: change.kind
        for change in judged(view, baseline=now - 1 if now else None, current=now)
        if change.kind in ("new", "suspected")
    }


def replay(name: str, history: History, start: int) -> Replayed:
    """Every run from `start` on against the one before."""
    red = history.red
    found = streaks(history)
    home = {(streak.row, column): streak for streak in found for column in streak.columns}
    count: Counter[str] = Counter()
    at: dict[Streak, int] = {}
    plain_hit: set[Streak] = set()
    for column in range(start, len(history.runs)):
        named = named_in(history, column)
        rows = np.flatnonzero(red[:, column]).tolist()
        count["red"] += len(rows)
        count["quiet"] += bool(rows) and not named
        count["causes"] += len({history.signature(row, column).key or row for row in named})
        for row, kind in named.items():
            streak = home[row, column]
            stays = streak.is_real
            is_noise = not stays or (streak in at and kind != "new")
            count["named"] += 1
            count["noise"] += is_noise and not (stays and streak.columns[0] < start)
            count["alarms"] += kind == "new"
            count["alarm_noise"] += kind == "new" and not stays
            if stays:
                at.setdefault(streak, streak.columns.index(column))
        for row in rows:
            if red[row, column - 1]:
                continue
            streak = home[row, column]
            count["plain"] += 1
            repeated = streak in plain_hit
            plain_hit.add(streak)
            count["plain_noise"] += not streak.is_real or (repeated and streak.columns[0] >= start)
    real = [streak for streak in found if streak.is_real and streak.columns[0] >= start]
    before = {streak: _before(history, found, streak) for streak in real}
    clean = [streak for streak in real if not before[streak][0]]
    beyond = [streak for streak in real if _is_beyond(streak, *before[streak])]

    def by(chosen: Sequence[Streak], run: int) -> int:
        return sum(at.get(streak, 10**6) < run for streak in chosen)

    return Replayed(
        name=name,
        runs=len(history.runs) - start,
        tests=len(history.tests),
        red=count["red"],
        plain=count["plain"],
        plain_noise=count["plain_noise"],
        named=count["named"],
        noise=count["noise"],
        alarms=count["alarms"],
        alarm_noise=count["alarm_noise"],
        causes=count["causes"],
        quiet_runs=count["quiet"],
        real=len(real),
        first=by(real, 1),
        second=by(real, 2),
        third=by(real, 3),
        ever=by(real, 10**6),
        clean=len(clean),
        clean_first=by(clean, 1),
        clean_third=by(clean, 3),
        beyond=len(beyond),
        beyond_first=by(beyond, 1),
        beyond_third=by(beyond, 3),
        beyond_ever=by(beyond, 10**6),
    )


def _before(history: History, found: Sequence[Streak], streak: Streak) -> tuple[int, int]:
    """(failures, runs) of the test in the WINDOW runs before a streak."""
    codes = history.codes[streak.row, max(0, streak.columns[0] - WINDOW) : streak.columns[0]]
    return int(((codes == FAILED) | (codes == ERROR)).sum()), int((codes <= ERROR).sum())


def _is_beyond(streak: Streak, red: int, n: int) -> bool:
    """Whether fewer than one such streak in 20 times WINDOW runs is to be expected at the test's earlier rate."""
    rate = (red + 0.5) / (n + 1)
    return bool(WINDOW * rate ** len(streak.columns) < 0.05)


def seed(history: History, start: int, words: Words, rng: random.Random) -> tuple[History, list[Streak]]:
    """A copy in which SEEDS tests, each passing just before, fail for their next SEED_LENGTH runs."""
    codes, said = history.codes.copy(), dict(history.signatures)
    known = [key for key, n in Counter(s.key for s in said.values()).items() if n >= STAYED]
    by_key = {value.key: value for value in said.values()}
    places = []
    for row in range(len(history.tests)):
        columns = np.flatnonzero(history.codes[row] <= ERROR).tolist()
        places += [
            (row, tuple(columns[at : at + SEED_LENGTH]))
            for at in range(MIN_LOOKS, len(columns) - SEED_LENGTH)
            if columns[at] >= start and codes[row, columns[at - 1]] == PASSED
        ]
    rng.shuffle(places)
    seeds: dict[int, Streak] = {}
    for row, chosen in places:
        if row in seeds or len(seeds) == SEEDS:
            continue
        seeds[row] = Streak(row, chosen)
        told = signature(f"AssertionError: planted fault in part {chr(97 + len(seeds) % 26)}{'x' * len(seeds)}")
        for column in chosen:
            codes[row, column] = FAILED
            said.pop((row, column), None)
            if words == "new words":
                said[row, column] = told
            elif words == "known words":
                said[row, column] = by_key[known[len(seeds) % len(known)]]
    return History(history.tests, history.runs, codes, history.mixed, history.seconds, said), list(seeds.values())


def find_seeds(name: str, history: History, words: Words, start: int, rng: random.Random) -> Seeded:
    """Plant, and look when each is named first."""
    planted, seeds = seed(history, start, words, rng)
    wanted: defaultdict[int, list[Streak]] = defaultdict(list)
    for one in seeds:
        for column in one.columns:
            wanted[column].append(one)
    named: dict[Streak, int] = {}
    alarmed: set[Streak] = set()
    for column in sorted(wanted):
        kinds = named_in(planted, column)
        for one in wanted[column]:
            if one.row in kinds:
                named.setdefault(one, one.columns.index(column))
                if kinds[one.row] == "new":
                    alarmed.add(one)
    clean = [one for one in seeds if not _before(history, (), one)[0]]
    return Seeded(
        name=name,
        words=words,
        n=len(seeds),
        first=sum(named.get(one, 99) < 1 for one in seeds),
        second=sum(named.get(one, 99) < 2 for one in seeds),
        third=sum(named.get(one, 99) < 3 for one in seeds),
        missed=sum(one not in named for one in seeds),
        clean=len(clean),
        clean_first=sum(named.get(one, 99) < 1 for one in clean),
        alarmed=len(alarmed),
    )


def equal_runs(name: str, history: History, start: int, rounds: int, rng: random.Random, *, whole: bool) -> Equal:
    """Compare the last of 120 runs with the one before it, after their order was shuffled: nothing changed, so nothing is new.

    `whole` keeps each run together, so that what fails together still does; else every test is drawn for itself.
    """
    length = min(120, len(history.runs) - start)
    alarms = named = plain = slow = 0
    blank = tuple(RunInfo(run_id=str(at)) for at in range(length))
    for _ in range(rounds):
        first = rng.randrange(start, len(history.runs) - length + 1)
        view = history.window(first, first + length)
        order = np.array(rng.sample(range(length), length))
        if whole:
            codes, seconds = view.codes[:, order], view.seconds[:, order]
            place = {int(old): new for new, old in enumerate(order)}
            said = {(row, place[column]): words for (row, column), words in view.signatures.items()}
        else:
            codes, seconds, said = _drawn(view, np.random.default_rng(rng.randrange(2**32)))
        drawn = History(view.tests, blank, codes, np.zeros(codes.shape, np.bool_), seconds, said)
        kinds = {change.kind for change in judged(drawn, baseline=length - 2, current=length - 1)}
        alarms += "new" in kinds
        named += bool(kinds & {"new", "suspected"})
        plain += bool((drawn.red[:, -1] & ~drawn.red[:, -2]).any())
        slow += bool(slower(drawn, length - 1))
    how = "runs shuffled" if whole else "every test drawn"
    return Equal(name=name, how=how, simulations=rounds, alarms=alarms, named=named, plain=plain, slower=slow)


def _drawn(view: History, rng: np.random.Generator) -> tuple[Any, Any, dict[tuple[int, int], Signature]]:
    codes = np.full(view.codes.shape, ABSENT, np.uint8)
    seconds = np.full(view.seconds.shape, np.nan, np.float32)
    said = {}
    for row in range(len(view.tests)):
        columns = np.flatnonzero(view.codes[row] != ABSENT)
        if not columns.size:
            continue
        chosen = rng.choice(columns, columns.size)
        codes[row, columns], seconds[row, columns] = view.codes[row, chosen], view.seconds[row, chosen]
        for column, source in zip(columns.tolist(), chosen.tolist(), strict=True):
            if (row, source) in view.signatures:
                said[row, column] = view.signatures[row, source]
    return codes, seconds, said


def slow_down(name: str, history: History, start: int, rng: random.Random) -> Slowed:
    """Make tests twice as slow from a run on, and look when as many runs as RECENT says have passed."""
    places = []
    for row in range(len(history.tests)):
        timed = np.flatnonzero((history.codes[row] == PASSED) & (history.seconds[row] >= 0.5))
        places += [(row, int(column)) for column in timed.tolist() if start <= column < len(history.runs) - RECENT[-1]]
    rng.shuffle(places)
    soon = found = n = 0
    for row, column in places:
        if n == SEEDS:
            break
        stop = column + RECENT[-1]
        if (history.codes[row, column:stop] != PASSED).any():
            continue
        view = history.window(max(0, column - WINDOW), stop)
        if int((view.codes[row] == PASSED).sum()) < 30:
            continue
        seconds = view.seconds.copy()
        seconds[row, -RECENT[-1] :] *= SLOW_DOWN
        made = History(view.tests, view.runs, view.codes, view.mixed, seconds, {})
        last, test = len(view.runs) - 1, history.tests[row]
        early = last - RECENT[-1] + RECENT[0]
        is_soon = any(one.test_id == test for one in slower(made, early))
        soon += is_soon
        found += is_soon or any(one.test_id == test for one in slower(made, last))
        n += 1
    return Slowed(name=name, n=n, soon=soon, found=found, within=RECENT[-1])


def run_regressions(
    tell: Tell, *, rounds: int, seed_number: int = 0, half: Literal["earlier", "later"] = "later"
) -> Regressions:
    """Measure everything on one half of each history; `earlier` is what parameters were chosen on."""
    result = Regressions(replayed=[], seeded=[], equal=[], slowed=[])
    for name in HISTORIES:
        for branch in load(name):
            middle = len(branch.runs) // 2
            history, start = (branch, middle) if half == "later" else (branch.window(0, middle), WARM_UP)
            told = f"{name} {branch.runs[0].run_id.partition('/')[0]}".strip() if "/" in branch.runs[0].run_id else name
            tell(f"{told}: replaying {len(history.runs) - start} runs")
            result.replayed.append(replay(told, history, start))
            modes: tuple[Words, ...] = ("new words", "known words", "no words") if history.signatures else ("no words",)
            if len(history.runs) - start < 150:
                continue
            for words in modes:
                tell(f"{told}: planting regressions with {words}")
                result.seeded.append(find_seeds(told, history, words, start, random.Random(seed_number + 1)))
            tell(f"{told}: {rounds} comparisons of equal runs")
            for whole in (True, False):
                rng = random.Random(seed_number + 2)
                result.equal.append(equal_runs(told, history, start, rounds, rng, whole=whole))
            result.slowed.append(slow_down(told, history, start, random.Random(seed_number + 3)))
    return result
