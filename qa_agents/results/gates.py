"""Quality gates: promises about a run in a file that is reviewed as code, held against bounds and not against points.

    [[gate]]
    name = "payments hold"            # default: the metric; waivers name it
    metric = "pass_rate"              # `gate_metrics.KNOWN` lists them; score:NAME is the mean of any score
    op = ">="                         # >=, >, <=, <
    value = 0.98
    bound = "lower"                   # held against the value: lower, upper or point (default: the end that is worse)
    min_n = 200                       # fewer cases leave it undecided
    scope = { suite = "payments.*" }  # suite and tag (with * and ?) for tests, group = { language = "de" } for outputs
    owner = "ada"
    why = "Money must move."

    [[waiver]]
    gate = "payments hold"
    owner = "grace"
    reason = "Fixed in 4.27, see WKB-1901."
    expires = 2026-12-01              # the end of that day in UTC; not a day longer
    worst = 0.95                      # what is worse than this is not waived

Pure: reading the file and judging what was measured. What is measured is `gate_metrics`.
"""

import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from qa_agents.errors import InvalidInputError
from qa_agents.results.bounds import CONFIDENCE, Estimate, told

MAX_BYTES = 1_000_000
Operator = Literal[">=", ">", "<=", "<"]
Bound = Literal["lower", "upper", "point"]
Outcome = Literal["green", "red", "undecided", "waived"]
"""undecided: the data neither keep nor break the promise; waived: red or undecided, and let pass by a person for now."""
STOPS: tuple[Outcome, ...] = ("red", "undecided")

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt,
}  # fmt: skip
_WORDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("must be one line of readable text")
    return value.strip()


def _end_of_day(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value + timedelta(days=1), time.min, UTC)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_line)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Moment = Annotated[AwareDatetime, BeforeValidator(_end_of_day)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Scope(_Part):
    """Which tests or outputs count. Empty: all."""

    suite: str = ""
    """Of tests, with * and ?."""
    tag: str = ""
    group: dict[str, str] = Field(default_factory=dict)
    """Of outputs: attribute to value."""

    def __str__(self) -> str:
        """For example `suite payments.*, language de`; "" for everything."""
        named = [f"{name} {value}" for name, value in (("suite", self.suite), ("tag", self.tag)) if value]
        return ", ".join([*named, *(f"{name} {value}" for name, value in self.group.items())])


class Gate(_Part):
    """One promise."""

    name: Line = ""
    metric: Line
    op: Operator
    value: Finite
    bound: Bound = "point"
    """Without one in the file, the end that is worse for the promise. Of what is known exactly, all three are the same."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = CONFIDENCE
    """Of the bound, one-sided."""
    min_n: Annotated[int, Field(ge=1)] = 1
    scope: Scope = Scope()
    owner: Line = "nobody named"
    why: str = Field(default="", max_length=1_000)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        strict = "lower" if value.get("op") in (">=", ">") else "upper"
        named = {"name": value["metric"]} if isinstance(value.get("metric"), str) else {}
        return {"bound": strict, **named, **value}

    @field_validator("metric")
    @classmethod
    def _known(cls, value: str) -> str:
        from qa_agents.results.gate_metrics import complaint

        said = complaint(value)
        if said:
            raise ValueError(said)
        return value

    @property
    def promise(self) -> str:
        """In words: `pass_rate at least 0.98 (lower bound, 200 or more)`; what is counted exactly has no bound to name."""
        from qa_agents.results.gate_metrics import SAMPLED

        sampled = self.metric in SAMPLED or ":" in self.metric
        how = [f"{self.bound} bound" if self.bound != "point" else "point"] if sampled else []
        how += [f"{self.min_n} or more"] if self.min_n > 1 else []
        told_how = f" ({', '.join(how)})" if how else ""
        return f"{self.metric} {_WORDS[self.op]} {self.value:g}{told_how}"


class GateWaiver(_Part):
    """A gate that is let pass until a day: by whom it is owned and why. Kept in the gate file, and so reviewed as code."""

    gate: Line
    owner: Line
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]
    expires: Moment
    worst: Finite | None = None
    """A value worse than this is not covered: what was waived is what was known."""


class GateFile(_Part):
    """The whole file."""

    gate: Annotated[list[Gate], Field(min_length=1)]
    waiver: list[GateWaiver] = Field(default_factory=list)

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        names = [gate.name for gate in self.gate]
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins:
            raise ValueError(f"two gates are called {twins[0]}; give each a name of its own")
        strange = sorted({waiver.gate for waiver in self.waiver} - set(names))
        if strange:
            raise ValueError(f"a waiver names the gate {strange[0]}, which the file does not have")
        return self


class Judged(BaseModel):
    """A promise and what came of it."""

    model_config = ConfigDict(frozen=True)

    gate: Gate
    outcome: Outcome
    measured: Estimate | None = None
    because: str
    """One sentence for a person: what was held against what, or what is missing."""
    waiver: GateWaiver | None = None
    source: str = ""
    """What the number was taken from."""


def load_gates(body: bytes, name: str = "gates.toml") -> GateFile:
    """The gates of a TOML file's bytes. Raises InvalidInputError naming file, line and what is wrong with it."""
    try:
        text = body[: MAX_BYTES + 1].decode("utf-8")
        if len(body) > MAX_BYTES:
            raise InvalidInputError(f"{name} is larger than a gate file can be.")
        content = tomllib.loads(text)
        return GateFile.model_validate(content)
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name} is not UTF-8 at byte {error.start}.", hint="Save it as UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{name} is no TOML: {error}.", hint="See examples/gates.toml.") from None
    except ValidationError as error:
        raise InvalidInputError(_sentence(error.errors()[0], text, name), hint="See examples/gates.toml.") from None


