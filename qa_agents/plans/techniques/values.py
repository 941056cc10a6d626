"""Values at and around limits: which step a field has, which value lies on which side, how a value is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from qa_agents.plans.schema import FieldSpec
from qa_agents.plurals import counted

_MONEY_DECIMALS = {
    "eur": 2,
    "usd": 2,
    "gbp": 2,
    "chf": 2,
    "aud": 2,
    "cad": 2,
    "€": 2,
    "$": 2,
    "£": 2,
    "jpy": 0,
    "¥": 0,
    "krw": 0,
    "kwd": 3,
    "bhd": 3,
    "euro": 2,
    "euros": 2,
    "dollar": 2,
    "dollars": 2,
    "cents": 0,
    "cent": 0,
}
"""Minor units of ISO 4217 currencies, and the words for them."""
_WHOLE = frozenset({"integer", "int", "int32", "int64", "count", "long", "short", "enum", "boolean"})
_REAL = frozenset({"number", "float", "double", "decimal"})
NUMERIC = _WHOLE | _REAL | {"money", "percentage", "percent", "duration"}
TEXTUAL = frozenset({"string", "text", "email", "url", "uri", "password", "uuid", "name", "phone"})
DATES = frozenset({"date", "datetime", "date-time", "time", "timestamp"})
Side = Literal["minimum", "maximum"]


@dataclass(frozen=True, slots=True)
class Edge:
    """One limit of a range with the values around it; `inside` is None where the range is too narrow for one."""

    side: Side
    stated: Decimal
    """The limit as the text gives it."""
    on: Decimal
    """The extreme value that still belongs to the range."""
    outside: Decimal
    """The nearest value that does not."""
    inside: Decimal | None
    """The nearest value further inside."""


def decimal_of(value: float) -> Decimal:
    """The number as it was written: 0.1 gives exactly 0.1."""
    number = Decimal(repr(value))
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()


def shown(value: Decimal) -> str:
    """The number without exponent and without zeros at the end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals_of(value: Decimal) -> int:
    """Digits after the point."""
    return max(0, -int(value.as_tuple().exponent))


def step_of(field: FieldSpec) -> Decimal:
    """The smallest difference between two values of the field, by type, then unit, then the limits' own digits.

    Money has its currency's minor unit; whole numbers, counts, lengths and durations 1; other numbers one digit more than a
    limit stated with decimals, at least 0.01, when the type is a real number, else the limit's own last digit.
    """
    kind, unit = (field.type or "").lower(), (field.unit or "").lower()
    if kind in _WHOLE:
        return Decimal(1)
    limits = [decimal_of(limit) for limit in (field.minimum, field.maximum) if limit is not None]
    digits = max((decimals_of(limit) for limit in limits), default=0)
    if kind == "money" or unit in _MONEY_DECIMALS:
        digits = max(digits, _MONEY_DECIMALS.get(unit, 2))
    elif kind in _REAL and not unit:
        digits = max(digits, 2)
    return Decimal(1).scaleb(-digits)


def edges(field: FieldSpec) -> list[Edge]:
    """The limits of a numeric field with the values around them; [] without limits or for an empty range."""
    if (field.type or "").lower() in DATES:
        return []
    step = step_of(field)
    low = None if field.minimum is None else decimal_of(field.minimum)
    high = None if field.maximum is None else decimal_of(field.maximum)
    return _edges(low, high, step, field.minimum_inclusive, field.maximum_inclusive)


def length_edges(field: FieldSpec) -> list[Edge]:
    """The limits of a text's or list's length; a length below zero is not a value."""
    low = None if field.min_length is None else Decimal(field.min_length)
    high = None if field.max_length is None else Decimal(field.max_length)
    return [edge for edge in _edges(low, high, Decimal(1), True, True) if edge.outside >= 0]


def _edges(
    low: Decimal | None, high: Decimal | None, step: Decimal, low_inclusive: bool, high_inclusive: bool
) -> list[Edge]:
    first = None if low is None else low if low_inclusive else low + step
    last = None if high is None else high if high_inclusive else high - step
    if first is not None and last is not None and first > last:
        return []
    found = []
    if low is not None and first is not None:
        inside = first + step
        found.append(Edge("minimum", low, first, first - step, inside if last is None or inside <= last else None))
    if high is not None and last is not None:
        inside = last - step
        found.append(Edge("maximum", high, last, last + step, inside if first is None or inside >= first else None))
    return found


def accepts(field: FieldSpec, value: Decimal) -> bool:
    """Whether the number lies within the field's limits."""
    if field.minimum is not None:
        low = decimal_of(field.minimum)
        if value < low or (value == low and not field.minimum_inclusive):
            return False
    if field.maximum is not None:
        high = decimal_of(field.maximum)
        if value > high or (value == high and not field.maximum_inclusive):
            return False
    return True


def typical(field: FieldSpec) -> Decimal | None:
    """A value well inside the limits; None for an empty range or one without limits."""
    around = edges(field)
    if not around:
        return None
    by_side = {edge.side: edge for edge in around}
    low, high, step = by_side.get("minimum"), by_side.get("maximum"), step_of(field)
    if low and high:
        return low.on + ((high.on - low.on) / 2 // step) * step
    if low:
        return low.on + 10 * step
    assert high is not None
    return high.on - (high.on / 2 // step) * step if 0 < high.on <= 20 * step else high.on - 10 * step


def with_unit(value: Decimal, field: FieldSpec) -> str:
    """The number with the field's unit behind it."""
    unit = _one(field.unit) if field.unit and abs(value) == 1 else field.unit
    return f"{shown(value)} {unit}" if unit else shown(value)


def _one(unit: str) -> str:
    """The unit beside 1: class, entry, day; symbols as they are."""
    for ending, single in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", "")):
        if len(unit) > 3 and unit.islower() and unit.endswith(ending):
            return unit.removesuffix(ending) + single
    return unit


def lengthy(name: str, length: Decimal) -> str:
    """How a text of a certain length is named: `name with 65 characters`."""
    count = int(length)
    return f"{name} with {counted(count, 'character')}"


def sides(field: FieldSpec) -> Iterator[str]:
    """The limits in words: `at least 1`, `below 100`."""
    if field.minimum is not None:
        yield f"{'at least' if field.minimum_inclusive else 'above'} {with_unit(decimal_of(field.minimum), field)}"
    if field.maximum is not None:
        yield f"{'at most' if field.maximum_inclusive else 'below'} {with_unit(decimal_of(field.maximum), field)}"
