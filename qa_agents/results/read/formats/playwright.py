"""Playwright's JSON reporter (https://playwright.dev/docs/test-reporters#json-reporter)."""

from collections.abc import Iterator
from typing import Any

from qa_agents.results.read.formats.shapes import JsonFormat
from qa_agents.results.read.reading import ITSELF, Reading
from qa_agents.results.read.values import fields, is_cut, objects, scaled, text, whole, word
from qa_agents.results.schema import Outcome, TestResult

_MILLISECOND = 1e-3
_TRIES: dict[str, Outcome] = {
    "passed": "passed",
    "failed": "failed",
    "timedout": "error",
    "interrupted": "error",
    "skipped": "skipped",
}


def read_playwright(document: Any, reading: Reading) -> Iterator[TestResult]:
    """Every test of every project, in order, its retries as attempts; errors outside of tests are results of their own."""
    reading.saw_moment(fields(document.get("stats")).get("startTime"))
    waiting: list[tuple[dict[str, Any], str]] = [(one, "") for one in reversed(list(objects(document.get("suites"))))]
    while waiting:
        suite, path = waiting.pop()
        for spec in objects(suite.get("specs")):
            for test in objects(spec.get("tests")):
                reading.check_time()
                yield _test(test, spec, path, reading)
        waiting += [
            (inner, f"{path} › {text(inner.get('title'))}".removeprefix(" › "))
            for inner in reversed(list(objects(suite.get("suites"))))
        ]
    for error in objects(document.get("errors")):
        yield reading.result(
            name=ITSELF, outcome="error", message=text(error.get("message")), details=text(error.get("stack"))
        )


def _test(test: dict[str, Any], spec: dict[str, Any], path: str, reading: Reading) -> TestResult:
    tries = list(objects(test.get("results")))
    attempts = [_TRIES.get(word(one.get("status"))) or reading.unknown_status(text(one.get("status"))) for one in tries]
    status = word(test.get("status"))
    if status == "skipped" or not tries:
        outcome: Outcome = "skipped"
    elif status in ("expected", "flaky"):
        outcome = "passed"  # a test that is expected to fail, and does, is right
    elif status == "unexpected":
        outcome = attempts[-1] if attempts[-1] in ("failed", "error") else "failed"
    else:
        outcome = reading.unknown_status(status)
    error = next((fields(one.get("error")) for one in reversed(tries) if one.get("error")), {})
    if not error:
        error = next((one for result in reversed(tries) for one in objects(result.get("errors"))), {})
    project = text(test.get("projectName"))
    title = f"{path} › {text(spec.get('title'))}".removeprefix(" › ")
    return reading.result(
        name=title + (f" [{project}]" if project else ""),
        suite=text(spec.get("file")),
        outcome=outcome,
        seconds=scaled(tries[-1].get("duration"), _MILLISECOND) if tries else None,
        message=text(error.get("message")),
        details=text(error.get("stack")) or text(error.get("message")),
        file=text(spec.get("file")),
        line=whole(spec.get("line")),
        attempts=(*attempts[:-1], outcome) if len(attempts) > 1 else (),
        tags=[text(one) for one in spec.get("tags") or () if isinstance(one, str)]
        + [f"{text(one.get('type'))}:{text(one.get('description'))}" for one in objects(test.get("annotations"))],
        cut=is_cut(test) or is_cut(spec),
    )


def _is_playwright(document: Any) -> bool:
    is_report = isinstance(document, dict) and "config" in document and isinstance(document.get("suites"), list)
    return is_report and not isinstance(document.get("tests"), list)


PLAYWRIGHT = JsonFormat("Playwright JSON", _is_playwright, read_playwright)
