"""TAP, versions 12 to 14 (https://testanything.org/tap-version-14-specification.html), as loosely as it is written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from qa_agents.results.read.formats.shapes import TextFormat
from qa_agents.results.read.reading import ITSELF, Reading
from qa_agents.results.schema import Outcome, TestResult

_TEST = re.compile(r"(not )?ok\b(?:[ \t]+(\d{1,9})(?=\s|$))?[ \t]*(?:-(?:[ \t]+|$))?(.*)", re.IGNORECASE)
_PLAN = re.compile(r"1\.\.(\d{1,9})[ \t]*(?:#[ \t]*(.*))?$")
_BAIL = re.compile(r"Bail out!\s*(.*)", re.IGNORECASE)
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(skip|todo)\w*[:\s]*(.*)$", re.IGNORECASE)
_TIME = re.compile(r"(?<!\\)#\s*time=([\d.]+)(ms|s)\s*", re.IGNORECASE)
_LINE = re.compile(r"[ \t]*(?:TAP version \d+|1\.\.\d+[ \t]*(?:#|$)|(?:not )?ok\b|Bail out!)")
_SIGN = re.compile(
    r"^[ \t]*(?:TAP version \d+|1\.\.\d+[ \t]*(?:#.*)?\r?$|ok[ \t]+\d+\b(?!.*\d\.\d+s$)|not ok\b)", re.MULTILINE
)
"""What only TAP has; a bare `ok` is in many logs."""
_MAX_DETAIL_LINES = 400


@dataclass(slots=True)
class _Test:
    number: int
    outcome: Outcome
    description: str
    message: str = ""
    seconds: float | None = None
    tags: tuple[str, ...] = ()
    details: list[str] = field(default_factory=list)
    line: int | None = None
    file: str = ""


def read_tap(text: str, reading: Reading) -> Iterator[TestResult]:
    """Every test at the left margin; of a subtest the line that sums it up, its own lines are details.

    A stream that is indented as a whole is read as if it were not. `not ok` with TODO is skipped, with SKIP too. Fewer tests than
    planned, and a bail-out, are one more, broken result.
    """
    lines = _unindented(text.splitlines(), reading)
    planned: int | None = None
    skipped_all: str | None = None
    plans = found = 0
    bail: str | None = None
    current: _Test | None = None
    before: list[str] = []  # lines of a subtest stand before the line that sums it up
    in_yaml = False
    comments: list[str] = []
    for at, line in enumerate(lines):
        if not at % 5_000:
            reading.check_time()
        bare = line.strip()
        is_margin = line[:1] not in (" ", "\t")
        if in_yaml:
            if current is not None and len(current.details) < _MAX_DETAIL_LINES:
                _yaml(current, line)
            in_yaml = bare != "..."
            continue
        if bare == "---" and current is not None:
            in_yaml = True
        elif is_margin and (plan := _PLAN.match(bare)):
            plans += 1
            planned = int(plan[1])
            if planned == 0:
                skipped_all = re.sub(r"(?i)^skip\w*[:\s]*", "", plan[2] or "") or "every test is skipped"
        elif is_margin and (test := _TEST.match(bare)):
            if current is not None:
                yield _finished(current, comments, reading)
            found += 1
            current, comments = _test(test, found, before), []
            before = []
        elif is_margin and (bailed := _BAIL.match(bare)):
            bail = bailed[1]
        elif not is_margin and len(before) < _MAX_DETAIL_LINES:
            before.append(line)
        elif bare.startswith("#"):
            comments.append(bare[1:].strip())
    if current is not None:
        yield _finished(current, comments, reading)
    if in_yaml:
        reading.damage = "It ends inside a block of details."
    if plans > 1:
        reading.note(f"It states {plans} plans; the last one was taken.")
    if plans == 0:
        reading.note("It states no plan, so that a missing test would not be noticed.")
    if skipped_all is not None and not found:
        reading.note(f"It skips every test: {skipped_all}.")
    said = ""
    if planned is not None and found < planned:
        said = f"{planned:,} tests were planned and {found:,} reported: {planned - found:,} did not."
        reading.note(said)
    if bail is not None:
        yield reading.result(name="(bail out)", outcome="error", message=f"Bail out! {bail}".strip())
    elif said:
        yield reading.result(name=ITSELF, outcome="error", message=said)
    elif planned is not None and found > planned:
        reading.note(f"{planned:,} tests were planned and {found:,} reported.")


def _unindented(lines: list[str], reading: Reading) -> list[str]:
    """The lines moved to the margin, where every line that is TAP stands at one same indent (or deeper)."""
    indents = [len(line) - len(line.lstrip(" \t")) for line in lines if _LINE.match(line)]
    least = min(indents, default=0)
    if least:
        reading.note("The whole stream is indented; it was read as if it were not.")
        return [line[least:] if not line[:least].strip() else line for line in lines]
    return lines


def _test(found: re.Match[str], position: int, before: list[str]) -> _Test:
    rest = found[3].strip()
    seconds = None
    if timed := _TIME.search(rest):
        seconds = _float(timed[1], 0.001 if timed[2].lower() == "ms" else 1.0)
        rest = (rest[: timed.start()] + rest[timed.end() :]).strip()
    outcome: Outcome = "failed" if found[1] else "passed"
    message = ""
    tags: tuple[str, ...] = ()
    if directive := _DIRECTIVE.search(rest):
        is_todo = directive[1].lower() == "todo"
        rest, message = rest[: directive.start()].strip(), directive[2].strip()
        if not is_todo or outcome == "failed":
            outcome = "skipped"
        tags = ("todo",) if is_todo else ()
        message = (message or "not done yet") if is_todo else message
    number = int(found[2]) if found[2] else position
    description = rest.replace("\\#", "#").rstrip("{").strip() or f"test {number}"
    return _Test(number, outcome, description, message, seconds, tags, list(before))


def _yaml(test: _Test, line: str) -> None:
    """Keep a line of the details, and what it says of time and message."""
    test.details.append(line)
    key, _, value = line.strip().partition(":")
    value = value.strip().strip("'\"")
    if key == "duration_ms" and test.seconds is None:
        test.seconds = _float(value, 0.001)
    elif key in ("message", "error") and value not in ("", "|", "|-", ">", ">-") and not test.message:
        test.message = value
    elif key in ("at", "file") and value and not test.file:
        test.file = value


def _finished(test: _Test, comments: list[str], reading: Reading) -> TestResult:
    is_red = test.outcome == "failed"
    details = "\n".join([*test.details, *comments[:_MAX_DETAIL_LINES]]) if is_red else ""
    said = test.message or next((comment for comment in comments if comment), "") if is_red else test.message
    return reading.result(
        name=test.description,
        outcome=test.outcome,
        seconds=test.seconds,
        message=said,
        details=details,
        file=test.file,
        tags=test.tags,
    )


def _float(text: str, unit: float) -> float | None:
    try:
        return float(text[:30]) * unit
    except ValueError:
        return None


def _is_tap(text: str) -> bool:
    return bool(_SIGN.search(text))


TAP = TextFormat("TAP", _is_tap, read_tap)
