"""junitResult.xml, in which Jenkins keeps the test results of a build."""

from collections.abc import Iterator, Mapping

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import Reading
from qa_agents.results.read.xml import Part, child, content
from qa_agents.results.schema import Outcome, TestResult


def read_jenkins(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every case, in order. Jenkins does not keep failures and errors apart: both are failed."""
    for part in parts:
        if part.kind == "close" and part.tag == "timestamp":
            reading.saw_moment(content(part.element))
        if part.kind != "whole" or part.tag != "case":
            continue
        case = part.element
        trace, told = content(child(case, "errorStackTrace")), content(child(case, "errorDetails"))
        is_red = child(case, "errorStackTrace") is not None or child(case, "errorDetails") is not None
        outcome: Outcome = "failed" if is_red else "passed"
        if content(child(case, "skipped")).strip() == "true":
            outcome = "skipped"
        yield reading.result(
            name=content(child(case, "testName")),
            suite=content(child(case, "className")),
            outcome=outcome,
            seconds=reading.seconds(content(child(case, "duration"))),
            message=told or content(child(case, "skippedMessage")),
            details=trace,
            cut=part.cut,
        )


def _is_jenkins(root: str, _attributes: Mapping[str, str]) -> bool:
    return root == "result"


JENKINS = XmlFormat("Jenkins junitResult XML", _is_jenkins, read_jenkins, whole=frozenset({"case"}))