def judge(
    gate: Gate,
    measured: Estimate | None,
    waivers: Sequence[GateWaiver] = (),
    *,
    now: datetime,
    missing: str = "",
    source: str = "",
) -> Judged:
    """Hold one promise against a measurement, then look for a waiver that is still good at `now`.

    Green when the gate's bound keeps the promise. Red when even the end of the interval that favours it breaks it. Undecided
    when there is no measurement (`missing` says why), too little data, no bound, or a promise inside the interval.
    """
    outcome, because = _held(gate, measured, missing)
    waiver = next((one for one in waivers if _covers(one, gate, measured, now)), None) if outcome in STOPS else None
    if waiver is not None:
        because = f"{because} Waived by {waiver.owner} until {_day(waiver.expires)}: {waiver.reason}"
    else:
        because += _lapsed(gate, waivers, measured, now) if outcome in STOPS else ""
    return Judged(
        gate=gate,
        outcome="waived" if waiver else outcome,
        measured=measured,
        because=because,
        waiver=waiver,
        source=source,
    )


def overall(judged: Iterable[Judged]) -> Outcome:
    """The worst outcome: red, then undecided, then waived, then green."""
    found = {one.outcome for one in judged}
    order: tuple[Outcome, ...] = ("red", "undecided", "waived")
    return next((outcome for outcome in order if outcome in found), "green")


def must_stop(judged: Iterable[Judged]) -> bool:
    """Whether a person must sign before anything goes on: something is red or undecided and nobody waived it."""
    return any(one.outcome in STOPS for one in judged)


def _held(gate: Gate, measured: Estimate | None, missing: str) -> tuple[Outcome, str]:
    if measured is None or measured.value is None:
        return "undecided", missing or "It was not measured."
    if measured.n < gate.min_n:
        return "undecided", f"Only {measured.n} of the {gate.min_n} cases it takes were measured."
    keeps, wants_more = _OPERATORS[gate.op], gate.op in (">=", ">")
    end = {"point": measured.value, "lower": measured.low, "upper": measured.high}[gate.bound]
    if end is None:
        return "undecided", f"{measured.n} cases are too few for a {gate.bound} bound ({measured.method})."
    of, words = f"of {measured.n} cases", _WORDS[gate.op]
    exact = measured.low == measured.value == measured.high
    name = "value" if exact or gate.bound == "point" else f"{gate.bound} bound"
    if keeps(end, gate.value):
        return "green", f"The {name} {told(end)} {of} is {words} {gate.value:g}."
    best = measured.high if wants_more else measured.low
    if gate.bound != "point" and not exact and (best is None or keeps(best, gate.value)):
        other = "upper" if gate.bound == "lower" else "lower"
        refuted = "and nothing refutes it" if best is None else f"nor does the {other} bound {told(best)} refute it"
        says = f"The {name} {told(end)} {of} is not {words} {gate.value:g}"
        return "undecided", f"{says}, {refuted}: more cases would tell."
    return "red", f"The {name} {told(end)} {of} is not {words} {gate.value:g}."


def _covers(waiver: GateWaiver, gate: Gate, measured: Estimate | None, now: datetime) -> bool:
    return waiver.gate == gate.name and waiver.expires > now and not _is_worse(waiver, gate, measured)


def _is_worse(waiver: GateWaiver, gate: Gate, measured: Estimate | None) -> bool:
    if waiver.worst is None or measured is None or measured.value is None:
        return False
    return measured.value < waiver.worst if gate.op in (">=", ">") else measured.value > waiver.worst


def _lapsed(gate: Gate, waivers: Sequence[GateWaiver], measured: Estimate | None, now: datetime) -> str:
    for waiver in waivers:
        if waiver.gate != gate.name:
            continue
        if waiver.expires <= now:
            return f" The waiver of {waiver.owner} ended on {_day(waiver.expires)} and counts no more."
        if _is_worse(waiver, gate, measured):
            return f" The waiver of {waiver.owner} reaches to {waiver.worst:g} only."
    return ""


def _day(moment: datetime) -> str:
    """The last day on which a waiver counts."""
    return (moment - timedelta(microseconds=1)).astimezone(UTC).date().isoformat()


def _sentence(error: Any, text: str, name: str) -> str:
    """One pydantic error with the line it is about: `gates.toml, line 12: gate 2 (“new failures”): op: …`."""
    place = list(error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        said = f"{place[-1]} is not a known key"
    elif error["type"] == "missing":
        said = f"{place[-1]} is missing"
        place.pop()
    line = _line_of(place, text)
    where = f"{name}, line {line}" if line else name
    if len(place) > 1 and isinstance(place[1], int):
        where += f": {place[0]} {place[1] + 1}"
        place = place[2:]
    keys = ".".join(str(part) for part in place)
    return f"{where}: {f'{keys}: ' if keys and not said.startswith(keys) else ''}{said}."


def _line_of(place: Sequence[Any], text: str) -> int | None:
    """The line of a key in the nth table of its name, else of the table's head; counted from 1."""
    if not place or not isinstance(place[0], str):
        return None
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if re.match(rf"\s*\[\[?\s*{re.escape(place[0])}\s*\]", line)]
    if len(place) < 2 or not isinstance(place[1], int) or place[1] >= len(heads):
        return next((n + 1 for n, line in enumerate(lines) if re.match(rf"\s*\W*{re.escape(place[0])}\b", line)), None)
    start = heads[place[1]]
    key = next((part for part in place[2:] if isinstance(part, str)), None)
    for number in range(start + 1, len(lines)):
        if lines[number].lstrip().startswith("[["):
            break
        if key is not None and re.match(rf"\s*\[?[\w.]*\"?{re.escape(key)}\b", lines[number]):
            return number + 1
    return start + 1
