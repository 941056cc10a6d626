"""pytest-json-report (one document) and pytest-reportlog (one line a phase).

Formats: https://github.com/numirias/pytest-json-report and https://github.com/pytest-dev/pytest-reportlog.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from qa_agents.results.read.formats.shapes import JsonFormat, LinesFormat
from qa_agents.results.read.json_text import Row
from qa_agents.results.read.reading import Reading
from qa_agents.results.read.values import fields, is_cut, items, number, objects, text, whole, word
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {
    "passed": "passed",
    "xpassed": "passed",
    "failed": "failed",
    "error": "error",
    "skipped": "skipped",
    "xfailed": "skipped",
}
_PHASES = ("setup", "call", "teardown")


def read_json_report(document: Any, reading: Reading) -> Iterator[TestResult]:
    """Every test, in order, and every module that could not be collected. An expected failure is skipped."""
    reading.saw_moment(document.get("created"))
    for collector in objects(document.get("collectors")):
        if word(collector.get("outcome")) == "failed":
            yield _uncollected(text(collector.get("nodeid")), text(collector.get("longrepr")), reading)
    for test in objects(document.get("tests")):
        reading.check_time()
        phases = [fields(test.get(name)) for name in _PHASES]
        told = next((one for one in phases if word(one.get("outcome")) in ("failed", "error")), None)
        told = told or next((one for one in phases if one.get("longrepr")), {})
        known = [number(phase.get("duration")) for phase in phases]
        suite, name = _split(text(test.get("nodeid")))
        status = text(test.get("outcome"))
        outcome = _OUTCOMES.get(word(status)) or reading.unknown_status(status)
        yield reading.result(
            name=name,
            suite=suite,
            outcome=outcome,
            seconds=sum(seconds for seconds in known if seconds is not None) if any(phases) else None,
            message=text(fields(told.get("crash")).get("message")),
            details=text(told.get("longrepr")) if outcome != "passed" else "",
            file=text(test.get("nodeid")).partition("::")[0],
            line=whole(test.get("lineno")),
            tags=["xpassed"] if word(status) == "xpassed" else [],
            cut=is_cut(test),
        )


def read_reportlog(rows: Iterator[Row], reading: Reading) -> Iterator[TestResult]:
    """Every test, put together from its phases, in the order they began. A session that never finishes a test makes it broken."""
    tests: dict[str, list[dict[str, Any]]] = {}
    finished = False
    for row in rows:
        entry = fields(row.value)
        kind = entry.get("$report_type")
        if kind == "TestReport":
            tests.setdefault(text(entry.get("nodeid")), []).append(entry)
        elif kind == "CollectReport" and word(entry.get("outcome")) == "failed":
            yield _uncollected(text(entry.get("nodeid")), _told(entry)[1], reading)
        elif kind == "SessionFinish":
            finished = True
    if not finished:
        reading.note("The session's end is missing: it may have been stopped.")
    for nodeid, phases in tests.items():
        yield _logged(nodeid, phases, reading)


def _logged(nodeid: str, phases: list[dict[str, Any]], reading: Reading) -> TestResult:
    suite, name = _split(nodeid)
    attempts: list[Outcome] = []
    outcome: Outcome = "passed"
    told: dict[str, Any] = {}
    for phase in phases:
        said, when = word(phase.get("outcome")), text(phase.get("when"))
        if said == "rerun":
            attempts.append("failed")
            outcome, told = "passed", {}
        elif said == "failed":
            outcome, told = ("failed" if when == "call" else "error"), phase
        elif said == "skipped" and outcome == "passed":
            outcome, told = "skipped", phase
    message, details = _told(told)
    is_whole = any(text(phase.get("when")) == "teardown" for phase in phases)
    known = [number(phase.get("duration")) for phase in phases]
    return reading.result(
        name=name,
        suite=suite,
        outcome=outcome,
        seconds=sum(seconds for seconds in known if seconds is not None),
        message=message,
        details=details,
        file=nodeid.partition("::")[0],
        line=next(
            (whole(items(phase.get("location"))[1]) for phase in phases if len(items(phase.get("location"))) > 1), None
        ),
        attempts=(*attempts, outcome) if attempts else (),
        cut=not is_whole,
    )


def _told(phase: dict[str, Any]) -> tuple[str, str]:
    """Message and trace of a report; pytest writes them as text, as a list, or as a tree."""
    said = phase.get("longrepr")
    if isinstance(said, list):
        return text(said[-1]) if said else "", ""
    if isinstance(said, str):
        return "", said
    tree = fields(said)
    lines: list[str] = []
    for entry in objects(fields(tree.get("reprtraceback")).get("reprentries")):
        lines += [text(line) for line in items(fields(entry.get("data")).get("lines"))]
    return text(fields(tree.get("reprcrash")).get("message")), "\n".join(lines)


def _split(nodeid: str) -> tuple[str, str]:
    """Suite and name: parted at the last `::` outside of parameters."""
    before, bracket, parameters = nodeid.partition("[")
    suite, _, name = before.rpartition("::")
    return suite, name + bracket + parameters


def _uncollected(nodeid: str, details: str, reading: Reading) -> TestResult:
    return reading.result(
        name="(collection)",
        suite=nodeid,
        outcome="error",
        message=next((line for line in reversed(details.splitlines()) if line.startswith("E ")), ""),
        details=details,
        file=nodeid,
    )


def _is_report(document: Any) -> bool:
    is_document = isinstance(document, dict) and "exitcode" in document
    return is_document and ("tests" in document or "collectors" in document)


def _is_log(rows: Sequence[Any]) -> bool:
    return any("$report_type" in fields(row) for row in rows)


PYTEST_JSON_REPORT = JsonFormat("pytest-json-report", _is_report, read_json_report)
PYTEST_REPORTLOG = LinesFormat("pytest-reportlog", _is_log, read_reportlog)
