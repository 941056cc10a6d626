"""What a run shows against a baseline, test by test: what is new, what only flakes, what was mended, what is gone.

A failing test is judged by its own past (`flaky.judge`) and by what its failure says (`evidence`):

    new         it broke: by its own record, or with nothing known against it
    suspected   it may have broken; the record of the test, or of first failures in this suite, says that such ones mostly pass
    still       it was broken at the baseline already
    flaky       it fails now and then without a change
    failing     red, with no earlier run to compare with
"""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from qa_agents.results.evidence import STAYED, Evidence
from qa_agents.results.flaky import FlakeRate, Look, flake_rate, judge
from qa_agents.results.history import ABSENT, ERROR, PASSED, SKIPPED, History
from qa_agents.results.packing import OUTCOMES
from qa_agents.results.schema import RED, Outcome, RunInfo
from qa_agents.results.slower import Slower, slower, weather

Kind = Literal["new", "suspected", "still", "flaky", "failing", "fixed", "missing", "skipped", "added"]
RED_KINDS: tuple[Kind, ...] = ("new", "failing", "suspected", "still", "flaky")
"""Of failing tests, the most serious first."""

SUSPECTED, BROKEN = 0.1, 0.5
"""From these posterior probabilities on a failure is suspected, or called new. Chosen on the earlier halves of two public
histories: what is lost below .1 is noise, and .5 keeps false alarms between equal runs under 5 % (evals regressions)."""
STUCK = 6
"""A test that failed so many runs in a row is at least suspected, however much it flaked before."""
RENAMED = 0.85
MAX_RENAMES = 500
REGULAR_RUNS, ALLOWED_GAPS = 20, 1
"""A test is missed when it ran in all but ALLOWED_GAPS of the last REGULAR_RUNS runs."""


class TestChange(BaseModel):
    """One test that matters, and why."""

    __test__ = False
    model_config = ConfigDict(frozen=True)

    test_id: str
    kind: Kind
    outcome: Outcome | None = None
    """In the run; None where the run does not hold it."""
    why: str
    """One sentence with the numbers it rests on."""
    broken: float | None = None
    """Posterior probability that it is broken now, 0 to 1; for failing ones."""
    rate: FlakeRate | None = None
    """How often it fails without being broken; for failing and flaky ones."""
    streak: int = 0
    """Runs in a row in which it failed, this one included."""
    first_red: str = ""
    """The run in which this streak began."""
    last_green: str = ""
    """The last run before the streak in which it passed; "" where none is known."""
    signature: str = ""
    """Key of what the failure says."""
    renamed_to: str = ""
    """For a missing one: the added test that is most likely the same."""


class Comparison(BaseModel):
    """A run against a baseline."""

    model_config = ConfigDict(frozen=True)

    run: RunInfo
    baseline: RunInfo | None = None
    runs_known: int
    """How many runs the judgement rests on, this one included."""
    counts: dict[Outcome, int]
    """Tests of the run by outcome."""
    baseline_counts: dict[Outcome, int] | None = None
    in_both: int = 0
    """Tests that stand in the run and in the baseline."""
    changes: tuple[TestChange, ...] = ()
    slower: tuple[Slower, ...] = ()
    speed: float | None = None
    """How slow the run was as a whole, 1 for as ever."""
    first_stayed: int = 0
    first_passed: int = 0
    """What became of the first failure of tests that had been green, over the runs known."""
    plain_new: int = 0
    """What a plain difference of failing names would show: red now, not red in the baseline."""

    def of(self, *kinds: Kind) -> list[TestChange]:
        """The changes of these kinds, in order."""
        return [change for change in self.changes if change.kind in kinds]


