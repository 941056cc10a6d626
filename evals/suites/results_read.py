"""Result files of the world: read or refused, counted, cut off anywhere; and how large and fast a store of runs is.

The counts of an independent script (`INDEX.jsonl` beside the files) are the reference. Where ours differ, a rule must account for
the whole difference, or the difference is unexplained and the measurement fails.
"""

import argparse
import io
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from evals.data import data_dir
from evals.report import table
from evals.stats import wilson
from qa_agents.errors import UnavailableError
from qa_agents.results.read.files import Contents, read_member
from qa_agents.results.read.limits import Limits
from qa_agents.results.read.reading import ITSELF, Attempt, Reading
from qa_agents.results.read.sources import Member, members
from qa_agents.results.schema import Coverage, Run, RunInfo, TestResult

_EXTRA = (ITSELF, "(bail out)", "(failsafe run)", "(collection)")
"""Results that stand for something broken outside of tests."""


class Counts(NamedTuple):
    """Tests, and how they came out."""

    tests: int
    failed: int
    errors: int
    skipped: int

    def __str__(self) -> str:
        return "/".join(map(str, self))


class Compared(BaseModel):
    """One file: what the index counts, what we count, and which rules account for a difference."""

    file: str
    kind: str
    """What the index takes it for."""
    flavour: str
    """What we take it for; "" when it is refused."""
    refused: str
    theirs: Counts | None
    """None where the index counts nothing (it is no results file, or not a format its script knows)."""
    ours: Counts
    why: list[str]
    """Empty where there is no difference, or none that the rules account for whole."""
    notes: list[str]
    coverage: str = ""
    """For coverage whose file declares a rate: agrees, or said (we count otherwise and say so); "**silent**" must not be."""

    @property
    def differs(self) -> bool:
        """Whether the counts disagree."""
        return self.ours != (self.theirs or Counts(0, 0, 0, 0))


