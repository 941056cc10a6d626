"""Ranges and bounds as prose states them, with their units."""

import re
from dataclasses import dataclass

NUMBER = r"[-+−]?(?:\d{1,3}(?:[,\u202f\u00a0 ]\d{3})+(?!\d)|\d+)(?:\.\d+)?"
CURRENCY = r"(?:[$€£¥₹]|USD|EUR|GBP|CHF|JPY)"
_UNITS = {
    "characters": "character characters chars char letters symbols",
    "digits": "digits digit",
    "words": "words word",
    "bytes": "bytes",
    "kB": "kb",
    "KiB": "kib",
    "MB": "mb",
    "MiB": "mib",
    "GB": "gb",
    "GiB": "gib",
    "TB": "tb",
    "ms": "ms milliseconds millisecond",
    "s": "s sec seconds second",
    "min": "minutes minute min mins",
    "h": "hours hour h",
    "days": "days day",
    "weeks": "weeks week",
    "months": "months month",
    "years": "years year",
    "%": "% percent",
    "px": "px pixels",
    "items": "items item entries elements pieces units results products",
    "rows": "rows",
    "records": "records",
    "files": "files",
    "users": "users",
    "requests": "requests",
    "attempts": "attempts attempt tries retries",
    "times": "times",
    "tags": "tags",
    "photos": "photos",
    "images": "images",
    "lines": "lines",
    "pages": "pages",
    "kg": "kg",
    "g": "g",
    "km": "km",
    "m": "m",
    "cm": "cm",
    "mm": "mm",
    "°C": "°c",
    "USD": "usd dollars $",
    "EUR": "eur euros euro €",
    "GBP": "gbp £",
    "CHF": "chf",
    "points": "points",
    "nights": "nights",
    "guests": "guests",
}
"""Unit to the ways it is written."""
UNITS = {written: unit for unit, ways in _UNITS.items() for written in ways.split(" ")}
REPEATED = ("times", "attempts")
"""Units of how often something is done."""
MEASURES = frozenset(_UNITS)
UNIT = "|".join(sorted((re.escape(unit) for unit in UNITS), key=len, reverse=True))
LENGTHS = ("characters", "digits")
QUANTITY = rf"(?P<c{{n}}>{CURRENCY}\s?)?(?P<n{{n}}>{NUMBER})\s?-?(?P<u{{n}}>(?:{UNIT})(?![\w]))?"


def _quantity(number: int) -> str:
    return QUANTITY.replace("{n}", str(number))


