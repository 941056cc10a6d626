"""Failures put together into causes: the same words, nearly the same words, or one broken set-up that takes others down."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz import fuzz

from qa_agents.results.compare import RED_KINDS, Comparison, Kind, TestChange
from qa_agents.results.history import History
from qa_agents.results.related import Related
from qa_agents.results.schema import Run, TestResult
from qa_agents.results.signature import NOTHING, Signature, frames, signature_of, telling
from qa_agents.results.suspects import Suspect

NEAR = 88.0
"""Likeness of two normalised texts, 0 to 100, from which on they are one cause."""
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
    """Failing tests, the representative first."""
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


def cluster(run: Run, comparison: Comparison, history: History | None = None) -> list[Cause]:
    """The causes of a run's failures, the most serious and then the largest first.

    Failures without any words are put together only within one suite. Pure.
    """
    red = {result.test_id: result for result in reversed(run.results) if result.is_red}
    kinds = {change.test_id: change.kind for change in comparison.of(*RED_KINDS)}
    said = {test_id: signature_of(result) for test_id, result in red.items()}
    groups = _near(_alike(red, said), said)
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


def _near(groups: list[list[str]], said: Mapping[str, Signature]) -> list[list[str]]:
    """Groups joined where their texts are nearly the same and their types do not contradict."""
    worded = [group for group in groups if len(said[group[0]].text) >= MIN_CHARS]
    rest = [group for group in groups if len(said[group[0]].text) < MIN_CHARS]
    worded.sort(key=len, reverse=True)
    joined: list[list[str]] = []
    heads: list[Signature] = []
    for group in worded:
        mine = said[group[0]]
        place = next((at for at, head in enumerate(heads[:MAX_COMPARED]) if _same_cause(mine, head)), None)
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


def _taken_down(
    run: Run,
    groups: list[list[str]],
    red: Mapping[str, TestResult],
    order: Mapping[str, int],
    comparison: Comparison,
) -> dict[str, tuple[str, ...]]:
    """Representative of a group to the tests it took down; groups that are mere followers are emptied of them.

    In a suite whose first failure is a broken set-up, later errors of the set-up and skips that name an abort follow from it; so
    do tests that ran in the baseline and are skipped in a suite after its first failure.
    """
    home = {test_id: group for group in groups for test_id in group}
    first: dict[str, str] = {}
    for test_id in sorted(red, key=order.__getitem__):
        first.setdefault(red[test_id].suite, test_id)
    skipped_now = {change.test_id for change in comparison.of("skipped")}
    down: defaultdict[str, list[str]] = defaultdict(list)
    for result in run.results:
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
    kind = min((kinds.get(test_id, "failing") for test_id in group), key=RED_KINDS.index)
    head = next(test_id for test_id in group if kinds.get(test_id, "failing") == kind)
    result, mine = red[head], said[head]
    first, runs = _seen(history, {said[test_id].key for test_id in group} - {""})
    return Cause(
        id="",
        kind=kind,
        title=_title(result, mine),
        type=mine.type,
        signature=mine.key,
        tests=(head, *(test_id for test_id in group if test_id != head)),
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
        return line[:200]
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