def compared(folder: Path) -> list[Compared]:
    """Every file of the index, read."""
    found = []
    for line in (folder / "INDEX.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        (member,) = members([str(folder / row["file"])], Limits())
        found.append(_compare(row, read_member(member, Reading())))
    return found


def _compare(row: dict[str, Any], read: Contents) -> Compared:
    results = _results(read)
    outcomes = Counter(result.outcome for result in results)
    ours = Counts(len(results), outcomes["failed"], outcomes["error"], outcomes["skipped"])
    theirs = (
        None if row["tests"] is None else Counts(*(row[name] for name in ("tests", "failures", "errors", "skipped")))
    )
    return Compared(
        file=row["file"],
        kind=row["kind"],
        flavour=read.file.flavour,
        refused=read.file.refused,
        theirs=theirs,
        ours=ours,
        why=_why(theirs, ours, results, read.file.notes),
        notes=list(read.file.notes),
        coverage=_coverage(row["notes"], read),
    )


_RATE = re.compile(r"line-rate ([\d.]+)")
_LINES = re.compile(r"lines (\d+) covered / (\d+) missed")


def _coverage(declared: Sequence[str], read: Contents) -> str:
    """How our count of lines stands to what the file says of itself; "" where it says nothing."""
    said = " ".join(declared)
    found = next((item for item in read.items if isinstance(item, Coverage)), None)
    if lines := _LINES.search(said):
        ours = (found.lines_covered, found.lines_total - found.lines_covered) if found else None
        return "agrees" if ours == (int(lines[1]), int(lines[2])) else "**silent**"
    if rate := _RATE.search(said):
        ours_rate = found.line_rate if found else None
        if ours_rate is not None and abs(ours_rate - float(rate[1])) <= 0.005:
            return "agrees"
        return "said" if any(note.startswith("It declares a line rate") for note in read.file.notes) else "**silent**"
    return ""


def _why(theirs: Counts | None, ours: Counts, results: Sequence[TestResult], notes: Sequence[str]) -> list[str]:
    """The rules that together account for the whole difference; none where they do not."""
    if ours == (theirs or Counts(0, 0, 0, 0)):
        return []
    if theirs is None:
        return ["the index does not count this format, or could not parse this file"]
    if any("whole stream is indented" in note for note in notes):
        return ["a stream that is indented as a whole is read; the index counts lines at the left margin"]
    rules, rest = [], list(theirs)
    extra = sum(result.name in _EXTRA for result in results)
    if extra:
        rules.append("something broke outside of tests (suite, plan, bail-out): one more broken result")
        rest[0] += extra
        rest[2] += extra
    todo = sum("todo" in result.tags and result.outcome == "skipped" for result in results)
    if todo:
        rules.append("`not ok` with TODO is skipped here, passed in the index")
        rest[3] += todo
    if rest[1] + rest[2] == ours.failed + ours.errors and rest[1] != ours.failed:
        rules.append("an unexpected exception or time-out is broken here, failed in the index")
        rest[1:3] = ours[1:3]
    unknown = ours.skipped - rest[3]
    if unknown > 0 and any("says nothing about its outcome" in note or "has no steps" in note for note in notes):
        rules.append("no or an unknown status proves nothing: skipped here, passed in the index")
        rest[3] += unknown
        if any(result.outcome == "failed" and result.details for result in results) and rest[1] != ours.failed:
            rules.append("an unknown status with a failure's text is failed")
            rest[1] = ours.failed
    return rules if tuple(rest) == tuple(ours) else []


def _results(read: Contents) -> list[TestResult]:
    return [
        one.result if isinstance(one, Attempt) else one for one in read.items if isinstance(one, Attempt | TestResult)
    ]


class CutOff(BaseModel):
    """What became of files cut off at random places."""

    cuts: int = 0
    crashed: int = 0
    """Ended in an exception."""
    silent: int = 0
    """Said nothing of a cut although tests are missing."""
    red_tests: int = 0
    """Red tests in the whole files that are still there after the cut."""
    turned_green: int = 0
    """Of those, shown as passed."""
    slowest_seconds: float = 0.0


def cut_off(folder: Path, cuts: int, seed: int = 0) -> CutOff:
    """Cut each file of the index at `cuts` random places and read what is left."""
    rng, total = random.Random(seed), CutOff()
    for line in (folder / "INDEX.jsonl").read_text("utf-8").splitlines():
        body = (folder / json.loads(line)["file"]).read_bytes()
        whole = _results(_read(body)) if body else []
        red = Counter(result.test_id for result in whole if result.is_red)
        known = Counter(result.test_id for result in whole)
        for at in [rng.randrange(1, len(body)) for _ in range(cuts)] if len(body) > 1 else ():
            total.cuts += 1
            start = time.perf_counter()
            try:
                read = _read(body[:at])
            except Exception:
                total.crashed += 1
                continue
            total.slowest_seconds = max(total.slowest_seconds, time.perf_counter() - start)
            left = defaultdict(list)
            for result in _results(read):
                left[result.test_id].append(result)
            if sum(map(len, left.values())) < len(whole) and read.file.is_whole and not read.file.notes:
                total.silent += 1
            for test_id in red:
                if known[test_id] == 1 and left[test_id]:
                    total.red_tests += 1
                    total.turned_green += any(result.outcome == "passed" for result in left[test_id])
    return total


def _read(body: bytes) -> Contents:
    return read_member(Member("x", lambda: io.BytesIO(body), True), Reading())


class Stored(BaseModel):
    """A store of many large runs."""

    tests: int
    runs: int
    megabytes: float
    add_seconds: float
    """Of one run, mean."""
    history_seconds: float
    """Every run as columns, with the names of every test."""
    failures_seconds: float
    """What the failures of one run say."""
    peak_megabytes: float
    """Of memory, over everything: building the runs, too."""


def store_many(tests: int, runs: int, seed: int = 0) -> Stored:
    """Fill a store with `runs` of `tests` each, 0.4 % of them red with a trace, and read it back."""
    import resource

    from qa_agents.results.store import RunStore
    from qa_agents.storage.engine import open_database

    rng = random.Random(seed)
    names = [(f"acme.shop.module{n // 200}.TestCase{n // 20}", f"test_case_{n}[param-{n % 7}]") for n in range(tests)]
    spent = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "qa-agents.db"
        database = open_database(path)
        store = RunStore(database)
        for run in range(runs):
            results = tuple(_made(rng, suite, name) for suite, name in names)
            info = RunInfo(run_id=f"r{run}", branch="main", commit=f"{run:040x}")
            start = time.perf_counter()
            store.add(Run(info=info, results=results))
            spent += time.perf_counter() - start
            if not (run + 1) % 20:
                print(f"{run + 1} of {runs} runs", file=sys.stderr)
        start = time.perf_counter()
        seen = sum(len(store.outline(head.info.run_id).columns) for head in store.find(branch="main"))
        known = store.tests()
        history = time.perf_counter() - start
        assert seen == tests * runs
        assert len(known) == tests
        start = time.perf_counter()
        store.outline(f"r{runs - 1}")
        failures = time.perf_counter() - start
        database.close()
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return Stored(
        tests=tests,
        runs=runs,
        megabytes=size / 1e6,
        add_seconds=spent / runs,
        history_seconds=history,
        failures_seconds=failures,
        peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    )


def _made(rng: random.Random, suite: str, name: str) -> TestResult:
    seconds = round(rng.lognormvariate(-3, 1), 3)
    if rng.random() > 0.004:
        return TestResult(suite=suite, name=name, outcome="passed", seconds=seconds)
    trace = "\n".join(f'  File "shop/{suite}.py", line {rng.randrange(900)}, in step_{n}' for n in range(15))
    return TestResult(
        suite=suite, name=name, outcome="failed", seconds=seconds, message=f"expected {rng.random()}", details=trace
    )


def report(rows: Sequence[Compared], cuts: CutOff | None, stored: Stored | None) -> str:
    """What was found, as Markdown."""
    read = [row for row in rows if row.flavour]
    counted = [row for row in rows if row.theirs is not None]
    agree = [row for row in counted if not row.differs]
    unexplained = [row for row in rows if row.differs and not row.why]
    interval = wilson(len(agree), len(counted))
    lines = [
        f"{len(rows)} files: {len(read)} read, {len(rows) - len(read)} refused in one sentence, "
        f"{sum(not row.flavour and not row.refused for row in rows)} neither.",
        f"Counts agree in {len(agree)} of the {len(counted)} files the index counts "
        f"({interval.low:.3f}–{interval.high:.3f}); {len(unexplained)} differences are unexplained.",
        f"Coverage: {_coverages(rows)}.",
        "",
        table(
            ("flavour", "files", "tests", "failed", "broken", "skipped"),
            (
                (name, str(len(group)), *(f"{sum(row.ours[at] for row in group):,}" for at in range(4)))
                for name, group in _grouped(read)
            ),
        ),
        "",
        "Differences (tests/failed/broken/skipped):",
        "",
        table(
            ("file", "index", "ours", "why"),
            (
                (row.file, str(row.theirs or "–"), str(row.ours), "; ".join(row.why) or "**unexplained**")
                for row in rows
                if row.differs
            ),
        ),
        "",
        "Coverage counted otherwise than declared. We count each line of each file once; the declared rate does not follow from "
        "the lines that these files list, and which of the two is right they do not say:",
        "",
        table(
            ("file", "said"),
            ((row.file, " ".join(row.notes)) for row in rows if row.coverage not in ("", "agrees")),
        ),
        "",
        "Refused:",
        "",
        table(("file", "said"), ((row.file, row.refused) for row in rows if row.refused)),
    ]
    if cuts is not None:
        green = wilson(cuts.turned_green, cuts.red_tests) if cuts.red_tests else None
        lines += [
            "",
            f"Cut off at {cuts.cuts:,} random places: {cuts.crashed} crashes, {cuts.silent} cuts that lost tests silently, "
            f"{cuts.turned_green} of {cuts.red_tests:,} red tests shown as passed"
            + (f" (95 %: at most {green.high:.4f})" if green else "")
            + f"; slowest {cuts.slowest_seconds:.2f} s.",
        ]
    if stored is not None:
        lines += [
            "",
            f"{stored.runs} runs of {stored.tests:,} tests: {stored.megabytes:,.0f} MB on disk, "
            f"{stored.add_seconds:.2f} s to add one, {stored.history_seconds:.1f} s to read all as columns, "
            f"{stored.failures_seconds:.2f} s for the failures of one, "
            f"{stored.peak_megabytes:,.0f} MB of memory at most.",
        ]
    return "\n".join(lines)


def _coverages(rows: Sequence[Compared]) -> str:
    found = Counter(row.coverage for row in rows if row.coverage)
    return (
        f"of {found.total()} files that declare a rate or counts, {found['agrees']} agree with our count of lines, in "
        f"{found['said']} we count otherwise and say so, {found['**silent**']} differ silently"
    )


def _grouped(rows: Sequence[Compared]) -> list[tuple[str, list[Compared]]]:
    groups: dict[str, list[Compared]] = defaultdict(list)
    for row in rows:
        groups[row.flavour].append(row)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def main() -> int:
    """0 when nothing is unexplained, crashed, lost or turned green; 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=data_dir() / "results", help="folder with the files and INDEX.jsonl"
    )
    parser.add_argument("--cuts", type=int, default=0, metavar="N", help="also cut each file at N random places")
    parser.add_argument("--store", type=int, nargs=2, metavar=("TESTS", "RUNS"), help="also fill a store of runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    options = parser.parse_args()
    if not (options.data / "INDEX.jsonl").is_file():
        raise UnavailableError(f"There are no result files at {options.data}.", hint="Set QA_AGENTS_DATA or --data.")
    rows = compared(options.data)
    cuts = cut_off(options.data, options.cuts) if options.cuts else None
    stored = store_many(*options.store) if options.store else None
    print(report(rows, cuts, stored))
    if options.json:
        document = {
            "files": [row.model_dump(mode="json") for row in rows],
            "cuts": cuts.model_dump() if cuts else None,
            "store": stored.model_dump() if stored else None,
        }
        options.json.write_text(json.dumps(document, indent=1), "utf-8")
    unexplained = any(
        row.coverage == "**silent**" or (row.differs and not row.why) or not (row.flavour or row.refused)
        for row in rows
    )
    return int(unexplained or (cuts is not None and cuts.crashed + cuts.silent + cuts.turned_green > 0))


if __name__ == "__main__":
    sys.exit(main())
