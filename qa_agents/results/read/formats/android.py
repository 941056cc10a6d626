"""test_result.xml of Android's compatibility suites: CTS, VTS, GTS (https://source.android.com/docs/compatibility/cts)."""

from collections.abc import Iterator, Mapping

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import Reading, number_of
from qa_agents.results.read.xml import Part, child, content, local
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {
    "pass": "passed",
    "warning": "passed",
    "fail": "failed",
    "ignored": "skipped",
    "assumption_failure": "skipped",
    "not_executed": "skipped",
    "skipped": "skipped",
}


def read_android(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every test, in order; its suite is module and class, as modules repeat classes."""
    for part in parts:
        if part.tag == "Result" and part.kind == "open":
            reading.saw_moment(number_of(part.element.get("start")))
        elif part.tag == "Module" and part.kind == "open" and part.element.get("done") == "false":
            reading.note(f"The module {part.element.get('name', '')} was not finished.")
        elif part.kind == "whole" and part.tag == "Test":
            test = part.element
            failure = child(test, "Failure")
            said = test.get("result", "")
            outcome = _OUTCOMES.get(said.lower()) or ("failed" if failure is not None else reading.unknown_status(said))
            yield reading.result(
                name=test.get("name", ""),
                suite=" ".join(e.get("name", "") for e in part.above if local(e) in ("Module", "TestCase")),
                outcome="skipped" if test.get("skipped") == "true" else outcome,
                message=failure.get("message", "") if failure is not None else "",
                details=content(child(failure, "StackTrace")) if failure is not None else "",
                cut=part.cut,
            )


def _is_android(root: str, attributes: Mapping[str, str]) -> bool:
    return root == "Result" and "suite_name" in attributes


ANDROID = XmlFormat("Android CTS XML", _is_android, read_android, whole=frozenset({"Test"}))
