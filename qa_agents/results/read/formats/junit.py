"""JUnit XML as Ant, Surefire, pytest, Gradle, Jest, Go, Cypress, Playwright, GoogleTest and many others write it.

There is no standard; the common ground is https://github.com/testmoapp/junitxml, Surefire's reruns are those of its XSD
(https://maven.apache.org/surefire/maven-surefire-plugin/xsd/surefire-test-report.xsd).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import ITSELF, Reading, whole_of
from qa_agents.results.read.xml import Part, child, children, content, local
from qa_agents.results.schema import RED, Outcome, TestResult

_STATUS: dict[str, Outcome] = {
    "disabled": "skipped",
    "notrun": "skipped",
    "skipped": "skipped",
    "ignored": "skipped",
    "suppressed": "skipped",
    "failed": "failed",
    "failure": "failed",
    "errored": "error",
    "error": "error",
    "broken": "error",
}
"""Words of `status` and `result` attributes that say more than the child elements do."""


@dataclass(slots=True)
class _Suite:
    """What is counted about a suite, to hold it against what the suite says of itself."""

    element: Element
    tests: int = 0
    red: int = 0


def read_junit(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every test case, in order. A suite that reports an error of its own, and has no red test, is one more result."""
    suites: list[_Suite] = []
    is_playwright = False
    for part in parts:
        if part.tag == "testsuites":
            is_playwright = is_playwright or {"id", "name", "tests", "skipped"} <= set(part.element.attrib)
        if part.tag == "testsuite":
            reading.saw_moment(part.element.get("timestamp"))
            if part.kind == "open":
                suites.append(_Suite(part.element))
            elif suites:
                yield from _leave(suites, reading, is_cut=part.cut)
        elif part.kind == "whole" and part.tag == "testcase":
            result = _case(part, reading, is_playwright)
            for suite in suites:
                suite.tests += 1
                suite.red += result.is_red or any(outcome in RED for outcome in result.attempts)
            yield result
        elif part.kind == "close" and part.tag in ("error", "failure") and suites and not suites[-1].red:
            suites[-1].red += 1
            yield _broken_suite(part, reading)


def _case(part: Part, reading: Reading, is_playwright: bool) -> TestResult:
    case, suite = part.element, _suite_of(part)
    red = child(case, "failure")
    outcome: Outcome = "passed"
    if red is not None:
        outcome = "failed"
    elif (red := child(case, "error")) is not None:
        outcome = "error"
    elif child(case, "skipped") is not None or child(case, "disabled") is not None:
        outcome = "skipped"
    else:
        outcome = _STATUS.get(case.get("result", "").lower()) or _STATUS.get(case.get("status", "").lower(), "passed")
    if len(children(case, "failure", "error")) > 1:
        reading.tally(
            "One test reports several failures; the first is kept.",
            "{n} tests report several failures; the first is kept.",
        )
    told = red if red is not None else child(case, "skipped")
    project = ""
    if is_playwright and suite is not None and suite.get("name") == case.get("classname"):
        project = suite.get(
            "hostname", ""
        )  # where Playwright puts the browser project: without it the names are not unique
    time = case.get("time") or content(child(case, "time"))
    return reading.result(
        name=case.get("name", "") + (f" [{project}]" if project else ""),
        suite=case.get("classname") or case.get("class") or _named(part),
        outcome=outcome,
        seconds=reading.seconds(time),
        message=_message(told),
        details=_details(case, told) if outcome in ("failed", "error") else "",
        file=case.get("file") or (suite.get("file") if suite is not None else None) or "",
        line=whole_of(case.get("line")),
        attempts=_attempts(case, outcome),
        tags=_properties(case),
        cut=part.cut,
    )


def _suite_of(part: Part) -> Element | None:
    return next((element for element in reversed(part.above) if local(element) == "testsuite"), None)


def _named(part: Part) -> str:
    named = (element.get("name", "") for element in reversed(part.above) if local(element) == "testsuite")
    return next((name for name in named if name), "")


def _message(told: Element | None) -> str:
    if told is None:
        return ""
    kind, said = told.get("type", ""), told.get("message", "")
    return said or (kind if not content(told).strip() and local(told) != "skipped" else "") or content(told)[:2_000]


def _details(case: Element, told: Element | None) -> str:
    nested = "" if told is None else content(told) or content(child(told, "stackTrace"))
    if nested.strip():
        return nested
    outputs = (content(child(case, name)) for name in ("system-err", "system-out"))
    return next((output for output in outputs if output.strip()), "")


def _attempts(case: Element, outcome: Outcome) -> tuple[Outcome, ...]:
    """Surefire: flaky… are failed tries of a test that passed at last, rerun… further failed tries of one that never did."""
    earlier: list[Outcome] = [
        "error" if local(one).endswith("Error") else "failed" for one in children(case, "flakyFailure", "flakyError")
    ]
    if earlier:
        return (*earlier, outcome)
    again = [one for holder in (case, *children(case, "failure", "error")) for one in holder]
    reruns: list[Outcome] = [
        "error" if local(one).endswith("Error") else "failed"
        for one in again
        if local(one) in ("rerunFailure", "rerunError")
    ]
    return (outcome, *reruns) if reruns else ()


def _properties(case: Element) -> Iterator[str]:
    holder = child(case, "properties")
    for one in children(holder, "property") if holder is not None else ():
        value = one.get("value") or content(one)
        if one.get("name"):
            yield f"{one.get('name')}:{value}" if value else str(one.get("name"))


def _broken_suite(part: Part, reading: Reading) -> TestResult:
    return reading.result(
        name=ITSELF,
        suite=_named(part),
        outcome="error",
        message=_message(part.element),
        details=content(part.element),
    )


def _leave(suites: list[_Suite], reading: Reading, *, is_cut: bool) -> Iterator[TestResult]:
    """Hold the suite against its own numbers; one that says it is red and shows nothing red is one more result."""
    suite = suites.pop()
    declared = whole_of(suite.element.get("tests"))
    red = sum(whole_of(suite.element.get(name)) or 0 for name in ("failures", "errors"))
    name = suite.element.get("name", "")
    if declared is not None and declared != suite.tests and not is_cut:
        reading.note(f'The suite "{name}" declares {declared:,} test{"s" * (declared != 1)} and holds {suite.tests:,}.')
    if red > 0 and not suite.red and not is_cut:
        said = f"The suite declares {red:,} failures and errors, and shows none."
        result = reading.result(name=ITSELF, suite=name, outcome="error", message=said)
        for outer in suites:
            outer.red += 1
        yield result


def _is_junit(root: str, _attributes: object) -> bool:
    return root.rpartition("}")[2] in ("testsuites", "testsuite", "testcase")


JUNIT = XmlFormat("JUnit XML", _is_junit, read_junit, whole=frozenset({"testcase"}))