def compare(history: History, *, baseline: int | None = None, current: int | None = None) -> Comparison:
    """Compare one column of a history (the last) with another (the one before; none where there is none).

    Runs after `current` are not looked at. Raises ValueError when the baseline does not lie before the run.
    """
    now = len(history.runs) - 1 if current is None else current
    base = (now - 1 if now else None) if baseline is None else baseline
    if base is not None and not 0 <= base < now:
        raise ValueError("the baseline must lie before the run")
    judging = _Judging(history, now, base)
    changes = [*judging.red(), *judging.passed()]
    if base is not None:
        changes += judging.absent(base)
    codes = history.codes[:, now]
    found_slow = slower(history, now)
    was_slow = {one.test_id for one in slower(history, base)} if found_slow and base is not None else set()
    evidence = judging.evidence
    return Comparison(
        run=history.runs[now],
        baseline=None if base is None else history.runs[base],
        runs_known=now + 1,
        counts=_counts(codes),
        baseline_counts=None if base is None else _counts(history.codes[:, base]),
        in_both=0 if base is None else int(((codes != ABSENT) & (history.codes[:, base] != ABSENT)).sum()),
        changes=tuple(changes),
        slower=tuple(one for one in found_slow if one.test_id not in was_slow),
        speed=weather(history, now),
        first_stayed=evidence.first_stayed,
        first_passed=evidence.first_passed,
        plain_new=0 if base is None else int((history.red[:, now] & ~history.red[:, base]).sum()),
    )


def judged(history: History, *, baseline: int | None, current: int) -> list[TestChange]:
    """Only the failing tests of a run, judged as `compare` does."""
    return list(_Judging(history, current, baseline).red())


