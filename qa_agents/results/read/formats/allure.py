"""Allure results: version 2 (one JSON file a test), version 1 (XML or JSON, one file a suite), and the files beside them.

Formats: https://allurereport.org/docs/how-it-works-test-result-file/ and allure-model 1.4's XSD.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from qa_agents.results.read.formats.shapes import JsonFormat, XmlFormat
from qa_agents.results.read.reading import Attempt, Item, Reading, number_of
from qa_agents.results.read.values import fields, is_cut, number, objects, text, word
from qa_agents.results.read.xml import Part, child, children, content
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "failed": "failed",
    "broken": "error",
    "skipped": "skipped",
    "canceled": "skipped",
    "pending": "skipped",
}
_SUITE_LABELS = ("testClass", "suite", "subSuite", "parentSuite", "feature", "package")
_TAG_LABELS = ("tag", "epic", "feature", "story", "severity", "AS_ID", "issue", "tms", "testId")
_SIDE_FILES = {
    "Allure container JSON": lambda d: isinstance(d, dict) and "children" in d and "status" not in d,
    "Allure history.json": lambda d: (
        isinstance(d, dict) and bool(d) and all("statistic" in fields(v) for v in d.values())
    ),
    "Allure trend": lambda d: _all(d, {"data"}) or _all(d, {"statistic", "buildOrder"}),
    "Allure categories.json": lambda d: _all(d, {"name", "matchedStatuses"}),
    "Allure executor.json": lambda d: isinstance(d, dict) and {"buildOrder", "buildName"} <= set(d),
    "Allure launch.json": lambda d: isinstance(d, dict) and set(d) == {"name"},
}


def read_allure2(document: Any, reading: Reading) -> Iterator[Item]:
    """The one test of a result file; tries of the same `historyId` in other files are joined by the runner."""
    result = fields(document)
    details = fields(result.get("statusDetails"))
    labels = {text(one.get("name")): text(one.get("value")) for one in objects(result.get("labels"))}
    links = [f"{text(one.get('type')) or 'link'}:{text(one.get('name'))}" for one in objects(result.get("links"))]
    parameters = [
        f"{text(one.get('name'))}={text(one.get('value'))}"
        for one in objects(result.get("parameters"))
        if one.get("excluded") is not True and one.get("mode") not in ("hidden", "masked")
    ]
    suite = next((labels[name] for name in _SUITE_LABELS if labels.get(name)), "")
    full, name = text(result.get("fullName")), text(result.get("name"))
    if not suite and full:
        suite = full.removesuffix(f".{name}").removesuffix(f"#{name}") if full != name else ""
    start, stop = number(result.get("start")), number(result.get("stop"))
    reading.saw_moment(result.get("start"))
    status = text(result.get("status"))
    tags = [f"{name}:{labels[name]}" for name in _TAG_LABELS if labels.get(name)]
    tags += [] if details.get("flaky") is not True else ["flaky"]
    test = reading.result(
        name=(name or full) + (f" [{', '.join(parameters)}]" if parameters else ""),
        suite=suite,
        outcome=_OUTCOMES.get(word(status)) or reading.unknown_status(status),
        seconds=(stop - start) / 1000 if start is not None and stop is not None and stop >= start else None,
        message=text(details.get("message")),
        details=text(details.get("trace")),
        tags=[*tags, *links],
        cut=is_cut(result),
    )
    identity = text(result.get("historyId"))
    yield Attempt(test, f"allure:{identity}", start or 0.0) if identity else test


def read_allure1(document: Any, reading: Reading) -> Iterator[TestResult]:
    """Every test case of a suite in JSON."""
    suite = fields(document)
    for case in objects(suite.get("testCases")):
        failure = fields(case.get("failure"))
        start, stop = number(case.get("start")), number(case.get("stop"))
        reading.saw_moment(case.get("start"))
        yield _case1(
            reading,
            name=text(case.get("name")) or text(case.get("title")),
            suite=text(suite.get("name")),
            status=text(case.get("status")),
            span=(start, stop),
            message=text(failure.get("message")),
            trace=text(failure.get("stackTrace")),
            labels=[(text(one.get("name")), text(one.get("value"))) for one in objects(case.get("labels"))],
            cut=is_cut(case),
        )


def read_allure1_xml(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every test case of a suite in XML."""
    suite = ""
    for part in parts:
        if part.kind == "close" and part.tag == "name" and len(part.above) == 1:
            suite = content(part.element)
        if part.kind != "whole" or part.tag != "test-case":
            continue
        case = part.element
        failure, labels = child(case, "failure"), child(case, "labels")
        start, stop = number_of(case.get("start")), number_of(case.get("stop"))
        reading.saw_moment(start)
        yield _case1(
            reading,
            name=content(child(case, "name")) or content(child(case, "title")),
            suite=suite,
            status=case.get("status", ""),
            span=(start, stop),
            message=content(child(failure, "message")) if failure is not None else "",
            trace=content(child(failure, "stack-trace")) if failure is not None else "",
            labels=[
                (one.get("name", ""), one.get("value", ""))
                for one in (children(labels, "label") if labels is not None else ())
            ],
            cut=part.cut,
        )


def _case1(
    reading: Reading,
    *,
    name: str,
    suite: str,
    status: str,
    span: tuple[float | None, float | None],
    message: str,
    trace: str,
    labels: list[tuple[str, str]],
    cut: bool,
) -> TestResult:
    start, stop = span
    return reading.result(
        name=name,
        suite=suite,
        outcome=_OUTCOMES.get(word(status)) or ("failed" if message or trace else reading.unknown_status(status)),
        seconds=(stop - start) / 1000 if start is not None and stop is not None and stop >= start else None,
        message=message,
        details=trace,
        tags=[f"{name}:{value}" for name, value in labels if name in _TAG_LABELS and value],
        cut=cut,
    )


def _all(document: Any, keys: set[str]) -> bool:
    return isinstance(document, list) and bool(document) and all(keys <= set(fields(one)) for one in document)


def _is_result(document: Any) -> bool:
    known = {"status", "statusDetails", "steps", "fullName", "historyId", "labels", "parameters", "stage", "uuid"}
    if not isinstance(document, dict) or "children" in document:
        return False
    return isinstance(document.get("name"), str) and bool(known & set(document))


def _is_suite(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("testCases"), list)


def _is_suite_xml(root: str, _attributes: Mapping[str, str]) -> bool:
    return root.startswith("{urn:model.allure") and root.endswith("}test-suite")


def _no_tests(_document: Any, reading: Reading) -> Iterator[Item]:
    reading.note("It stands beside Allure results and holds no test of its own.")
    yield from ()


def _is_environment(root: str, _attributes: Mapping[str, str]) -> bool:
    return root.startswith("{urn:model.") and root.endswith("}environment")


ALLURE_2 = JsonFormat("Allure result JSON", _is_result, read_allure2)
ALLURE_1 = JsonFormat("Allure 1 JSON", _is_suite, read_allure1)
ALLURE_1_XML = XmlFormat("Allure 1 XML", _is_suite_xml, read_allure1_xml, whole=frozenset({"test-case"}))
ALLURE_ENVIRONMENT = XmlFormat("Allure environment.xml", _is_environment, _no_tests)
ALLURE_SIDE_FILES = tuple(JsonFormat(flavour, known, _no_tests) for flavour, known in _SIDE_FILES.items())
