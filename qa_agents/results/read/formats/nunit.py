"""NUnit 2 and NUnit 3 XML (https://docs.nunit.org/articles/nunit/technical-notes/usage/Test-Result-XML-Format.html)."""

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import ITSELF, Reading
from qa_agents.results.read.xml import Part, child, content, local
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "success": "passed",
    "warning": "passed",
    "failed": "failed",
    "failure": "failed",
    "error": "error",
    "cancelled": "error",
    "skipped": "skipped",
    "ignored": "skipped",
    "explicit": "skipped",
    "inconclusive": "skipped",
    "notrunnable": "skipped",
}


def read_nunit(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every test case, in order. A run that says it failed, and shows no red test, is one more result."""
    red = 0
    for part in parts:
        if part.kind == "open":
            reading.saw_moment(part.element.get("start-time"))
            if part.element.get("date"):
                reading.saw_moment(f"{part.element.get('date')} {part.element.get('time', '00:00:00')}")
        elif part.kind == "whole" and part.tag == "test-case":
            result = _case(part, reading)
            red += result.is_red
            yield result
        elif part.kind == "close" and part.tag == "test-run" and not red and part.element.get("result") == "Failed":
            said = "The run says that it failed, and shows no failed test."
            yield reading.result(name=ITSELF, outcome="error", message=said)


def _case(part: Part, reading: Reading) -> TestResult:
    case = part.element
    told = child(case, "failure")
    outcome = _outcome(case, told is not None, reading)
    if told is None:
        told = child(case, "reason") if outcome == "skipped" else child(case, "assertions")
    suite, name = _identity(part)
    properties = child(case, "properties")
    return reading.result(
        name=name,
        suite=suite,
        outcome=outcome,
        seconds=reading.seconds(case.get("duration") or case.get("time")),
        message=content(child(told, "message")) if told is not None else "",
        details=content(child(told, "stack-trace")) if told is not None else "",
        tags=[
            f"{one.get('name')}:{one.get('value')}"
            for one in (properties if properties is not None else ())
            if one.get("name") and not str(one.get("name")).startswith("_")
        ],
        cut=part.cut,
    )


def _outcome(case: Element, has_failure: bool, reading: Reading) -> Outcome:
    said = case.get("result", "")
    if not said:  # NUnit before 2.5 says it in two words
        if case.get("executed", "").lower() == "false":
            return "skipped"
        if has_failure or case.get("success", "").lower() == "false":
            return "failed"
        success = case.get("success", "True")
        return "passed" if success.lower() == "true" else reading.unknown_status(success)
    if said == "Failed" and case.get("label") in ("Error", "Cancelled"):
        return "error"
    known = _OUTCOMES.get(said.lower())
    return known or ("failed" if has_failure else reading.unknown_status(said))


def _identity(part: Part) -> tuple[str, str]:
    """Class and name: NUnit 3 says them apart, NUnit 2 in one name whose parameters may hold dots."""
    case = part.element
    full, name = case.get("fullname", ""), case.get("name", "")
    suite = next((e.get("classname", "") for e in reversed(part.above) if e.get("classname")), "")
    if full.endswith(f".{name}") and name:
        return full[: -len(name) - 1], name
    if case.get("classname") or suite:
        return case.get("classname") or suite, name or full
    before, bracket, parameters = name.partition("(")
    suite, dot, short = before.rpartition(".")
    if dot and short:
        return suite, short + bracket + parameters
    named = (e.get("name", "") for e in reversed(part.above) if local(e) == "test-suite")
    return next((one for one in named if one), ""), name


def _is_nunit3(root: str, attributes: Mapping[str, str]) -> bool:
    return root == "test-run" or (root == "test-suite" and not {"executed", "success"} & set(attributes))


def _is_nunit2(root: str, attributes: Mapping[str, str]) -> bool:
    return root == "test-results" or (root == "test-suite" and not _is_nunit3(root, attributes))


NUNIT_3 = XmlFormat("NUnit 3 XML", _is_nunit3, read_nunit, whole=frozenset({"test-case"}))
NUNIT_2 = XmlFormat("NUnit 2 XML", _is_nunit2, read_nunit, whole=frozenset({"test-case"}))