FLAGS = re.IGNORECASE
RANGES = (
    re.compile(rf"\bbetween\s+{_quantity(1)}\s+and\s+{_quantity(2)}(?P<excl>[\s,(]*exclusive)?", FLAGS),
    re.compile(
        rf"\b(?:from\s+)?{_quantity(1)}\s*(?:to|–|—|-|\.\.\.?|through)\s*{_quantity(2)}(?P<excl>[\s,(]*exclusive)?",
        FLAGS,
    ),
)
BOUNDS: tuple[tuple[re.Pattern[str], str, bool], ...] = (
    (
        re.compile(
            rf"\b(?:at least|no (?:less|fewer|shorter|lower|smaller|earlier) than|not (?:be )?(?:less|fewer|"
            rf"shorter|lower|smaller|below) than|"
            rf"(?:a )?min(?:imum)?(?: (?:length|value|size|number|amount|age))?(?: (?:of|is))?:?|"
            rf"starting (?:at|from)|>=|≥|greater than or equal to)\s*{_quantity(1)}",
            FLAGS,
        ),
        "min",
        True,
    ),
    (
        re.compile(rf"\b{_quantity(1)}(?:\s+[a-z]+)?\s+or (?:more|greater|higher|older|above|longer|later)\b", FLAGS),
        "min",
        True,
    ),
    (
        re.compile(
            rf"\b(?:at most|no (?:more|greater|longer|larger|higher|later|older) than|not (?:be )?(?:more|"
            rf"greater|longer|larger|higher|above|over|older) than|"
            rf"(?:must|may|can|shall|should|do|does|will)?\s*(?:not|never) exceed|cannot exceed|"
            rf"(?:a )?max(?:imum)?(?: (?:length|value|size|number|amount|age))?(?: (?:of|is))?:?|"
            rf"up to|within|<=|≤|less than or equal to|limited to|limit of|capped at|expires? after|"
            rf"times? out after)\s*{_quantity(1)}",
            FLAGS,
        ),
        "max",
        True,
    ),
    (
        re.compile(rf"\b{_quantity(1)}(?:\s+[a-z]+)?\s+or (?:less|fewer|lower|younger|below|shorter|earlier)\b", FLAGS),
        "max",
        True,
    ),
    (
        re.compile(
            rf"(?:\b(?:more|greater|larger|longer|higher|older) than|\bover|\babove|\bexceed(?:s|ing)?|"
            rf">)\s*{_quantity(1)}",
            FLAGS,
        ),
        "min",
        False,
    ),
    (
        re.compile(
            rf"(?:\b(?:less|fewer|smaller|shorter|lower|younger) than|\bunder|\bbelow|<)\s*{_quantity(1)}", FLAGS
        ),
        "max",
        False,
    ),
    (
        re.compile(
            rf"\b(?:exactly|precisely|must be|is always)\s+{_quantity(1)}(?=\s*(?:long)?\s*[.,;)]|\s+long|\Z)", FLAGS
        ),
        "exact",
        True,
    ),
    (re.compile(rf"\bexactly\s+{_quantity(1)}", FLAGS), "exact", True),
)
NEGATION = re.compile(r"\b(?:not|never|cannot|can't|no)\s+(?:be\s+)?\Z", FLAGS)


@dataclass(frozen=True)
class Span:
    """One stated bound with its place in the text."""

    start: int
    end: int
    kind: str
    low: float | None
    high: float | None
    inclusive: bool
    unit: str | None


def number_of(text: str) -> float:
    """`10 000.5`, `1,000`, `−3` as numbers."""
    return float(re.sub(r"[,\s\u202f\u00a0]", "", text).replace("−", "-"))


def unit_of(match: re.Match[str], number: int) -> str | None:
    """The unit or currency that stands with a quantity."""
    unit = match.group(f"u{number}") or (match.group(f"c{number}") or "").strip()
    return UNITS.get(unit.lower(), unit) if unit else None


def bounds(text: str) -> list[Span]:
    """Every range and bound that a text states, none of them twice, in their order."""
    found: list[Span] = []
    for number, pattern in enumerate(RANGES):
        for match in pattern.finditer(text):
            unit = unit_of(match, 2) or unit_of(match, 1)
            low, high = number_of(match.group("n1")), number_of(match.group("n2"))
            dashed = number == 1 and not re.search(
                r"[a-z]", match.group().lower().replace(match.group("u2") or "\0", "")
            )
            if high > low and (number == 0 or unit or not dashed) and not _taken(found, match.span()):
                found.append(Span(*match.span(), "range", low, high, not match.group("excl"), unit))
    for pattern, kind, inclusive in BOUNDS:
        for match in pattern.finditer(text):
            if _taken(found, match.span()):
                continue
            value, side = number_of(match.group("n1")), kind
            included = inclusive
            if NEGATION.search(text[max(0, match.start() - 14) : match.start()]) and side in ("min", "max"):
                side, included = ("max" if side == "min" else "min"), not inclusive
            found.append(
                Span(
                    *match.span(),
                    side,
                    value if side != "max" else None,
                    value if side != "min" else None,
                    included,
                    unit_of(match, 1),
                )
            )
    return sorted(found, key=lambda span: span.start)


def _taken(found: list[Span], span: tuple[int, int]) -> bool:
    """Whether a bound was found at this place already."""
    return any(span[0] < other.end and other.start < span[1] for other in found)
