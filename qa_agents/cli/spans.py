"""Spans of time as people write them: `2h`, `90d`, or a date."""

import re
from datetime import UTC, datetime, timedelta

from qa_agents.cli.text import one_line
from qa_agents.errors import UsageError

_SPAN = re.compile(r"(\d{1,4})\s?(min|h|d|w)")
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def moment_before_now(text: str) -> float:
    """Seconds since the epoch of a date (local where it names no zone), or of a span back from now. Raises UsageError."""
    span = _SPAN.fullmatch(text.strip().lower())
    if span:
        return (datetime.now(UTC) - int(span[1]) * _UNITS[span[2]]).timestamp()
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except ValueError:
        raise UsageError(
            f"{one_line(text, limit=40)} is neither a date nor a span.", hint="Say 2026-12-01, 30min, 2h, 3d or 1w."
        ) from None
