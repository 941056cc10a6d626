"""Failures put together into causes, across suites: the same words, nearly the same words, one origin (exception type and place),
or one broken test or set-up that takes others down. What differs in type and in place is only put together for equal words.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz import fuzz

from qa_agents.results.compare import RED_KINDS, Comparison, Kind, TestChange
from qa_agents.results.history import History
from qa_agents.results.related import Related
from qa_agents.results.schema import Run, TestResult
from qa_agents.results.signature import NOTHING, Origin, Signature, frames, origin, signature_of, telling
from qa_agents.results.suspects import Suspect

NEAR = 88.0
"""Likeness of two normalised texts, 0 to 100, from which on they are one cause."""
KIN = 60.0
"""The same for failures of one exception type that were raised at one place."""
MAX_COMPARED = 1_500
"""Distinct signatures compared with each other; of more, the rest are causes of their own."""
MIN_CHARS = 12
"""Shorter texts are alike only when equal."""
SHOWN_DETAILS = 4_000
_SETUP = (
    "setup",
    "set up",
    "fixture",
    "before all",
    "beforeall",
    "before hook",
    "classsetup",
    "onetimesetup",
    "teardown",
)
_ABORTED = ("abort", "depend", "previous", "earlier", "prerequisite", "setup", "fixture", "incremental")
"""Words with which frameworks say that a test did not run because another failed."""
_CHECKED = re.compile(r"assert|comparison|expect|failure", re.IGNORECASE)
"""Types of exceptions that say that a check did not hold: where they are raised is the checking library, not the cause."""
_WORD = re.compile(r"[\w.\[\]:-]{6,300}")
"""How a skip may name the test it depends on; shorter names mean too much else."""


class Cause(BaseModel):
    """What several failures have in common."""

    model_config = ConfigDict(frozen=True)

    id: str
    """C1, C2, … within one summary, the most serious first."""
    kind: Kind
    """The most serious of its tests' kinds."""
    title: str
    """The failure in the words of its representative, one line."""
    type: str = ""
    """Exception or assertion type."""
    signature: str = ""
    """Key of the most frequent signature; "" for failures without words."""
    tests: tuple[str, ...]
    """Failing tests, the most serious and with it the representative first."""
    took_down: tuple[str, ...] = ()
    """Tests that were skipped, or broke in their set-up, because of it."""
    message: str = ""
    """The representative's message, as it was given."""
    details: str = ""
    """The representative's trace, its end."""
    files: tuple[str, ...] = ()
    """Files that the trace names, the innermost last as the trace has it."""
    first_seen: str = ""
    """The first known run with this signature; "" without words."""
    seen_runs: int = 1
    """In how many known runs it was seen, this one included."""
    suspects: tuple[Suspect, ...] = ()
    related: tuple[Related, ...] = ()
    requirements: tuple[str, ...] = Field(default=())
    """Requirements of plans that its tests prove, and which are unproven now."""

    @property
    def size(self) -> int:
        """How many tests it explains."""
        return len(self.tests) + len(self.took_down)

    @property
    def suites(self) -> int:
        """In how many suites."""
        return len({test_id.rpartition("::")[0] for test_id in (*self.tests, *self.took_down)})

    @property
    def extent(self) -> str:
        """For example `1 test`, `3 tests`, `40 tests in 6 suites`."""
        tests = "1 test" if self.size == 1 else f"{self.size:,} tests"
        return f"{tests} in {self.suites:,} suites" if self.suites > 1 else tests


def cluster(run: Run, comparison: Comparison, history: History | None = None) -> list[Cause]:
    """The causes of a run's failures, the most serious and then the largest first.

    Failures without any words are put together only within one suite. Pure.
    """
    red = {result.test_id: result for result in reversed(run.results) if result.is_red}
    kinds = {change.test_id: change.kind for change in comparison.of(*RED_KINDS)}
    said = {test_id: signature_of(result) for test_id, result in red.items()}
    groups = _near(_of_one_origin(_alike(red, said), red), said, red)
    order = {result.test_id: place for place, result in reversed(list(enumerate(run.results)))}
    groups = [sorted(group, key=order.__getitem__) for group in groups]
    down = _taken_down(run, groups, red, order, comparison)
    causes = [_cause(group, down.get(group[0], ()), red, said, kinds, history) for group in groups if group[0] in red]
    causes.sort(key=lambda cause: (RED_KINDS.index(cause.kind), -cause.size, cause.title, cause.tests))
    return [cause.model_copy(update={"id": f"C{number}"}) for number, cause in enumerate(causes, start=1)]


