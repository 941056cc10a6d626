"""Runs side by side: one row per test, one column per run, oldest first. Small enough for 50,000 tests and 200 runs."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qa_agents.results.flaky import Look
from qa_agents.results.packing import CODES
from qa_agents.results.schema import Run, RunInfo
from qa_agents.results.signature import NOTHING, Signature, signature_of

if TYPE_CHECKING:
    from qa_agents.results.store import RunStore

ABSENT = 255
"""The code of a test that a run does not hold."""
PASSED, FAILED, ERROR, SKIPPED = (CODES[outcome] for outcome in ("passed", "failed", "error", "skipped"))
WINDOW = 200
"""So many runs are looked back: older ones say little about a test as it is now."""

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, eq=False)
class History:
    """Outcomes, durations and signatures of failures of every test in every run."""

    tests: tuple[str, ...]
    """Ids, in the order first met."""
    runs: tuple[RunInfo, ...]
    """Oldest first; the last one is usually the run in question."""
    codes: NDArray[np.uint8]
    """(tests, runs): position in OUTCOMES, or ABSENT."""
    mixed: NDArray[np.bool_]
    """(tests, runs): whether tries within the run disagreed."""
    seconds: NDArray[np.float32]
    """(tests, runs): duration; NaN where unknown."""
    signatures: Mapping[tuple[int, int], Signature] = field(default_factory=dict)
    """(test, run) of failures that say something."""

    @property
    def red(self) -> NDArray[np.bool_]:
        """(tests, runs): failed or broken."""
        found: NDArray[np.bool_] = (self.codes == FAILED) | (self.codes == ERROR)
        return found

    def window(self, start: int, stop: int) -> "History":
        """The columns from `start` up to `stop`, which is left out; tests that none of them holds stay as empty rows."""
        kept = {
            (row, column - start): said for (row, column), said in self.signatures.items() if start <= column < stop
        }
        span = slice(start, stop)
        return History(
            self.tests, self.runs[span], self.codes[:, span], self.mixed[:, span], self.seconds[:, span], kept
        )

    def index(self, run_id: str) -> int | None:
        """The column of a run; None when it is not among them."""
        return next((place for place, info in enumerate(self.runs) if info.run_id == run_id), None)

    def signature(self, test: int, run: int) -> Signature:
        """What the failure of a test in a run says; NOTHING where it says nothing."""
        return self.signatures.get((test, run), NOTHING)

    def looks(self, test: int, upto: int) -> tuple[list[Look], list[int]]:
        """The telling outcomes of a test in column `upto` and the WINDOW before it, oldest first, and the column of each.

        Tries of one run that disagree are two looks at one commit, the last of them the outcome.
        """
        codes = self.codes[test]
        first = max(0, upto - WINDOW)
        columns = first + np.flatnonzero(codes[first : upto + 1] <= ERROR)
        mixed = self.mixed[test]
        found: list[Look] = []
        places: list[int] = []
        before: str | None = None
        for column in columns.tolist():
            is_red = bool(codes[column] != PASSED)
            commit = self.runs[column].commit
            changed = not commit or commit != before
            before = commit
            if mixed[column]:
                found.append(Look(not is_red, changed))
                places.append(column)
                changed = False
            found.append(Look(is_red, changed))
            places.append(column)
        return found, places


def history_of(runs: Sequence[Run]) -> History:
    """Runs that are at hand, oldest first, as a history."""
    builder = _Builder(len(runs))
    for column, run in enumerate(runs):
        for result in run.results:
            row = builder.row(result.test_id)
            builder.put(row, column, CODES[result.outcome], result.is_inconsistent, result.seconds)
            if result.is_red and (said := signature_of(result)) is not NOTHING:
                builder.signatures.setdefault((row, column), said)
    return builder.done([run.info for run in runs])


def history_before(
    store: "RunStore",
    current: Run,
    *,
    branches: Collection[str] | None,
    baseline: str | None = None,
    limit: int = WINDOW + 1,
    tell: Progress = lambda *_: None,
) -> History:
    """A kept run with the kept ones that ran before it on `branches` (any for None), as a history; the run comes last.

    Only runs of its environment count. `baseline`, where it is not among them, stands right before the run, whenever it ran.
    Raises NotFoundError for a baseline that is not kept.
    """
    here, environment = current.info.run_id, current.info.environment
    heads = [
        head
        for head in store.find(environment=environment, before=here)
        if head.info.run_id != here and (branches is None or head.info.branch in branches)
    ][:limit]
    heads.reverse()
    if baseline is not None and baseline not in {head.info.run_id for head in heads}:
        heads.append(store.head(baseline))
    builder = _Builder(len(heads) + 1, max((head.tests for head in heads), default=0) + len(current.results))
    rows = np.zeros(0, np.int64)  # store key -> row, grown as needed; -1 where not met
    for column, head in enumerate(heads):
        columns, failures = store.outline(head.info.run_id)
        if len(columns):
            rows = _grown(rows, int(columns.tests.max()))
            unmet = np.unique(columns.tests[rows[columns.tests] < 0])
            if unmet.size:
                names = store.tests(unmet.tolist())
                for key in unmet.tolist():
                    rows[key] = builder.row(names[key].test_id)
            builder.put_columns(rows[columns.tests], column, columns.outcomes, columns.inconsistent, columns.seconds)
            for result in failures:
                if (said := signature_of(result)) is not NOTHING:
                    builder.signatures.setdefault((builder.row(result.test_id), column), said)
        tell("reading earlier runs", column + 1, len(heads))
    last = len(heads)
    for result in current.results:
        row = builder.row(result.test_id)
        builder.put(row, last, CODES[result.outcome], result.is_inconsistent, result.seconds)
        if result.is_red and (said := signature_of(result)) is not NOTHING:
            builder.signatures.setdefault((row, last), said)
    return builder.done([*(head.info for head in heads), current.info])


class _Builder:
    """Fills the matrices. A test that stands in a run twice is red if either is, and mixed if they differ.

    They are kept by run, so that what is written of one run lies together, and turned when done.
    """

    def __init__(self, runs: int, tests: int = 1024) -> None:
        self._rows: dict[str, int] = {}
        self._codes = np.full((runs, tests), ABSENT, np.uint8)
        self._mixed = np.zeros((runs, tests), np.bool_)
        self._seconds = np.full((runs, tests), np.nan, np.float32)
        self.signatures: dict[tuple[int, int], Signature] = {}

    def row(self, test_id: str) -> int:
        row = self._rows.setdefault(test_id, len(self._rows))
        if row >= self._codes.shape[1]:
            self._codes = _widened(self._codes, ABSENT)
            self._mixed = _widened(self._mixed, False)
            self._seconds = _widened(self._seconds, np.nan)
        return row

    def put(self, row: int, column: int, code: int, mixed: bool, seconds: float | None) -> None:
        known = int(self._codes[column, row])
        if known != ABSENT and known != code:
            if PASSED in (known, code) and (known in (FAILED, ERROR) or code in (FAILED, ERROR)):
                self._mixed[column, row] = True
            code = max((known, code), key=_WEIGHT.index)
        self._codes[column, row] = code
        self._mixed[column, row] |= mixed
        if seconds is not None and np.isnan(self._seconds[column, row]):
            self._seconds[column, row] = seconds

    def put_columns(
        self,
        rows: NDArray[np.int64],
        column: int,
        codes: NDArray[np.uint8],
        mixed: NDArray[np.bool_],
        seconds: NDArray[np.float64],
    ) -> None:
        twice = np.bincount(rows)[rows] > 1
        once = ~twice
        self._codes[column, rows[once]], self._mixed[column, rows[once]] = codes[once], mixed[once]
        self._seconds[column, rows[once]] = seconds[once]
        for place in np.flatnonzero(twice).tolist():
            known = float(seconds[place])
            self.put(int(rows[place]), column, int(codes[place]), bool(mixed[place]), None if known != known else known)

    def done(self, runs: Iterable[RunInfo]) -> History:
        n = len(self._rows)
        codes, mixed, seconds = self._codes[:, :n].T, self._mixed[:, :n].T, self._seconds[:, :n].T
        return History(tuple(self._rows), tuple(runs), codes, mixed, seconds, self.signatures)


_WEIGHT = [SKIPPED, PASSED, FAILED, ERROR]
"""Which outcome counts where a test stands in a run more than once: the later in this list."""


def _widened(matrix: NDArray, fill: object) -> NDArray:  # type: ignore[type-arg]
    more = np.full((matrix.shape[0], max(1024, matrix.shape[1])), fill, matrix.dtype)
    return np.concatenate([matrix, more], axis=1)


def _grown(rows: NDArray[np.int64], key: int) -> NDArray[np.int64]:
    if key < len(rows):
        return rows
    return np.concatenate([rows, np.full(max(key + 1, 2 * len(rows)) - len(rows), -1, np.int64)])


def episodes(history: History, upto: int) -> Iterator[tuple[int, list[list[int]], bool]]:
    """For every test that was red before column `upto`: its row, its streaks of failures in a row (the columns of each; skipped
    and missing runs do not end one), and whether the last of them is still open.
    """
    red, codes = history.red[:, :upto], history.codes[:, :upto]
    for row in np.flatnonzero(red.any(axis=1)).tolist():
        columns = np.flatnonzero(codes[row] <= ERROR)
        is_red = red[row, columns]
        streaks: list[list[int]] = []
        before = False
        for column, now in zip(columns.tolist(), is_red.tolist(), strict=True):
            if now:
                if before:
                    streaks[-1].append(column)
                else:
                    streaks.append([column])
            before = now
        yield row, streaks, before
