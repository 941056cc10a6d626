"""Quiet hours: the time in which no clock runs against a person and nothing is applied without one."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)


class QuietHours(BaseModel):
    """A nightly window on some days, and whole quiet days, in the team's time zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: time
    end: time
    """Of the next day when it is not after `start`."""
    timezone: str = "UTC"
    days: tuple[Day, ...] = DAYS
    """Days on which the window begins."""
    all_day: tuple[Day, ...] = Field(default=())
    """Days that are quiet from midnight to midnight."""

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            _zone(name)
        except (OSError, ValueError, KeyError):
            raise ValueError(f"{name[:60]} is no time zone known here; say for example Europe/Berlin") from None
        return name

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same; name whole quiet days in all_day")
        if set(self.all_day) == set(DAYS):
            raise ValueError("all_day names every day, so no clock would ever run")
        return self


def is_quiet(quiet: QuietHours | None, moment: float) -> bool:
    """Whether this moment (seconds since the epoch) lies in quiet hours."""
    return any(start <= moment < end for start, end in _windows(quiet, moment, moment))


def active_hours(quiet: QuietHours | None, start: float, end: float) -> float:
    """Hours between two moments (seconds since the epoch) outside quiet hours; 0 when `end` is not after `start`."""
    active, reached = 0.0, start
    for begins, ends in _windows(quiet, start, end):
        active += max(0.0, min(begins, end) - reached)
        reached = max(reached, ends)
    return (active + max(0.0, end - reached)) / 3600


def _windows(quiet: QuietHours | None, start: float, end: float) -> Iterator[tuple[float, float]]:
    """The quiet windows that may touch the span, ordered by their beginning; they may overlap."""
    if quiet is None or end < start:
        return
    zone = _zone(quiet.timezone)
    day = datetime.fromtimestamp(start, zone).date() - _DAY
    last = datetime.fromtimestamp(end, zone).date()
    while day <= last:
        name = DAYS[day.weekday()]
        if name in quiet.all_day:
            yield _moment(day, time(), zone), _moment(day + _DAY, time(), zone)
        if name in quiet.days:
            ends_on = day if quiet.end > quiet.start else day + _DAY
            yield _moment(day, quiet.start, zone), _moment(ends_on, quiet.end, zone)
        day += _DAY


def _moment(day: date, clock: time, zone: tzinfo) -> float:
    return datetime.combine(day, clock, zone).timestamp()


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