def _alike(red: Mapping[str, TestResult], said: Mapping[str, Signature]) -> list[list[str]]:
    """Failures by equal signature; those without words by suite."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for test_id, result in red.items():
        key = said[test_id].key
        groups["said" if key else "suite", key or result.suite or test_id].append(test_id)
    return list(groups.values())


def _of_one_origin(groups: list[list[str]], red: Mapping[str, TestResult]) -> list[list[str]]:
    """Groups joined whose exceptions, failed checks apart, are of one type and were raised at one place: all of them where the
    set-up broke or the exceptions say the same, others where they say much of the same.
    """
    joined: list[list[str]] = []
    known: defaultdict[tuple[str, str, int], list[tuple[Origin, int]]] = defaultdict(list)
    for group in groups[:MAX_COMPARED]:
        head = red[group[0]]
        mine = origin(head.details)
        if not mine.type or mine.frame is None or _CHECKED.search(mine.type):
            joined.append(list(group))
            continue
        kin = known[mine.type, mine.frame.file, mine.frame.line]
        place = next((at for other, at in kin if _kin(mine, other, head, red[joined[at][0]])), None)
        if place is None:
            kin.append((mine, len(joined)))
            joined.append(list(group))
        else:
            joined[place].extend(group)
    return joined + groups[MAX_COMPARED:]


def _kin(mine: Origin, other: Origin, result: TestResult, known: TestResult) -> bool:
    broke_before = result.outcome == known.outcome == "error" and _is_setup(result) and _is_setup(known)
    return broke_before or mine.text == other.text or fuzz.ratio(mine.text, other.text, score_cutoff=KIN) >= KIN


def _near(groups: list[list[str]], said: Mapping[str, Signature], red: Mapping[str, TestResult]) -> list[list[str]]:
    """Groups joined where their texts are nearly the same and neither types nor, where a type is unknown, places contradict."""
    worded = [group for group in groups if len(said[group[0]].text) >= MIN_CHARS]
    rest = [group for group in groups if len(said[group[0]].text) < MIN_CHARS]
    worded.sort(key=len, reverse=True)
    joined: list[list[str]] = []
    heads: list[str] = []
    for group in worded:
        mine = group[0]
        place = next(
            (
                at
                for at, head in enumerate(heads[:MAX_COMPARED])
                if _same_cause(said[mine], said[head]) and not _elsewhere(red[mine], red[head], said[mine], said[head])
            ),
            None,
        )
        if place is None:
            joined.append(list(group))
            heads.append(mine)
        else:
            joined[place].extend(group)
    return joined + rest


def _same_cause(one: Signature, other: Signature) -> bool:
    if one.type != other.type and one.type and other.type:
        return False
    shorter, longer = sorted((len(one.text), len(other.text)))
    return shorter * 2 >= longer and fuzz.ratio(one.text, other.text, score_cutoff=NEAR) >= NEAR


def _elsewhere(one: TestResult, other: TestResult, said: Signature, known: Signature) -> bool:
    """Whether two failures were raised at different places and are not of one known type either."""
    if said.type and said.type == known.type:
        return False
    here, there = origin(one.details).frame, origin(other.details).frame
    return here is not None and there is not None and here != there


def _taken_down(
    run: Run,
    groups: list[list[str]],
    red: Mapping[str, TestResult],
    order: Mapping[str, int],
    comparison: Comparison,
) -> dict[str, tuple[str, ...]]:
    """Representative of a group to the tests it took down; groups that are mere followers are emptied of them.

    In a suite whose first failure is a broken set-up, later errors of the set-up and skips that name an abort follow from it; so
    do tests that ran in the baseline and are skipped in a suite after its first failure. In any suite, a skip that names a failed
    test as what it depends on follows from that.
    """
    home = {test_id: group for group in groups for test_id in group}
    first: dict[str, str] = {}
    for test_id in sorted(red, key=order.__getitem__):
        first.setdefault(red[test_id].suite, test_id)
    skipped_now = {change.test_id for change in comparison.of("skipped")}
    down: defaultdict[str, list[str]] = defaultdict(list)
    named = _by_name(red)
    for result in run.results:
        if result.outcome == "skipped" and (cause := _depends_on(result, named)):
            down[home[cause][0]].append(result.test_id)
            continue
        head = first.get(result.suite)
        if head is None or not result.suite or order[head] >= order[result.test_id]:
            continue
        group = home[head]
        if result.outcome == "skipped":
            if result.test_id in skipped_now or _names(result.message, _ABORTED):
                down[group[0]].append(result.test_id)
        elif (
            result.outcome == red[head].outcome == "error"
            and home.get(result.test_id, group) is not group
            and _is_setup(red[head])
            and _is_setup(result)
        ):
            home[result.test_id].remove(result.test_id)
            home[result.test_id] = group
            down[group[0]].append(result.test_id)
    groups[:] = [group for group in groups if group]
    return {head: tuple(dict.fromkeys(found)) for head, found in down.items()}


def _by_name(red: Mapping[str, TestResult]) -> dict[str, str]:
    """Failed tests by the names under which a message may mean them; names that mean several are left out."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for test_id, result in red.items():
        for name in {test_id, result.name, f"{result.suite}.{result.name}"}:
            twice |= {name} & found.keys()
            found[name] = test_id
    return {name: test_id for name, test_id in found.items() if name not in twice}


