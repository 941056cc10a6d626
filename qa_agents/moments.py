"""Moments as people write them: a date, or a span from now such as `30min`, `4h`, `2 days`, `1w`. Pure but for the clock."""

import re
from datetime import UTC, datetime, timedelta

from qa_agents.errors import UsageError

_SPAN = re.compile(
    r"(?<![\w.,-])(\d{1,4})\s?(?:(min(?:ute)?s?)|(h|hours?)|(d|days?)|(w|weeks?))(?!\w)", re.IGNORECASE | re.ASCII
)
_UNITS = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1))


def span_in(text: str) -> timedelta | None:
    """The first span that stands anywhere in a text; None without one."""
    return _length(_SPAN.search(text))


def moment_ahead(text: str, now: datetime | None = None) -> datetime:
    """A date (local where it names no zone), or a span on from `now`; in UTC. Raises UsageError."""
    return _moment(text, now, 1)


def moment_back(text: str, now: datetime | None = None) -> datetime:
    """A date (local where it names no zone), or a span back from `now`; in UTC. Raises UsageError."""
    return _moment(text, now, -1)


def _moment(text: str, now: datetime | None, direction: int) -> datetime:
    said = text.strip()
    try:
        if span := _length(_SPAN.fullmatch(said)):
            return (now or datetime.now(UTC)) + direction * span
        return datetime.fromisoformat(said).astimezone(UTC)
    except (ValueError, OverflowError):  # neither, or beyond the calendar
        told = "".join(filter(str.isprintable, said))[:40] or "Nothing"
        raise UsageError(f"{told} is neither a date nor a span.", hint="Say 2026-12-01, 30min, 4h, 2d or 1w.") from None


def _length(match: re.Match[str] | None) -> timedelta | None:
    if match is None:
        return None
    number, *units = match.groups()
    return int(number) * next(size for unit, size in zip(units, _UNITS, strict=True) if unit)
