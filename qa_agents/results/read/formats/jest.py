"""Jest's JSON output (`jest --json`), which Vitest's json reporter follows."""

from collections.abc import Iterator
from typing import Any

from qa_agents.results.read.formats.shapes import JsonFormat
from qa_agents.results.read.reading import ITSELF, Reading, tries
from qa_agents.results.read.values import fields, is_cut, items, objects, scaled, text, whole, word
from qa_agents.results.schema import Outcome, TestResult

_MILLISECOND = 1e-3
_OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "failed": "failed",
    "pending": "skipped",
    "skipped": "skipped",
    "todo": "skipped",
    "disabled": "skipped",
    "focused": "passed",
}


def read_jest(document: Any, reading: Reading) -> Iterator[TestResult]:
    """Every assertion, in order; a file that failed without one (it could not be loaded, say) is a result of its own."""
    reading.saw_moment(document.get("startTime"))
    for file in objects(document.get("testResults")):
        red = False
        for test in objects(file.get("assertionResults")):
            reading.check_time()
            status = text(test.get("status"))
            messages = [text(one) for one in items(test.get("failureMessages"))]
            outcome = _OUTCOMES.get(word(status)) or reading.unknown_status(status)
            red = red or outcome == "failed"
            yield reading.result(
                name=text(test.get("title")) or text(test.get("fullName")),
                suite=" ".join(text(one) for one in items(test.get("ancestorTitles"))) or text(file.get("name")),
                outcome=outcome,
                seconds=scaled(test.get("duration"), _MILLISECOND),
                details="\n\n".join(messages),
                file=text(file.get("name")),
                line=whole(fields(test.get("location")).get("line")),
                attempts=tries(outcome, (whole(test.get("invocations")) or 1) - 1),
                cut=is_cut(test),
            )
        if word(file.get("status")) == "failed" and not red:
            yield reading.result(
                name=ITSELF, suite=text(file.get("name")), outcome="error", details=text(file.get("message"))
            )


def _is_jest(document: Any) -> bool:
    return isinstance(document, dict) and any("assertionResults" in one for one in objects(document.get("testResults")))


JEST = JsonFormat("Jest JSON", _is_jest, read_jest)
