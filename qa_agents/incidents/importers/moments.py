"""Moments as trackers and spreadsheets write them. No zone is read as UTC; a date that could be two is refused."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

_MAX_CHARS = 60
_TIME = (
    r"(?:[ T,]{1,3}(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r" ?(?P<half>[AaPp]\.?[Mm]\.?)?)?"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_SEP = r"(?:[/.-]|\. | )"
_WEEKDAY = r"(?:[^\W\d_]{2,10}\.?,? )?"
_DAY_NAME = re.compile(
    rf"{_WEEKDAY}(?P<day>\d{{1,2}}){_SEP}(?P<name>[^\W\d_]{{3,10}})\.?(?:[/-]| |, )(?P<year>\d{{4}}|\d{{2}}){_TIME}"
)
_NAME_DAY = re.compile(rf"{_WEEKDAY}(?P<name>[^\W\d_]{{3,10}})\.? (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){_TIME}")
_YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})[/.-](?P<month>\d{{1,2}})[/.-](?P<day>\d{{1,2}}){_TIME}")
_NUMBERS = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<sep>[/.-])(?P<second_part>\d{{1,2}})(?P=sep)(?P<year>\d{{4}}|\d{{2}}){_TIME}"
)
_DIGITS = re.compile(r"\d{10}|\d{13}")

_MONTHS = {
    stem: number
    for number, stems in enumerate(
        (
            "jan ene gen", "feb fev", "mar mrz maa", "apr avr abr", "may mai mei mag", "jun juin giu", "jul juil lug",
            "aug aou ago", "sep set", "oct okt out ott", "nov", "dec dez dic",
        ),
        start=1,
    )
    for stem in stems.split()
}  # fmt: skip
"""English, German, French, Spanish, Portuguese, Italian and Dutch month names, by their first letters, accents off."""

_EARLIEST, _LATEST = 631_152_000, 4_102_444_800
"""Seconds since the epoch that can be meant: 1990 to 2100."""


def parse_moment(value: object, *, day_first: bool | None = None) -> datetime | None:
    """The moment `value` stands for, in UTC; None for an empty one.

    Reads ISO 8601, Jira's `29/Mar/11 4:48 PM`, RFC 2822, `29.03.2011`, and seconds or milliseconds since 1990.
    `day_first` decides between 3 April and March 4 in `03/04/2011`. Raises ValueError with a clause that says why not.
    """
    if value is None or isinstance(value, datetime):
        return None if value is None else _to_utc(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value)
    if not isinstance(value, str):
        raise ValueError("is not a date")
    text = " ".join(value.split())
    if not text:
        return None
    if len(text) <= _MAX_CHARS:
        if _DIGITS.fullmatch(text):
            return _from_epoch(int(text))
        try:
            return _to_utc(_read(text, day_first))
        except OverflowError:  # year 1 or 9999, moved by its zone
            pass
    raise ValueError(f"is not a date ({_shown(text)})")


def tells_day_first(text: str) -> bool | None:
    """What one date says about the order of day and month in its column: True, False, or None when it says nothing."""
    match = _NUMBERS.fullmatch(" ".join(text.split())) if len(text) <= _MAX_CHARS else None
    if match is None or match["sep"] == ".":
        return None
    first, second = int(match["first"]), int(match["second_part"])
    return None if (first > 12) == (second > 12) else first > 12


def _read(text: str, day_first: bool | None) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for pattern in (_DAY_NAME, _NAME_DAY, _YEAR_FIRST, _NUMBERS):
        if match := pattern.fullmatch(text):
            return _assembled(match.groupdict(), day_first, text)
    raise ValueError(f"is not a date ({_shown(text)})")


def _assembled(parts: dict[str, str | None], day_first: bool | None, text: str) -> datetime:
    if name := parts.get("name"):
        month, day = _month(name, text), int(parts["day"] or 0)
    elif parts.get("first"):
        month, day = _month_and_day(int(parts["first"] or 0), int(parts["second_part"] or 0), parts, day_first, text)
    else:
        month, day = int(parts["month"] or 0), int(parts["day"] or 0)
    year = int(parts["year"] or 0)
    hour = int(parts["hour"] or 0)
    if half := parts["half"]:
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    try:
        return datetime(
            year if year > 99 else year + (2000 if year < 70 else 1900),
            month, day, hour, int(parts["minute"] or 0), int(parts["second"] or 0), tzinfo=_zone(parts["zone"]),
        )  # fmt: skip
    except ValueError:
        raise ValueError(f"is not a date ({_shown(text)})") from None


def _month_and_day(
    first: int, second: int, parts: dict[str, str | None], day_first: bool | None, text: str
) -> tuple[int, int]:
    if parts["sep"] == "." or first > 12:
        return second, first
    if second > 12 or first == second:
        return first, second
    if day_first is None:
        raise ValueError(f"may be either of two days ({_shown(text)}); write year-month-day")
    return (second, first) if day_first else (first, second)


def _month(name: str, text: str) -> int:
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    month = _MONTHS.get(plain[:4]) or _MONTHS.get(plain[:3])
    if month is None:
        raise ValueError(f"is not a date ({_shown(text)})")
    return month


def _zone(text: str | None) -> timezone:
    if not text or text[0] not in "+-":
        return UTC
    shift = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(shift if text[0] == "+" else -shift)


def _from_epoch(number: float) -> datetime:
    for seconds in (number, number / 1000):
        if _EARLIEST <= seconds <= _LATEST:
            return datetime.fromtimestamp(seconds, UTC)
    raise ValueError(f"is not a date ({number:.15g})")


def _to_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _shown(text: str) -> str:
    return ascii(text[:40])
