"""Cucumber's JSON report, as Cucumber for the JVM, Ruby and JavaScript, Karate, Behave and SpecFlow write it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from qa_agents.results.read.formats.shapes import JsonFormat
from qa_agents.results.read.reading import Reading
from qa_agents.results.read.values import fields, is_cut, items, objects, scaled, text, whole, word
from qa_agents.results.schema import Outcome, TestResult

_NANOSECOND = 1e-9
_BROKEN = ("undefined", "ambiguous", "pending", "untested", "error")
"""Statuses of steps that could not tell: the scenario counts as broken, as Cucumber's strict mode has it."""


def read_cucumber(document: Any, reading: Reading) -> Iterator[TestResult]:
    """Every scenario, in order. Steps of a background count for the scenario that follows.

    Scenarios of one name in a feature (an outline's examples) are told apart by a number; executions of the same one are not.
    """
    for feature in objects(document):
        elements = list(objects(feature.get("elements")))
        names = _numbered([e for e in elements if not _is_background(e)])
        background: list[dict[str, Any]] = []
        at = 0
        for element in elements:
            if _is_background(element):
                background = _steps(element)
                continue
            reading.check_time()
            yield _scenario(feature, element, names[at], background, reading)
            at += 1
            background = []


def _scenario(
    feature: dict[str, Any], element: dict[str, Any], name: str, background: list[dict[str, Any]], reading: Reading
) -> TestResult:
    steps = [*background, *_steps(element)]
    # Behave says seconds, everyone else nanoseconds.
    unit = 1.0 if "location" in feature and "uri" not in feature else _NANOSECOND
    results = [fields(step.get("result")) for step in steps]
    known = [scaled(result.get("duration"), unit) for result in results]
    outcome, worst = _outcome(results, reading)
    said = items(fields(worst).get("error_message")) or [text(fields(worst).get("error_message"))]
    message = "\n".join(text(one) for one in said)
    if worst is not None and not message:
        step = next(s for s in steps if fields(s.get("result")) is worst)
        message = f"{text(step.get('keyword')).strip()} {text(step.get('name'))}: {text(worst.get('status'))}".strip()
    reading.saw_moment(element.get("start_timestamp"))
    location = text(element.get("location"))
    return reading.result(
        name=name,
        suite=text(feature.get("name")) or text(feature.get("uri")),
        outcome=outcome,
        seconds=sum(seconds for seconds in known if seconds is not None) if any(known) else None,
        message=message.strip().split("\n")[0],
        details=message if outcome in ("failed", "error") else "",
        file=(text(feature.get("uri")) or location.partition(":")[0]).removeprefix("file:"),
        line=whole(element.get("line")),
        tags=[text(fields(tag).get("name")) or text(tag) for tag in items(element.get("tags"))],
        cut=is_cut(element) or is_cut(feature),
    )


def _outcome(results: list[dict[str, Any]], reading: Reading) -> tuple[Outcome, dict[str, Any] | None]:
    """The scenario's outcome, and the step result that decides it."""
    statuses = [word(result.get("status")) for result in results]
    for wanted, outcome in (("failed",), "failed"), (_BROKEN, "error"), (("skipped",), "skipped"):
        for status, result in zip(statuses, results, strict=True):
            if status in wanted:
                return outcome, result if outcome != "skipped" else None  # type: ignore[return-value]
    if not results:
        reading.note("A scenario has no steps: counted as skipped.")
        return "skipped", None
    odd = next((status for status in statuses if status != "passed"), None)
    return ("passed", None) if odd is None else (reading.unknown_status(odd), None)


def _steps(element: dict[str, Any]) -> list[dict[str, Any]]:
    """Hooks and steps, in the order they ran."""
    steps = list(objects(element.get("steps")))
    around = [hook for step in steps for name in ("before", "after") for hook in objects(step.get(name))]
    return [*objects(element.get("before")), *steps, *around, *objects(element.get("after"))]


def _numbered(scenarios: list[dict[str, Any]]) -> list[str]:
    """Names; where one name has several lines in the file, with the line's place among them."""
    lines: dict[str, list[int | None]] = {}
    for scenario in scenarios:
        known = lines.setdefault(text(scenario.get("name")), [])
        if whole(scenario.get("line")) not in known:
            known.append(whole(scenario.get("line")))
    many = Counter({name: len(known) for name, known in lines.items()})
    return [
        name if many[name] < 2 else f"{name} (example {lines[name].index(whole(scenario.get('line'))) + 1})"
        for scenario in scenarios
        for name in (text(scenario.get("name")),)
    ]


def _is_background(element: dict[str, Any]) -> bool:
    return word(element.get("type")) == "background" or word(element.get("keyword")) == "background"


def _is_cucumber(document: Any) -> bool:
    features = list(objects(document))
    return bool(features) and all("elements" in one and ("uri" in one or "keyword" in one) for one in features)


CUCUMBER = JsonFormat("Cucumber JSON", _is_cucumber, read_cucumber)