class _Judging:
    """The judgement of single tests of one run."""

    def __init__(self, history: History, now: int, base: int | None) -> None:
        self._history, self._now, self._base = history, now, base
        self.evidence = Evidence(history, now)
        self._known = {now: self.evidence}
        self._red = history.red

    def red(self) -> Iterable[TestChange]:
        """Every failing test of the run, the most serious first."""
        rows = np.flatnonzero(self._red[:, self._now]).tolist()
        found = [self._judged(row) for row in rows]
        return sorted(found, key=lambda one: (RED_KINDS.index(one.kind), -(one.broken or 0), one.test_id))

    def passed(self) -> Iterable[TestChange]:
        """Tests that were broken and pass now; tests whose tries within the run disagreed."""
        history, now = self._history, self._now
        green = history.codes[:, now] == PASSED
        before = np.zeros_like(green) if self._base is None else self._red[:, self._base]
        for row in np.flatnonzero(green & (before | history.mixed[:, now])).tolist():
            looks, columns = history.looks(row, now)
            if before[row] and self._was_broken(row):
                yield TestChange(
                    test_id=history.tests[row],
                    kind="fixed",
                    outcome="passed",
                    why=f"It failed in the baseline and passes now; it was red from {self._streak_words(row)}.",
                    last_green=history.runs[now].run_id,
                )
            elif history.mixed[row, now]:
                rate = flake_rate(looks, same_commit=_same_commit(looks, columns, history))
                why = f"It failed and passed within this run. {_rate_words(rate)}"
                yield TestChange(test_id=history.tests[row], kind="flaky", outcome="passed", why=why, rate=rate)

    def absent(self, base: int) -> Iterable[TestChange]:
        """Tests that ran in the baseline and did not now, and the new ones."""
        history = self._history
        was, code = history.codes[:, base], history.codes[:, self._now]
        ran = (was <= ERROR) & self._regular(base)
        gone = np.flatnonzero(ran & (code == ABSENT)).tolist()
        added = np.flatnonzero((history.codes[:, : self._now] == ABSENT).all(axis=1) & (code != ABSENT)).tolist()
        names = history.tests
        renamed = _renames([names[row] for row in gone], [names[row] for row in added])
        base_id = history.runs[base].run_id
        for row in gone:
            to = renamed.get(names[row], "")
            why = f"It ran in {base_id} and is not in this run" + (f"; it may be called {to} now." if to else ".")
            yield TestChange(test_id=names[row], kind="missing", why=why, renamed_to=to)
        for row in np.flatnonzero(ran & (code == SKIPPED)).tolist():
            why = f"It ran in {base_id} and was skipped now."
            yield TestChange(test_id=names[row], kind="skipped", outcome="skipped", why=why)
        for row in added:
            outcome = OUTCOMES[code[row]]
            if outcome in RED:
                continue  # it is told among the failing ones
            yield TestChange(
                test_id=names[row], kind="added", outcome=outcome, why=f"No earlier run holds it; it {_did(outcome)}."
            )

    def _regular(self, base: int) -> NDArray[np.bool_]:
        """Tests that ran in nearly every run up to the baseline since they first did: others come and go without a reason."""
        held = self._history.codes[:, max(0, base + 1 - REGULAR_RUNS) : base + 1] <= ERROR
        since = held.shape[1] - held.argmax(axis=1)
        regular: NDArray[np.bool_] = held.any(axis=1) & (since - held.sum(axis=1) <= ALLOWED_GAPS)
        return regular

    def _judged(self, row: int) -> TestChange:
        history, now = self._history, self._now
        looks, columns = history.looks(row, now)
        streak, start = _streak(looks, columns)
        kind = self._kind(row, looks, columns)
        rate = flake_rate(looks, same_commit=_same_commit(looks, columns, history))
        greens = [column for look, column in zip(looks, columns, strict=True) if not look.red and column < start]
        return TestChange(
            test_id=history.tests[row],
            kind=kind,
            outcome=OUTCOMES[history.codes[row, now]],
            why=self._why(kind, streak, start, rate, len(set(columns)), turned=_turned(looks, columns)),
            broken=round(self._broken(row, looks, columns, self.evidence), 4),
            rate=rate,
            streak=streak,
            first_red=history.runs[start].run_id,
            last_green=history.runs[greens[-1]].run_id if greens else "",
            signature=history.signature(row, now).key,
        )

    def _kind(self, row: int, looks: list[Look], columns: list[int]) -> Kind:
        if self._base is None:
            return "failing"
        tier = self._tier(row, looks, columns, self.evidence)
        before = self._earlier(row)
        if not before[0] or not before[0][-1].red or before[1][-1] < _streak(looks, columns)[1]:
            return tier
        earlier = self._tier(row, *before, self._then(before[1][-1]))
        if earlier == "new" or earlier == tier == "suspected":
            return "still"
        return tier

    def _tier(self, row: int, looks: list[Look], columns: list[int], known: Evidence) -> Kind:
        """new, suspected or flaky, by what is known at the last of these looks, which is red."""
        broken = self._broken(row, looks, columns, known)
        streak, _ = _streak(looks, columns)
        if broken < SUSPECTED:
            flaked = any(look.red for look in looks[:-streak]) or known.first_record < BROKEN
            unheard_of = _turned(looks, columns) and not flaked
            return "suspected" if streak >= STUCK or unheard_of else "flaky"
        if streak >= 2:
            return "new" if broken >= BROKEN else "suspected"
        return "new" if known.first_record >= BROKEN else "suspected"

    def _was_broken(self, row: int) -> bool:
        """Whether it was broken at the baseline: a suspicion that passed by itself mends nothing."""
        earlier = self._earlier(row)
        return self._tier(row, *earlier, self._then(earlier[1][-1])) == "new" or _streak(*earlier)[0] >= STAYED

    def _broken(self, row: int, looks: list[Look], columns: list[int], known: Evidence) -> float:
        _, start = _streak(looks, columns)
        return judge(looks, odds=known.odds(row, self._history.signature(row, start))).broken

    def _then(self, column: int) -> Evidence:
        """What was known at an earlier run. By what is known now, a test could be called broken before though nobody was told."""
        if column not in self._known:
            self._known[column] = Evidence(self._history, column)
        return self._known[column]

    def _earlier(self, row: int) -> tuple[list[Look], list[int]]:
        return ([], []) if self._base is None else self._history.looks(row, self._base)

    def _why(self, kind: Kind, streak: int, start: int, rate: FlakeRate, seen: int, *, turned: bool) -> str:
        times = "once" if streak == 1 else f"{streak} runs in a row, since {self._history.runs[start].run_id}"
        evidence = self.evidence
        match kind:
            case "failing":
                return "It failed, and there is no earlier run to compare with."
            case "still":
                return f"It was broken in the baseline already: it failed {times}."
            case "flaky" if not rate.red:
                return (
                    f"It failed {times}, and not before. {_rate_words(rate)} By what the failure says, and by what became of "
                    "such failures here, it flakes."
                )
            case "flaky":
                return f"It failed {times}, as it does from time to time. {_rate_words(rate)}"
            case "suspected" if turned and not rate.red:
                return (
                    f"It failed {times}, on the very commit on which it had passed, and never before: it flakes, or what "
                    "the code runs on has changed. A further run decides."
                )
            case "suspected" if streak == 1 and evidence.first_record < BROKEN and not rate.red:
                first = evidence.first_passed + evidence.first_stayed
                return (
                    f"It failed for the first time in {seen} runs; of {first} first failures of other tests here, "
                    f"{evidence.first_passed} were gone within {STAYED - 1} runs. A second run decides."
                )
            case "suspected":
                return f"It failed {times}. {_rate_words(rate)} A further run decides."
            case _:
                known = f"in {seen} runs" if seen > 1 else "in its first run"
                return f"It failed {times if streak > 1 else f'for the first time {known}'}. {_rate_words(rate)}"

    def _streak_words(self, row: int) -> str:
        streak, start = _streak(*self._earlier(row))
        return f"{self._history.runs[start].run_id} on, {streak} {'run' if streak == 1 else 'runs'}"


