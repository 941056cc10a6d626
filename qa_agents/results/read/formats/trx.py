"""TRX of Visual Studio and `dotnet test` (the schema vstst.xsd of Visual Studio)."""

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import ITSELF, Reading
from qa_agents.results.read.xml import Part, child, children, content, local
from qa_agents.results.schema import Outcome, TestResult

_RESULTS = frozenset(
    {"UnitTestResult", "TestResult", "TestResultAggregation", "ManualTestResult", "WebTestResult", "GenericTestResult"}
)
_OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "passedbutrunaborted": "passed",
    "warning": "passed",
    "completed": "passed",
    "failed": "failed",
    "error": "error",
    "timeout": "error",
    "aborted": "error",
    "disconnected": "error",
    "notexecuted": "skipped",
    "notrunnable": "skipped",
    "inconclusive": "skipped",
    "pending": "skipped",
    "inprogress": "skipped",
}
_DURATION = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def read_trx(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every result, in order; of a data-driven one its rows. A run that failed outside of tests is one more result."""
    found: list[tuple[Element, bool]] = []
    classes: dict[str, str] = {}
    said: list[str] = []
    verdict = ""
    for part in parts:
        if part.tag == "Times" and part.kind == "open":
            reading.saw_moment(part.element.get("start") or part.element.get("creation"))
        elif part.kind == "whole" and part.tag in _RESULTS:
            found += [(row, part.cut) for row in _rows(part.element)]
        elif part.kind == "whole" and part.tag == "UnitTest":
            method = child(part.element, "TestMethod")
            if method is not None:
                classes[part.element.get("id", "")] = method.get("className", "").partition(",")[0]
        elif part.kind == "whole" and part.tag == "RunInfo" and part.element.get("outcome") in ("Error", "Failed"):
            said.append(content(child(part.element, "Text")))
        elif part.kind == "close" and part.tag == "ResultSummary":
            verdict = part.element.get("outcome", "")
    red = False
    for element, is_cut in found:  # the classes stand behind the results
        result = _result(element, classes.get(element.get("testId", ""), ""), reading, is_cut=is_cut)
        red = red or result.is_red
        yield result
    if not red and (said or verdict in ("Failed", "Error", "Aborted", "Timeout")):
        message = next((text for text in said if text.strip()), f"The run says {verdict}, and shows no failed test.")
        yield reading.result(name=ITSELF, outcome="error", message=message, details="\n".join(said))


def _rows(element: Element) -> Iterator[Element]:
    inner = child(element, "InnerResults")
    rows = [one for one in inner if local(one) in _RESULTS] if inner is not None else []
    if not rows:
        yield element
    for row in rows:
        yield from _rows(row)


def _result(element: Element, class_name: str, reading: Reading, *, is_cut: bool) -> TestResult:
    output = child(element, "Output")
    info = child(output, "ErrorInfo") if output is not None else None
    status = element.get("outcome", "")
    outcome = _OUTCOMES.get(status.lower()) or ("failed" if info is not None else reading.unknown_status(status))
    details = content(child(info, "StackTrace")) if info is not None else ""
    if outcome in ("failed", "error") and not details and output is not None:
        details = content(child(output, "StdErr")) or content(child(output, "StdOut"))
    name = element.get("testName", "")
    if class_name:
        name = name.removeprefix(f"{class_name}.")
    else:
        before, bracket, parameters = name.partition("(")
        class_name, _, short = before.rpartition(".")
        name = short + bracket + parameters
    reading.saw_moment(element.get("startTime"))
    return reading.result(
        name=name,
        suite=class_name,
        outcome=outcome,
        seconds=_seconds(element.get("duration"), reading),
        message=content(child(info, "Message")) if info is not None else "",
        details=details,
        tags=[one.get("TestCategory", "") for one in children(element, "TestCategoryItem")],
        cut=is_cut,
    )


def _seconds(text: str | None, reading: Reading) -> float | None:
    if not text:
        return None
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return reading.seconds(text)
    days, hours, minutes, seconds = found.groups()
    return int((days or "0")[:6]) * 86_400 + int(hours[:6]) * 3_600 + int(minutes) * 60 + float(seconds[:20])


def _is_trx(root: str, _attributes: Mapping[str, str]) -> bool:
    return root.rpartition("}")[2] == "TestRun"


TRX = XmlFormat("TRX", _is_trx, read_trx, whole=_RESULTS | {"UnitTest", "RunInfo"})
