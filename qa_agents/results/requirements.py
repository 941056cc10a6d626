"""Which requirements a run proves, and which are unproven now, by the ids that tests carry.

A test belongs to a requirement when one of its tags is the requirement's id or the id of one of its cases (alone, or after a word
and a colon or equals sign: `case:TC-1f…`, `req=FR-12`), or when its name holds such an id in the form that plans give
(`TC-…`, `REQ-…`; with `_` for `-` in names of functions).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from qa_agents.results.compare import Comparison
from qa_agents.results.schema import Run, TestResult

_IN_NAME = re.compile(r"(?<![a-z0-9])(tc|req)[-_]([0-9a-f]{6,16})(?![0-9a-f])", re.IGNORECASE)
_IN_TAG = re.compile(r"^@?(?:[\w .-]{1,40}[:=]\s*)?@?(.{1,120})$")


class Planned(BaseModel):
    """A requirement of a plan, and the ids by which tests may name it."""

    model_config = ConfigDict(frozen=True)

    plan: str
    requirement_id: str
    text: str
    ids: tuple[str, ...]
    """Its own ids and those of its cases."""


class Unproven(BaseModel):
    """A requirement that tests of this run should prove, and do not."""

    model_config = ConfigDict(frozen=True)

    plan: str
    requirement_id: str
    text: str
    tests: tuple[str, ...]
    """The tests that failed or did not run."""
    why: str


class Proof(BaseModel):
    """How far the run proves the plans."""

    model_config = ConfigDict(frozen=True)

    planned: int = 0
    proven: int = 0
    """Requirements of which at least one test passed and none failed."""
    unproven: tuple[Unproven, ...] = ()
    untested: int = 0
    """Requirements that no test of the run names."""


def prove(planned: Sequence[Planned], run: Run, comparison: Comparison) -> Proof:
    """Hold the requirements of plans against a run. Flaking tests prove nothing either: they failed."""
    if not planned:
        return Proof()
    by_id: defaultdict[str, list[Planned]] = defaultdict(list)
    for one in planned:
        for name in one.ids:
            by_id[_key(name)].append(one)
    tests: defaultdict[tuple[str, str], list[TestResult]] = defaultdict(list)
    for result in run.results:
        named = {(one.plan, one.requirement_id) for key in _ids(result) for one in by_id.get(key, ())}
        for key in named:
            tests[key].append(result)
    gone: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for change in comparison.of("missing"):
        for key in {(one.plan, one.requirement_id) for name in _in_name(change.test_id) for one in by_id.get(name, ())}:
            gone[key].append(change.test_id)
    unproven, proven, untested = [], 0, 0
    for one in planned:
        place = one.plan, one.requirement_id
        mine, lost = tests.get(place, []), gone.get(place, [])
        red = [result.test_id for result in mine if result.is_red]
        idle = [result.test_id for result in mine if result.outcome == "skipped"]
        if mine and not red and len(idle) < len(mine):
            proven += 1
        elif not mine and not lost:
            untested += 1
        else:
            unproven.append(_unproven(one, red, idle, lost))
    return Proof(planned=len(planned), proven=proven, unproven=tuple(unproven), untested=untested)


def of_tests(proof: Proof, tests: Iterable[str]) -> tuple[str, ...]:
    """The unproven requirements that wait for any of these tests, in order."""
    wanted = set(tests)
    return tuple(dict.fromkeys(one.requirement_id for one in proof.unproven if wanted.intersection(one.tests)))


def _unproven(one: Planned, red: list[str], idle: list[str], lost: list[str]) -> Unproven:
    said = [
        f"{len(found)} {'test' if len(found) == 1 else 'tests'} {words}"
        for found, words in ((red, "failed"), (idle, "skipped"), (lost, "missing"))
        if found
    ]
    return Unproven(
        plan=one.plan,
        requirement_id=one.requirement_id,
        text=one.text,
        tests=tuple(red + idle + lost),
        why=f"{', '.join(said)}.",
    )


def _ids(result: TestResult) -> set[str]:
    tagged = {_key(match[1]) for tag in result.tags if (match := _IN_TAG.match(tag.strip()))}
    return tagged | _in_name(result.test_id)


def _in_name(name: str) -> set[str]:
    return {f"{kind}-{rest}".casefold() for kind, rest in _IN_NAME.findall(name)}


def _key(name: str) -> str:
    return name.strip().casefold()
