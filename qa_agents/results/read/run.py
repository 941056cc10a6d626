"""A run: every file that was named, read one after the other, and put together."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from qa_agents.errors import InvalidInputError
from qa_agents.results.read.files import read_member
from qa_agents.results.read.limits import Limits
from qa_agents.results.read.reading import Attempt, Reading
from qa_agents.results.read.sources import members
from qa_agents.results.schema import Coverage, Outcome, ReadFile, Run, RunInfo, ScoredOutput, TestResult
from qa_agents.storage.canonical import digest_of

Progress = Callable[[str, int, int | None], None]
"""(what, done, total)"""
_FEW = 3


def read_run(
    names: Sequence[str],
    *,
    run_id: str = "",
    commit: str = "",
    branch: str = "",
    environment: str = "",
    at: datetime | None = None,
    limits: Limits | None = None,
    progress: Progress = lambda *_: None,
) -> Run:
    """Read files, folders, patterns (`**/TEST-*.xml`) and zip or gzip archives as one run.

    What could not be read is said in `Run.files`. Without `run_id`, one is made from what was read and where it comes from, so
    that the same files are the same run. Without `at`, it ran when its newest file began.
    Raises NotFoundError for a name behind which there is nothing, InvalidInputError when no file could be read.
    """
    limits = limits or Limits()
    deadline = time.monotonic() + limits.seconds
    results: list[TestResult | Attempt] = []
    outputs: list[ScoredOutput] = []
    coverages: list[Coverage] = []
    files: list[ReadFile] = []
    moments: list[datetime] = []
    for count, member in enumerate(members(names, limits), start=1):
        contents = read_member(member, Reading(limits, deadline))
        files.append(contents.file)
        moments += [contents.reading.at] if contents.reading.at and not contents.file.refused else []
        for item in contents.items:
            if isinstance(item, ScoredOutput):
                outputs.append(item)
            elif isinstance(item, Coverage):
                coverages.append(item)
            else:
                results.append(item)
        progress("reading", count, None)
    if all(file.refused for file in files):
        raise _nothing_read(files)
    known = (commit, branch, environment, at.isoformat() if at else "", sorted(file.sha256 for file in files))
    return Run(
        info=RunInfo(
            run_id=run_id or f"run-{digest_of(known)[:12]}",
            commit=commit,
            branch=branch,
            environment=environment,
            at=at or max(moments, default=None),  # a file that was left over from an earlier run does not make it old
        ),
        results=tuple(joined(results)),
        outputs=tuple(outputs),
        coverage=_added(coverages),
        files=tuple(_with_note(files) if len(coverages) > 1 else files),
    )


def joined(results: Iterable[TestResult | Attempt]) -> list[TestResult]:
    """The results, tries of one test as one: the last try's, with the outcomes of all, where the first one stood."""
    tries: dict[str, list[Attempt]] = {}
    order: list[TestResult | str] = []
    for result in results:
        if isinstance(result, TestResult):
            order.append(result)
        elif result.identity in tries:
            tries[result.identity].append(result)
        else:
            tries[result.identity] = [result]
            order.append(result.identity)
    return [one if isinstance(one, TestResult) else _last(tries[one]) for one in order]


def _last(tries: list[Attempt]) -> TestResult:
    if len(tries) == 1:
        return tries[0].result
    tries = sorted(tries, key=lambda one: one.order)
    attempts: tuple[Outcome, ...] = tuple(one.result.outcome for one in tries)
    return tries[-1].result.model_copy(update={"attempts": attempts})


def _added(coverages: list[Coverage]) -> Coverage | None:
    if not coverages:
        return None
    with_branches = [one for one in coverages if one.branches_total is not None]
    return Coverage(
        lines_covered=sum(one.lines_covered for one in coverages),
        lines_total=sum(one.lines_total for one in coverages),
        branches_covered=sum(one.branches_covered or 0 for one in with_branches) if with_branches else None,
        branches_total=sum(one.branches_total or 0 for one in with_branches) if with_branches else None,
    )


def _with_note(files: list[ReadFile]) -> list[ReadFile]:
    said = "Coverage of several files was added up; what two of them measure counts twice."
    first = next(at for at, file in enumerate(files) if not file.refused and not file.tests and not file.outputs)
    return [
        file.model_copy(update={"notes": (*file.notes, said)}) if at == first else file for at, file in enumerate(files)
    ]


def _nothing_read(files: list[ReadFile]) -> InvalidInputError:
    if not files:
        return InvalidInputError("There is nothing to read.", hint="Name a file, folder, pattern or zip.")
    told = [f"{file.name}: {file.refused}" for file in files[:_FEW]]
    more = f" … and {len(files) - _FEW:,} more." if len(files) > _FEW else ""
    many = "The file" if len(files) == 1 else f"None of the {len(files):,} files"
    verb = "could not be read" if len(files) == 1 else "could be read"
    return InvalidInputError(f"{many} {verb}. {' '.join(told)}{more}")
