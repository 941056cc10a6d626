"""Judged outputs of AI systems, one JSON object a line (or one list of them).

A row names its case (`case_id`, `id`, `case`, `name`) and at least one score: `scores` {measure: number or yes/no}, or `score`,
`passed`, `correct`. Optional: `latency_ms` (or `latency_s`, `latency`, `duration_ms`), `output`, `label`, `expected`, `groups`
{attribute: value}, `at`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from qa_agents.results.read.formats.shapes import JsonFormat, LinesFormat
from qa_agents.results.read.json_text import Row
from qa_agents.results.read.reading import Reading, moment_of, number_of
from qa_agents.results.read.values import fields, is_cut, number, objects, text
from qa_agents.results.schema import ScoredOutput

_CASES = ("case_id", "id", "case", "name")
_SINGLE = ("score", "passed", "correct", "pass")
_OUTPUTS = ("output", "answer", "completion", "response")
_LABELS = ("label", "prediction", "predicted")
_EXPECTED = ("expected", "reference", "target", "ideal")
_GROUPS = ("groups", "group", "slices")
_MOMENTS = ("at", "time", "timestamp", "created")
_LATENCIES = (
    ("latency_ms", 1.0),
    ("duration_ms", 1.0),
    ("latency_s", 1000.0),
    ("latency", 1000.0),
    ("duration_s", 1000.0),
)
_MAX_SCORES = 200


def read_evals(rows: Iterator[Row], reading: Reading) -> Iterator[ScoredOutput]:
    """Every row that has a score, in order; others are counted in the notes."""
    return _read(((row.line, row.value) for row in rows), reading)


def read_eval_list(document: Any, reading: Reading) -> Iterator[ScoredOutput]:
    """The same of a list."""
    return _read(enumerate(objects(document), start=1), reading)


def _read(rows: Iterable[tuple[int, Any]], reading: Reading) -> Iterator[ScoredOutput]:
    for line, value in rows:
        row = fields(value)
        scores = _scores(row, reading)
        if not scores or is_cut(row):
            reading.tally(f"Row {line:,} has no score and was left out.", "{n} rows have no score and were left out.")
            continue
        at = next((moment for name in _MOMENTS if (moment := moment_of(row.get(name)))), None)
        reading.saw_moment(at.isoformat() if at else None)
        case = reading.name(_first(row, _CASES))
        if not case:
            reading.tally(
                f"Row {line:,} names no case; its line number stands for it.",
                "{n} rows name no case; their line numbers stand for them.",
            )
        output = next((row[name] for name in _OUTPUTS if name in row), "")
        yield ScoredOutput(
            case_id=case or f"row {line}",
            scores=scores,
            latency_ms=next(
                (found * unit for name, unit in _LATENCIES if (found := number(row.get(name))) is not None), None
            ),
            output=reading.text(text(output), reading.limits.details_chars),
            label=_optional(row, _LABELS, reading),
            expected=_optional(row, _EXPECTED, reading),
            groups=_groups(row, reading),
            at=at,
        )


def _scores(row: dict[str, Any], reading: Reading) -> dict[str, float]:
    """Each score as a finite number, yes and no as 1 and 0."""
    given: dict[str, Any] = {name: row[name] for name in _SINGLE if name in row} | fields(row.get("scores"))
    scores: dict[str, float] = {}
    for name, value in list(given.items())[:_MAX_SCORES]:
        score = float(value) if isinstance(value, bool) else number_of(value)
        clean_name = reading.line(name, 200)
        if score is None:
            reading.tally("One score is no number and was left out.", "{n} scores are no numbers and were left out.")
        elif clean_name:
            scores[clean_name] = score
    return scores


def _groups(row: dict[str, Any], reading: Reading) -> dict[str, str]:
    given: Any = next((row[name] for name in _GROUPS if name in row), {})
    named = given if isinstance(given, dict) else {"group": given}
    return {
        reading.line(name, 200): reading.line("yes" if value is True else "no" if value is False else text(value), 200)
        for name, value in list(named.items())[:_MAX_SCORES]
        if value is not None and not isinstance(value, dict | list)
    }


def _optional(row: dict[str, Any], names: Sequence[str], reading: Reading) -> str | None:
    value = next((row[name] for name in names if row.get(name) is not None), None)
    if value is None or isinstance(value, dict | list):
        return None
    return reading.text(str(value) if isinstance(value, bool) else text(value), reading.limits.message_chars)


def _first(row: dict[str, Any], names: Sequence[str]) -> str:
    return next((said for name in names if (said := text(row.get(name)))), "")


def _has_score(row: Any) -> bool:
    given = fields(row)
    if isinstance(given.get("scores"), dict):
        return True
    return any(name in given and isinstance(given[name], bool | int | float) for name in _SINGLE)


def _is_evals(rows: Sequence[Any]) -> bool:
    return any(_has_score(row) for row in rows)


def _is_list(document: Any) -> bool:
    return isinstance(document, list) and _is_evals(document[:20])


EVALS = LinesFormat("eval JSON lines", _is_evals, read_evals)
EVAL_LIST = JsonFormat("eval JSON", _is_list, read_eval_list)
