"""Cases that say the same: among the drafted ones by their key, against those a team has already by words and numbers."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.plans.schema import TestCase
from qa_agents.plans.wording import REFUSAL, cut, normal, numbers

ALIKE = 92.0
"""Token-set similarity, 0 to 100, from which a drafted case is taken for one the team has."""
SHORTEST = 3
"""Words; a shorter text says too little to be called the same."""
MOST_BYTES, MOST_EXISTING = 50_000_000, 100_000
_TITLES = ("title", "summary", "name", "test case", "scenario", "case", "test summary")
_STEPS = (
    "steps",
    "step",
    "action",
    "test step",
    "test script",
    "steps (step)",
    "custom_steps",
    "preconditions",
    "data",
    "test data",
)
_EXPECTED = (
    "expected",
    "expected result",
    "expected results",
    "expected_result",
    "result",
    "steps (expected result)",
    "custom_expected",
)
_IDS = ("id", "key", "case id", "test id", "test case id", "issue key", "external id")


@dataclass(frozen=True, slots=True)
class Existing:
    """A case the team has already, as far as its file tells."""

    id: str
    title: str
    steps: str
    expected: str


def drop_duplicates(cases: Sequence[TestCase], existing: Sequence[Existing] = ()) -> tuple[list[TestCase], list[str]]:
    """The cases that say something of their own, in order, and one sentence for each that was dropped.

    Two drafted cases are the same when requirement, polarity, inputs and expected result are; a drafted and an existing one when
    polarity and numbers agree and the words of both title and outcome do. Cases that a person wrote or changed always stay.
    """
    kept: list[TestCase] = []
    dropped: list[str] = []
    seen: dict[tuple[object, ...], str] = {}
    known = [_Known.of(one) for one in existing]
    for case in cases:
        if case.origin != "drafted":
            kept.append(case)
            seen.setdefault(key_of(case), case.id)
            continue
        twin = seen.get(key_of(case))
        if twin is not None:
            dropped.append(f"{case.id} ({cut(case.title, 70)}): says the same as {twin}.")
            continue
        match = _match(case, known)
        if match is not None:
            dropped.append(
                f"{case.id} ({cut(case.title, 70)}): the team has it already as {match.id} ({cut(match.title, 70)})."
            )
            continue
        seen[key_of(case)] = case.id
        kept.append(case)
    return kept, dropped


def key_of(case: TestCase) -> tuple[object, ...]:
    """Requirements, polarity, what is done with which data, and the normalised outcomes."""
    return (
        tuple(sorted(case.requirement_ids)),
        "negative" if case.polarity == "negative" else "valid",
        tuple(normal(one) for one in case.preconditions),
        tuple((normal(step.action), normal(step.data), normal(step.expected)) for step in case.steps),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    case: Existing
    title: str
    whole: str
    numbers: frozenset[str]
    negative: bool

    @classmethod
    def of(cls, case: Existing) -> "_Known":
        whole = normal(f"{case.title} {case.steps} {case.expected}")
        return cls(
            case,
            normal(case.title),
            whole,
            frozenset(numbers(whole)),
            bool(REFUSAL.search(f"{case.title} {case.expected}")),
        )


def _match(case: TestCase, known: Sequence[_Known]) -> Existing | None:
    if not known:
        return None
    steps = " ".join(f"{step.action} {step.data} {step.expected}" for step in case.steps)
    title, outcome = normal(case.title), normal(case.steps[-1].expected)
    found = frozenset(numbers(f"{title} {steps}"))
    negative = bool(REFUSAL.search(f"{title} {outcome}"))
    for one in known:
        if one.negative != negative or not found <= one.numbers:
            continue
        if len(one.title.split()) < SHORTEST:
            continue
        same_title = fuzz.token_sort_ratio(title, one.title) >= ALIKE
        told = fuzz.token_set_ratio(outcome, one.whole) >= ALIKE and fuzz.token_set_ratio(title, one.whole) >= ALIKE
        if same_title or told:
            return one.case
    return None


def read_existing(path: Path) -> list[Existing]:
    """The cases of a CSV, JSON or feature file. Raises NotFoundError or InvalidInputError, naming the file."""
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.", hint="Give a CSV, JSON or feature file of test cases.")
    if path.stat().st_size > MOST_BYTES:
        raise InvalidInputError(f"{path.name} is larger than {MOST_BYTES // 1_000_000} MB.", hint="Split it.")
    return parse_existing(path.name, path.read_bytes())


def parse_existing(name: str, content: bytes) -> list[Existing]:
    """The cases of a file's bytes; its name's extension, then its content, tell the format."""
    text = content.decode("utf-8-sig", "replace").replace("\x00", "")
    extension = Path(name).suffix.lower()
    if extension == ".feature":
        found = _from_gherkin(name, text)
    elif extension == ".json" or text.lstrip()[:1] in ("{", "["):
        found = _from_json(name, text)
    else:
        found = _from_csv(name, text)
    return found[:MOST_EXISTING]


def _from_csv(name: str, text: str) -> list[Existing]:
    try:
        dialect: Any = csv.Sniffer().sniff(text[:20_000], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(10_000_000)
    try:
        rows = [dict(row) for row in csv.DictReader(io.StringIO(text), dialect=dialect)]
    except csv.Error as error:
        raise InvalidInputError(
            f"{name} cannot be read as CSV: {error}.", hint="Export it again, comma-separated."
        ) from None
    found = [_from_row(row, place) for place, row in enumerate(rows, 1)]
    if rows and not any(one.title for one in found):
        raise InvalidInputError(
            f"{name} has no column for titles.", hint=f"Name it {', '.join(_TITLES[:3])} or {_TITLES[3]}."
        )
    return _folded(found)


def _from_row(row: Mapping[Any, Any], place: int) -> Existing:
    values = {normal(str(key)): _flat(value) for key, value in row.items() if key is not None}
    return Existing(
        id=_pick(values, _IDS) or f"row {place}",
        title=_pick(values, _TITLES),
        steps=" ".join(values[key] for key in _STEPS if values.get(key)),
        expected=_pick(values, _EXPECTED),
    )


def _folded(rows: Iterable[Existing]) -> list[Existing]:
    """Rows without a title carry on the case above them: one row a step."""
    found: list[Existing] = []
    for row in rows:
        if row.title or not found:
            found.append(row)
        else:
            last = found[-1]
            found[-1] = Existing(last.id, last.title, f"{last.steps} {row.steps}", f"{last.expected} {row.expected}")
    return [one for one in found if one.title]


def _pick(values: Mapping[str, str], names: Sequence[str]) -> str:
    return next((values[name] for name in names if values.get(name)), "")


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(_flat(one) for one in value.values())
    if isinstance(value, list):
        return " ".join(_flat(one) for one in value)
    return "" if value is None else str(value)


def _from_json(name: str, text: str) -> list[Existing]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{name} is not JSON: {str(error)[:120]}.", hint="Export it again.") from None
    found: list[Existing] = []
    _collect(data, found, 0)
    if not found:
        raise InvalidInputError(
            f"{name} holds no test cases.", hint="A case needs a title, summary or name, and steps."
        )
    return found


def _collect(value: Any, found: list[Existing], depth: int) -> None:
    """Every object with a title and steps or an outcome, wherever it stands."""
    if depth > 12 or len(found) >= MOST_EXISTING:
        return
    if isinstance(value, list):
        for one in value:
            _collect(one, found, depth + 1)
    elif isinstance(value, Mapping):
        keys = {normal(str(key)) for key in value}
        if keys & set(_TITLES) and keys & {*_STEPS, *_EXPECTED}:
            row = _from_row(value, len(found) + 1)
            found += [row] if row.title else []
            return
        for one in value.values():
            _collect(one, found, depth + 1)


def _from_gherkin(name: str, text: str) -> list[Existing]:
    from gherkin.errors import CompositeParserException, ParserError
    from gherkin.parser import Parser

    try:
        document: Any = Parser().parse(text)
    except (CompositeParserException, ParserError) as error:
        raise InvalidInputError(
            f"{name} is no feature file: {str(error)[:120]}.", hint="Check it with a Gherkin linter."
        ) from None
    found: list[Existing] = []
    _scenarios((document.get("feature") or {}).get("children", []), found)
    return found


def _scenarios(children: Sequence[Any], found: list[Existing]) -> None:
    for child in children:
        if rule := child.get("rule"):
            _scenarios(rule.get("children", []), found)
        elif scenario := child.get("scenario"):
            steps, expected, outcome = list[str](), list[str](), False
            for step in scenario.get("steps", []):
                kind = step.get("keywordType", "")
                outcome = kind == "Outcome" or (outcome and kind == "Conjunction")
                (expected if outcome else steps).append(step["text"])
            found.append(
                Existing(
                    f"line {scenario['location']['line']}",
                    scenario.get("name", ""),
                    " ".join(steps),
                    " ".join(expected),
                )
            )
