"""Bazel's build event protocol as JSON lines (https://bazel.build/remote/bep)."""

from collections.abc import Iterator, Sequence
from typing import Any

from qa_agents.results.read.formats.shapes import LinesFormat
from qa_agents.results.read.json_text import Row
from qa_agents.results.read.reading import Reading
from qa_agents.results.read.values import fields, number, objects, scaled, text, whole
from qa_agents.results.schema import Outcome, TestResult

_OUTCOMES: dict[str, Outcome] = {
    "PASSED": "passed",
    "FLAKY": "passed",
    "FAILED": "failed",
    "TIMEOUT": "error",
    "INCOMPLETE": "error",
    "REMOTE_FAILURE": "error",
    "FAILED_TO_BUILD": "error",
    "TOOL_HALTED_BEFORE_TESTING": "error",
    "NO_STATUS": "skipped",
}


def read_bazel(rows: Iterator[Row], reading: Reading) -> Iterator[TestResult]:
    """Every test target (each run and shard), its attempts joined, in order; a target that did not build is broken.

    The single tests of a target stand in its test.xml.
    """
    targets: dict[tuple[str, int, int], list[dict[str, Any]]] = {}
    unbuilt: dict[str, str] = {}
    finished = False
    for row in rows:
        event = fields(row.value)
        identity = fields(event.get("id"))
        about = fields(identity.get("testResult"))
        if about:
            key = text(about.get("label")), whole(about.get("run")) or 1, whole(about.get("shard")) or 1
            targets.setdefault(key, []).append(fields(event.get("testResult")))
        elif "targetCompleted" in identity and fields(event.get("completed")).get("success") is not True:
            label = text(fields(identity.get("targetCompleted")).get("label"))
            details = fields(fields(event.get("completed")).get("failureDetail"))
            unbuilt[label] = text(details.get("message")) or "The target was not built."
        elif "buildFinished" in identity:
            finished = True
            reading.saw_moment(number(fields(event.get("finished")).get("finishTimeMillis")))
        elif "started" in identity:
            reading.saw_moment(number(fields(event.get("started")).get("startTimeMillis")))
    if not finished:
        reading.note("The build's end is missing: it may have been stopped.")
    tested = {label for label, _run, _shard in targets}
    for label, said in unbuilt.items():
        if label not in tested:
            yield reading.result(name=label, outcome="error", message=said)
    for (label, run, shard), tries in targets.items():
        attempts = [_outcome(one, reading) for one in tries]
        last = tries[-1]
        more = [f"run {run}"] * (run > 1) + [f"shard {shard}"] * (shard > 1)
        yield reading.result(
            name=label + (f" [{', '.join(more)}]" if more else ""),
            outcome=attempts[-1],
            seconds=_seconds(last),
            message=text(last.get("statusDetails")),
            attempts=attempts if len(attempts) > 1 else (),
            tags=[f"log:{text(one.get('uri'))}" for one in objects(last.get("testActionOutput"))]
            if attempts[-1] != "passed"
            else (),
        )


def _outcome(result: dict[str, Any], reading: Reading) -> Outcome:
    status = text(result.get("status"))
    return _OUTCOMES.get(status) or reading.unknown_status(status)


def _seconds(result: dict[str, Any]) -> float | None:
    known = scaled(result.get("testAttemptDurationMillis"), 1e-3)
    return known if known is not None else number(text(result.get("testAttemptDuration")))


def _is_bazel(rows: Sequence[Any]) -> bool:
    events = [fields(row) for row in rows]
    return any({"started", "buildFinished", "testResult"} & set(fields(event.get("id"))) for event in events)


BAZEL = LinesFormat("Bazel build event JSON lines", _is_bazel, read_bazel)
