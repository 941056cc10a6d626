"""What every reader works with: one file's notes, and text, times and names made fit to keep."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from qa_agents.results.read.limits import Limits
from qa_agents.results.schema import Coverage, Outcome, ScoredOutput, TestResult

NAMELESS = "(no name given)"
"""Stands for a test without a name, so that it is kept."""
ITSELF = "(the suite itself)"
"""Stands for a suite that broke without a test of its own to show it."""
CUT_INSIDE = "The file ends inside this test, so its outcome is not known."

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?")
_MOMENT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T ]+(\d\d):?(\d\d):?(\d\d)(?:[.,](\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?")
_MAX_NOTES = 40
_LATEST_YEAR = 2200


class Attempt(NamedTuple):
    """One try of a test whose other tries stand elsewhere, in other files even; the runner joins those of one `identity`."""

    result: TestResult
    identity: str
    order: float
    """Later tries have higher numbers."""


Item = TestResult | Attempt | ScoredOutput | Coverage


class StopReading(Exception):  # noqa: N818 - ends a reader early, which is no error
    """Nothing more is to be read from this file; why is among its notes."""


@dataclass(slots=True)
class Reading:
    """One file as it is read. `notes` are sentences about what was odd or left out; `at` is the earliest moment it names."""

    limits: Limits = field(default_factory=Limits)
    deadline: float = field(default=float("inf"))
    """In seconds of time.monotonic."""
    notes: list[str] = field(default_factory=list)
    at: datetime | None = None
    damage: str = ""
    """Why the rest of the file could not be read."""
    _tallies: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, sentence: str) -> None:
        """Say something about the file, once."""
        sentence = self.line(sentence, 400)
        if sentence not in self.notes and len(self.notes) < _MAX_NOTES:
            self.notes.append(sentence)

    def tally(self, one: str, many: str) -> None:
        """Count something that may happen often; told once, with {n} replaced by how often."""
        self._tallies[one, many] += 1

    def told(self) -> tuple[str, ...]:
        """Every note, with the tallies in words."""
        counted = (one if n == 1 else many.format(n=f"{n:,}") for (one, many), n in self._tallies.items())
        return (*self.notes, *counted)

    def check_time(self) -> None:
        """Raises StopReading when reading has taken too long."""
        if time.monotonic() > self.deadline:
            self.damage = "Reading took too long and was stopped."
            raise StopReading

    def saw_moment(self, value: object) -> None:
        """Remember when the run was, if `value` is an ISO 8601 text or seconds or milliseconds since 1970, and the earliest yet.

        A text without a zone is taken as UTC.
        """
        moment = moment_of(value)
        if moment is not None and (self.at is None or moment < self.at):
            self.at = moment

    def result(
        self,
        *,
        name: str,
        outcome: Outcome,
        suite: str = "",
        seconds: float | None = None,
        message: str = "",
        details: str = "",
        file: str = "",
        line: int | None = None,
        attempts: Iterable[Outcome] = (),
        tags: Iterable[str] = (),
        cut: bool = False,
    ) -> TestResult:
        """A test result out of untrusted text. `cut`: the file ends inside it, so that it is not believed to have passed."""
        if cut and outcome == "passed":
            outcome, message = "error", CUT_INSIDE
        clean_name = self.name(name)
        if not clean_name:
            self.tally(
                f'One test has no name; it is kept as "{NAMELESS}".', f'{{n}} tests have no name; kept as "{NAMELESS}".'
            )
            clean_name = NAMELESS
        first = message or first_line(details)
        return TestResult(
            name=clean_name,
            suite=self.name(suite),
            outcome=outcome,
            seconds=seconds if seconds is not None and 0 <= seconds < 1e10 else None,
            message=self.text(first, self.limits.message_chars) if first else "",
            details=self.text(details, self.limits.details_chars) if details else "",
            file=self.name(file),
            line=line if line is not None and 0 <= line < 2**31 else None,
            attempts=tuple(attempts)[:100],
            tags=self.tags(tags),
        )

    def name(self, value: str) -> str:
        """One line, without control characters; one that is too long ends in a hash, so that it still differs from others."""
        if not value:
            return ""
        line = _BLANKS.sub(" ", clean(value)).strip()
        if len(line) <= self.limits.name_chars:
            return line
        self.tally("One very long name was cut.", "{n} very long names were cut.")
        mark = f"… #{hashlib.sha256(line.encode()).hexdigest()[:10]}"
        return line[: self.limits.name_chars - len(mark)] + mark

    def line(self, value: str, limit: int) -> str:
        """One line of at most `limit` characters."""
        line = _BLANKS.sub(" ", clean(value)).strip()
        return line if len(line) <= limit else f"{line[: limit - 1]}…"

    def text(self, value: str, limit: int) -> str:
        """Clean text of at most `limit` characters; of a longer one its beginning and, shorter, its end."""
        value = clean(value).strip()
        if len(value) <= limit:
            return value
        self.tally("One long text was cut.", "{n} long texts were cut.")
        between = "\n[… {n} characters left out …]\n"
        room = limit - len(between) - 10
        head = room * 3 // 5
        return value[:head] + between.format(n=f"{len(value) - room:,}") + value[len(value) - (room - head) :]

    def tags(self, values: Iterable[str]) -> tuple[str, ...]:
        """Distinct markers, one line each, in their order."""
        kept = dict.fromkeys(line for value in values if (line := self.line(value, self.limits.tag_chars)))
        return tuple(kept)[: self.limits.tags]

    def seconds(self, value: object) -> float | None:
        """A duration as number or text, in seconds; None, and a note, where it is none."""
        if value is None or value == "":
            return None
        number = number_of(value)
        if number is None or number < 0:
            self.tally(
                "One duration makes no sense and was left out.", "{n} durations make no sense and were left out."
            )
            return None
        return number

    def unknown_status(self, status: str) -> Outcome:
        """The outcome for a word the format does not know: not run, as nothing is proven. It is noted."""
        said = self.line(status, 40)
        told = f'the status "{said}"' if said else "no status"
        self.note(f"A test has {told}, which says nothing about its outcome: counted as skipped.")
        return "skipped"


def tries(outcome: Outcome, failed_before: float | None) -> tuple[Outcome, ...]:
    """The attempts of a test that failed so often, at most 50 times, before it came out as `outcome`; none if it never did."""
    count = min(int(failed_before or 0), 50)
    failed: list[Outcome] = ["failed"] * count
    return (*failed, outcome) if failed else ()


def clean(value: str) -> str:
    """Text without terminal sequences, control characters (but newline and tab) and lone surrogates."""
    if value.isprintable() and value.isascii():
        return value
    if "\x1b" in value:
        value = _SEQUENCE.sub("", value)
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", value))


def first_line(text: str) -> str:
    """The first line that is not blank, at most 300 characters."""
    for line in text[:20_000].splitlines():
        if line.strip():
            return line.strip()[:300]
    return ""


def number_of(value: object) -> float | None:
    """A finite number out of a number or a text such as `1,234.5`, `0,25` or ` 3.2 s`; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else None
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = value.strip().removesuffix("s").strip()
    if "," in text:
        # 1,234.5 and 1,234,567 group by comma; 0,25 is a decimal comma, and 1,234 is read as grouped.
        is_grouped = "." in text or re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", text)
        text = text.replace(",", "" if is_grouped else ".")
    return float(text) if _NUMBER.fullmatch(text) and abs(float(text)) < 1e300 else None


def whole_of(value: object) -> int | None:
    """A whole number out of a number or text; None for anything else."""
    number = number_of(value)
    return int(number) if number is not None and number == int(number) else None


def moment_of(value: object) -> datetime | None:
    """A moment out of ISO 8601 text (UTC where it names no zone) or seconds or milliseconds since 1970; else None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value / 1000 if value > 1e11 else float(value)
        if not 1e8 < seconds < 7e9:
            return None
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str) or not (found := _MOMENT.search(value[:80])):
        return None
    *parts, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(
            f"{parts[0]}-{parts[1]}-{parts[2]}T{parts[3]}:{parts[4]}:{parts[5]}.{(fraction or '0')[:6].ljust(6, '0')}"
            + ("+00:00" if zone in (None, "Z") else zone)
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1990 <= moment.year < _LATEST_YEAR else None
