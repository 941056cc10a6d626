"""xUnit.net XML, version 2 and later (https://xunit.net/docs/format-xml-v2); Fixie writes it too."""

from collections.abc import Iterator, Mapping

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import Reading
from qa_agents.results.read.xml import Part, child, children, content
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {"pass": "passed", "fail": "failed", "skip": "skipped", "notrun": "skipped"}


def read_xunit(parts: Iterator[Part], reading: Reading) -> Iterator[TestResult]:
    """Every test, in order, and every error outside of tests (in a fixture's clean-up, say) as a result of its own."""
    for part in parts:
        if part.kind == "open" and part.tag == "assembly":
            reading.saw_moment(f"{part.element.get('run-date', '')} {part.element.get('run-time', '')}")
        elif part.kind == "whole" and part.tag == "error":
            failure = child(part.element, "failure")
            assembly = next((e.get("name", "") for e in part.above if e.get("name")), "")
            yield reading.result(
                name=f"({part.element.get('type') or 'error outside of tests'})",
                suite=part.element.get("name") or assembly,
                outcome="error",
                message=content(child(failure, "message")) if failure is not None else "",
                details=content(child(failure, "stack-trace")) if failure is not None else "",
            )
        elif part.kind == "whole" and part.tag == "test":
            yield _test(part, reading)


def _test(part: Part, reading: Reading) -> TestResult:
    test = part.element
    failure, reason = child(test, "failure"), child(test, "reason")
    said = test.get("result", "")
    outcome = _OUTCOMES.get(said.lower()) or ("failed" if failure is not None else reading.unknown_status(said))
    suite, name = test.get("type", ""), test.get("name", "")
    if not suite:
        suite = next((e.get("name", "") for e in reversed(part.above) if e.get("name")), "")
    traits = child(test, "traits")
    return reading.result(
        name=name.removeprefix(f"{suite}.") or test.get("method", ""),
        suite=suite,
        outcome=outcome,
        seconds=reading.seconds(test.get("time")),
        message=content(child(failure, "message")) if failure is not None else content(reason),
        details=content(child(failure, "stack-trace")) if failure is not None else "",
        file=test.get("source-file", ""),
        tags=[f"{t.get('name')}:{t.get('value')}" for t in (children(traits, "trait") if traits is not None else ())],
        cut=part.cut,
    )


def _is_xunit(root: str, _attributes: Mapping[str, str]) -> bool:
    return root in ("assemblies", "assembly")


XUNIT = XmlFormat("xUnit.net v2+ XML", _is_xunit, read_xunit, whole=frozenset({"test", "error"}))
