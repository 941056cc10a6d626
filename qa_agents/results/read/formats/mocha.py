"""Mocha's JSON reporter (https://mochajs.org/#json), and Mochawesome's, which Cypress projects use."""

from collections.abc import Iterator
from typing import Any

from qa_agents.results.read.formats.shapes import JsonFormat
from qa_agents.results.read.reading import Reading, tries
from qa_agents.results.read.values import fields, is_cut, objects, scaled, text, whole, word
from qa_agents.results.schema import Outcome, TestResult

_MILLISECOND = 1e-3


def read_mocha(document: Any, reading: Reading) -> Iterator[TestResult]:
    """Every test, in order; which are pending is said by a second list."""
    pending = {text(one.get("fullTitle")) for one in objects(document.get("pending"))}
    reading.saw_moment(fields(document.get("stats")).get("start"))
    for test in objects(document.get("tests")):
        reading.check_time()
        error = fields(test.get("err"))
        title, full = text(test.get("title")), text(test.get("fullTitle"))
        outcome: Outcome = "failed" if error else "skipped" if full in pending else "passed"
        yield reading.result(
            name=title,
            suite=full.removesuffix(title).strip(),
            outcome=outcome,
            seconds=scaled(test.get("duration"), _MILLISECOND),
            message=text(error.get("message")),
            details=text(error.get("stack")),
            file=text(test.get("file")),
            attempts=tries(outcome, whole(test.get("currentRetry"))),
            cut=is_cut(test),
        )


def read_mochawesome(document: Any, reading: Reading) -> Iterator[TestResult]:
    """Every test of every nested suite, in order."""
    reading.saw_moment(fields(document.get("stats")).get("start"))
    waiting = [(one, "") for one in reversed(list(objects(document.get("results"))))]
    while waiting:
        suite, file = waiting.pop()
        file = text(suite.get("file")) or file
        for test in objects(suite.get("tests")):
            reading.check_time()
            error = fields(test.get("err"))
            title, full = text(test.get("title")), text(test.get("fullTitle"))
            state = word(test.get("state"))
            outcome: Outcome
            if test.get("fail") is True or state == "failed":
                outcome = "failed"
            elif test.get("pending") is True or test.get("skipped") is True or state in ("pending", "skipped"):
                outcome = "skipped"
            elif test.get("pass") is True or state == "passed":
                outcome = "passed"
            else:
                outcome = reading.unknown_status(state)
            yield reading.result(
                name=title,
                suite=full.removesuffix(title).strip(),
                outcome=outcome,
                seconds=scaled(test.get("duration"), _MILLISECOND),
                message=text(error.get("message")),
                details=text(error.get("estack")) or text(error.get("stack")),
                file=file,
                cut=is_cut(test),
            )
        waiting += [(one, file) for one in reversed(list(objects(suite.get("suites"))))]


def _is_mocha(document: Any) -> bool:
    return isinstance(document, dict) and "stats" in document and isinstance(document.get("tests"), list)


def _is_mochawesome(document: Any) -> bool:
    is_report = isinstance(document, dict) and "stats" in document
    return is_report and any("suites" in one for one in objects(document.get("results")))


MOCHA = JsonFormat("Mocha JSON", _is_mocha, read_mocha)
MOCHAWESOME = JsonFormat("Mochawesome JSON", _is_mochawesome, read_mochawesome)
