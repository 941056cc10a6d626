"""`go test -json` (https://pkg.go.dev/cmd/test2json)."""

from collections.abc import Iterator, Sequence
from typing import Any

from qa_agents.results.read.formats.shapes import LinesFormat
from qa_agents.results.read.json_text import Row
from qa_agents.results.read.reading import ITSELF, Reading
from qa_agents.results.read.values import fields, number, text
from qa_agents.results.schema import Outcome, TestResult

_ACTIONS: dict[str, Outcome] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
_MAX_OUTPUT = 40_000
_ALL = frozenset(
    {"start", "run", "pause", "cont", "pass", "bench", "fail", "output", "skip", "build-output", "build-fail", "attr"}
)


def read_go(rows: Iterator[Row], reading: Reading) -> Iterator[TestResult]:
    """Every test, in the order they ended. One that never ended is broken; so is a package that failed without a failed test."""
    output: dict[tuple[str, str], list[str]] = {}
    sizes: dict[tuple[str, str], int] = {}
    running: dict[tuple[str, str], None] = {}
    red: set[str] = set()
    for row in rows:
        event = fields(row.value)
        package, test = text(event.get("Package")), text(event.get("Test"))
        action, key = text(event.get("Action")), (package, test)
        reading.saw_moment(event.get("Time"))
        if action in ("output", "build-output"):
            said = text(event.get("Output"))
            if sizes.get(key, 0) < _MAX_OUTPUT:
                output.setdefault(key, []).append(said)
                sizes[key] = sizes.get(key, 0) + len(said)
        elif action == "run" and test:
            running[key] = None
        elif action in _ACTIONS and test:
            running.pop(key, None)
            result = _test(key, _ACTIONS[action], number(event.get("Elapsed")), "".join(output.pop(key, [])), reading)
            red |= {package} if result.is_red else set()
            yield result
        elif action in ("fail", "build-fail") and not test and package not in red and not _runs(running, package):
            red.add(package)
            said = "".join(output.pop(key, []))
            message = "The package failed outside of its tests (it may not build)."
            yield reading.result(name=ITSELF, suite=package, outcome="error", message=message, details=said)
    for package, test in running:
        said = "".join(output.pop((package, test), []))
        yield reading.result(
            name=test, suite=package, outcome="error", message="The test began and never ended.", details=said
        )


def _runs(running: dict[tuple[str, str], None], package: str) -> bool:
    return any(one == package for one, _test in running)


def _test(key: tuple[str, str], outcome: Outcome, seconds: float | None, output: str, reading: Reading) -> TestResult:
    package, test = key
    said = [line for line in output.splitlines() if not line.strip().startswith(("=== ", "--- "))]
    told = outcome != "passed"
    return reading.result(
        name=test,
        suite=package,
        outcome=outcome,
        seconds=seconds,
        message=next((line.strip() for line in said if line.strip()), "") if told else "",
        details=output if outcome == "failed" else "",
    )


def _is_go(rows: Sequence[Any]) -> bool:
    events = [fields(row) for row in rows]
    known = [event for event in events if event.get("Action") in _ALL]
    return bool(known) and any("Package" in event or "ImportPath" in event for event in known)


GO_TEST = LinesFormat("go test JSON lines", _is_go, read_go)
