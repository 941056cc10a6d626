"""Robot Framework's output.xml (https://robotframework.org/robotframework/latest/RobotFrameworkUserGuide.html#output-file)."""

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import Reading, moment_of, whole_of
from qa_agents.results.read.xml import Part, child, children, content, local
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped", "NOT RUN": "skipped"}


def read_robot(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every test, in order; its suite is the path of suites it stands in."""
    for part in parts:
        if part.tag == "robot" and part.kind == "open":
            reading.saw_moment(part.element.get("generated") or part.element.get("generationtime"))
        if part.kind != "whole" or part.tag != "test":
            continue
        test = part.element
        status = child(test, "status")
        said = status.get("status", "") if status is not None else ""
        if status is None and part.cut:
            outcome: Outcome = "passed"  # `cut` makes it an error
        else:
            outcome = _OUTCOMES.get(said.upper()) or reading.unknown_status(said)
        suites = [e for e in part.above if local(e) == "suite"]
        tags = child(test, "tags")
        yield reading.result(
            name=test.get("name", ""),
            suite=".".join(e.get("name", "") for e in suites),
            outcome=outcome,
            seconds=_seconds(status, reading),
            message=content(status),
            file=next((e.get("source", "") for e in reversed(suites) if e.get("source")), ""),
            line=whole_of(test.get("line")),
            tags=[content(one) for one in (*children(test, "tag"), *(tags if tags is not None else ()))],
            cut=part.cut,
        )


def _seconds(status: Element | None, reading: Reading) -> float | None:
    if status is None:
        return None
    if status.get("elapsed"):
        return reading.seconds(status.get("elapsed"))
    start, end = moment_of(status.get("starttime")), moment_of(status.get("endtime"))
    return max(0.0, (end - start).total_seconds()) if start and end else None


def _is_robot(root: str, _attributes: Mapping[str, str]) -> bool:
    return root == "robot"


ROBOT = XmlFormat("Robot Framework XML", _is_robot, read_robot, whole=frozenset({"test"}))