def _turned(looks: list[Look], columns: list[int]) -> bool:
    """Whether the failures at the end began in a run of the commit on which an earlier run had passed."""
    place = len(looks)
    while place and looks[place - 1].red:
        place -= 1
    return 0 < place < len(looks) and not looks[place].changed and columns[place] != columns[place - 1]


def _streak(looks: list[Look], columns: list[int]) -> tuple[int, int]:
    """How many runs at the end failed in a row, and the column of the first of them."""
    place = len(looks)
    while place and looks[place - 1].red:
        place -= 1
    failed = list(dict.fromkeys(columns[place:]))
    return len(failed), failed[0] if failed else columns[-1] if columns else 0


def _same_commit(looks: list[Look], columns: list[int], history: History) -> int:
    """On how many commits the test both passed and failed; runs without a commit count each for itself."""
    by_commit: dict[str, set[bool]] = {}
    for look, column in zip(looks, columns, strict=True):
        by_commit.setdefault(history.runs[column].commit or f"run {column}", set()).add(look.red)
    return sum(len(outcomes) == 2 for outcomes in by_commit.values())


def _rate_words(rate: FlakeRate) -> str:
    if not rate.red:
        if rate.n <= 1:
            return "It passed in the one run of before." if rate.n else "Nothing is known of it from before."
        return f"It passed in all {rate.n} runs of before."
    same = f", on {rate.same_commit} commits both ways" if rate.same_commit > 1 else ""
    same = ", on one commit both ways" if rate.same_commit == 1 else same
    return (
        f"Before, it failed in {rate.red} of {rate.n} runs without staying broken{same}: a flake rate of "
        f"{100 * rate.mean:.1f} % ({100 * rate.low:.1f}–{100 * rate.high:.1f} %)."
    )


def _renames(gone: list[str], added: list[str]) -> dict[str, str]:
    """Which missing test is most likely which added one: the same name elsewhere, else nearly the same name."""
    if not gone or not added or len(gone) > MAX_RENAMES or len(added) > MAX_RENAMES:
        return {}
    found: dict[str, str] = {}
    free = dict.fromkeys(added)
    for name in gone:
        own = name.rpartition("::")[2]
        best, score = "", RENAMED
        for other in free:
            matcher = SequenceMatcher(None, name, other, autojunk=False)
            if other.rpartition("::")[2] == own:
                best = other
                break
            if matcher.real_quick_ratio() > score and matcher.quick_ratio() > score and matcher.ratio() > score:
                best, score = other, matcher.ratio()
        if best:
            found[name] = best
            del free[best]
    return found


def _counts(codes: NDArray[np.uint8]) -> dict[Outcome, int]:
    return {outcome: int((codes == place).sum()) for place, outcome in enumerate(OUTCOMES)}


def _did(outcome: Outcome) -> str:
    return {"passed": "passed", "failed": "failed", "error": "broke", "skipped": "was skipped"}[outcome]