def _depends_on(result: TestResult, named: Mapping[str, str]) -> str | None:
    """The failed test that a skip names as its reason."""
    if not _names(result.message, _ABORTED):
        return None
    return next((named[word] for word in _WORD.findall(result.message[:1_000]) if word in named), None)


def _is_setup(result: TestResult) -> bool:
    return _names(f"{result.message} {result.details[:500]} {result.name}", _SETUP)


def _names(text: str, words: Sequence[str]) -> bool:
    folded = text.casefold()
    return any(word in folded for word in words)


def _cause(
    group: Sequence[str],
    took_down: tuple[str, ...],
    red: Mapping[str, TestResult],
    said: Mapping[str, Signature],
    kinds: Mapping[str, Kind],
    history: History | None,
) -> Cause:
    def seriousness(test_id: str) -> int:
        return RED_KINDS.index(kinds.get(test_id, "failing"))

    head = min(group, key=seriousness)
    kind = kinds.get(head, "failing")
    result, mine = red[head], said[head]
    first, runs = _seen(history, {said[test_id].key for test_id in group} - {""})
    return Cause(
        id="",
        kind=kind,
        title=_title(result, mine),
        type=mine.type,
        signature=mine.key,
        tests=(head, *sorted((one for one in group if one != head), key=seriousness)),
        took_down=took_down,
        message=result.message,
        details=result.details[-SHOWN_DETAILS:],
        files=tuple(dict.fromkeys(frame.file for frame in frames(result.details))),
        first_seen=first,
        seen_runs=runs,
    )


def _title(result: TestResult, mine: Signature) -> str:
    said = telling(result.message, result.details)
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")
    if line:
        return line[:200].rstrip(" :") or line[:200]
    return mine.text[:200] if mine is not NOTHING else f"{result.name[:150]} {result.outcome} without a message"


def _seen(history: History | None, keys: set[str]) -> tuple[str, int]:
    """The first run that has one of these signatures, and in how many runs they are."""
    if history is None or not keys:
        return "", 1
    columns = {column for (_, column), said in history.signatures.items() if said.key in keys}
    return (history.runs[min(columns)].run_id, len(columns)) if columns else ("", 1)


def changed_tests(comparison: Comparison, cause: Cause) -> list[TestChange]:
    """The judgement of each test of a cause, the most serious first."""
    wanted = set(cause.tests)
    return [change for change in comparison.of(*RED_KINDS) if change.test_id in wanted]
