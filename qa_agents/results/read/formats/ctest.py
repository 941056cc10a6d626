"""CTest's Test.xml, as it is sent to CDash (https://cmake.org/cmake/help/latest/manual/ctest.1.html)."""

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import Reading, number_of
from qa_agents.results.read.xml import Part, child, children, content
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "failed": "failed",
    "timeout": "error",
    "notrun": "skipped",
    "disabled": "skipped",
}


def read_ctest(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every test, in order; one that timed out or crashed is an error."""
    for part in parts:
        if part.kind == "close" and part.tag == "StartTestTime":
            reading.saw_moment(number_of(content(part.element)))
        if part.kind != "whole" or part.tag != "Test":
            continue
        test = part.element
        measured = _measured(test)
        said = test.get("Status", "")
        outcome = _OUTCOMES.get(said.lower()) or reading.unknown_status(said)
        exit_code = measured.get("Exit Code", "")
        if outcome == "failed" and exit_code in (
            "Timeout",
            "SEGFAULT",
            "ILLEGAL",
            "INTERRUPT",
            "NUMERICAL",
            "OTHER_FAULT",
        ):
            outcome = "error"
        folder = content(child(test, "Path")).strip()
        output = _output(test, reading) if outcome != "passed" else ""
        yield reading.result(
            name=content(child(test, "Name")),
            suite="" if folder in (".", "") else folder.removeprefix("./"),
            outcome=outcome,
            seconds=reading.seconds(measured.get("Execution Time")),
            message=_message(outcome, exit_code, measured),
            details=output,
            tags=[content(one) for labels in children(test, "Labels") for one in labels],
            cut=part.cut,
        )


def _measured(test: Element) -> dict[str, str]:
    results = child(test, "Results")
    named = children(results, "NamedMeasurement") if results is not None else []
    return {one.get("name", ""): content(child(one, "Value")).strip() for one in named}


def _message(outcome: Outcome, exit_code: str, measured: Mapping[str, str]) -> str:
    if outcome in ("failed", "error"):
        value = measured.get("Exit Value", "")
        return f"{exit_code or 'Failed'}{f' with exit value {value}' if value else ''}"
    return measured.get("Completion Status", "") if outcome == "skipped" else ""


def _output(test: Element, reading: Reading) -> str:
    results = child(test, "Results")
    measurement = child(results, "Measurement") if results is not None else None
    value = child(measurement, "Value") if measurement is not None else None
    if value is not None and value.get("encoding"):
        reading.note("Output that is packed inside the file was not read.")
        return ""
    return content(value)


def _is_ctest(root: str, _attributes: Mapping[str, str]) -> bool:
    return root == "Site"


CTEST = XmlFormat("CTest XML", _is_ctest, read_ctest, whole=frozenset({"Test", "TestList"}))
