"""The JSON reporter of `dart test` and `flutter test` (https://github.com/dart-lang/test/blob/master/pkgs/test/doc/json_reporter.md)."""

from collections.abc import Iterator, Sequence
from typing import Any

from qa_agents.results.read.formats.shapes import LinesFormat
from qa_agents.results.read.json_text import Row
from qa_agents.results.read.reading import Reading
from qa_agents.results.read.values import fields, number, text, whole
from qa_agents.results.schema import Outcome, TestResult

_RESULTS: dict[str, Outcome] = {"success": "passed", "failure": "failed", "error": "error"}


def read_dart(rows: Iterator[Row], reading: Reading) -> Iterator[TestResult]:
    """Every test that is not hidden, in the order they ended; one that never ended is broken."""
    suites: dict[Any, str] = {}
    begun: dict[Any, tuple[dict[str, Any], float | None]] = {}
    errors: dict[Any, list[dict[str, Any]]] = {}
    finished = False
    for row in rows:
        event = fields(row.value)
        kind = event.get("type")
        if kind == "suite":
            suite = fields(event.get("suite"))
            suites[whole(suite.get("id"))] = text(suite.get("path"))
        elif kind == "testStart":
            test = fields(event.get("test"))
            begun[whole(test.get("id"))] = test, number(event.get("time"))
        elif kind == "error":
            errors.setdefault(whole(event.get("testID")), []).append(event)
        elif kind == "testDone":
            known = begun.pop(whole(event.get("testID")), None)
            if known is not None and event.get("hidden") is not True:
                yield _test(*known, event, suites, errors.get(whole(event.get("testID")), []), reading)
        elif kind == "done":
            finished = True
    if not finished:
        reading.note("The end of the run is missing: it may have been stopped.")
    for key, (test, _at) in begun.items():
        said = "The test began and never ended."
        first = next((text(one.get("error")) for one in errors.get(key, [])), said)
        yield reading.result(
            name=text(test.get("name")),
            suite=suites.get(whole(test.get("suiteID")), ""),
            outcome="error",
            message=first,
        )


def _test(
    test: dict[str, Any],
    begun: float | None,
    done: dict[str, Any],
    suites: dict[Any, str],
    errors: list[dict[str, Any]],
    reading: Reading,
) -> TestResult:
    said = text(done.get("result"))
    outcome = _RESULTS.get(said) or reading.unknown_status(said)
    if done.get("skipped") is True:
        outcome = "skipped"
    ended = number(done.get("time"))
    metadata = fields(test.get("metadata"))
    return reading.result(
        name=text(test.get("name")),
        suite=suites.get(whole(test.get("suiteID")), ""),
        outcome=outcome,
        seconds=(ended - begun) / 1000 if ended is not None and begun is not None and ended >= begun else None,
        message=text(errors[0].get("error")) if errors else text(metadata.get("skipReason")),
        details="\n".join(f"{text(one.get('error'))}\n{text(one.get('stackTrace'))}" for one in errors),
        file=text(test.get("root_url")) or text(test.get("url")),
        line=whole(test.get("root_line")) or whole(test.get("line")),
    )


def _is_dart(rows: Sequence[Any]) -> bool:
    return any(
        {"protocolVersion", "runnerVersion"} & set(fields(row)) and fields(row).get("type") == "start" for row in rows
    )


DART = LinesFormat("Dart/Flutter test JSON lines", _is_dart, read_dart)
