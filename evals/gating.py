"""Gates: promises in a file that is reviewed as code, held against the confidence bound of what was measured.

[[gate]]
metric = "duplicates.recall@10"   # group.measure, as in the table and the JSON
op = ">="
value = 0.89
bound = "lower95"                 # the bound that is worse for the promise; or "point"
min_n = 200                       # fewer cases are `insufficient`, which is no pass
"""

import operator
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.report import table
from evals.stats import Interval
from evals.suites.triage.result import Measured
from qa_agents.errors import InvalidInputError

Outcome = Literal["pass", "fail", "insufficient"]
OPERATORS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


class Gate(BaseModel):
    """One promise."""

    model_config = ConfigDict(extra="forbid")

    metric: str
    op: Literal[">=", ">", "<=", "<"]
    value: float
    bound: Literal["lower95", "point"] = "lower95"
    """`lower95`: the end of the 95 % interval that is worse for the promise, the upper one where op asks for less."""
    min_n: int = Field(1, ge=1)
    why: str = ""


class Judged(BaseModel):
    """A promise and what came of it."""

    gate: Gate
    outcome: Outcome
    held: float | None = None
    """The number that was held against the value."""
    n: int = 0


def read_gates(path: Path) -> list[Gate]:
    """The gates of a TOML file. Raises InvalidInputError naming what is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return [Gate.model_validate(entry) for entry in document["gate"]]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(
            f"The gates in {path} cannot be read ({reason}).", hint="See evals/README.md."
        ) from None


def judge(gate: Gate, found: Interval | None) -> Judged:
    """Hold one promise against a measurement; None and too few cases are `insufficient`."""
    if found is None or found.n < gate.min_n:
        return Judged(gate=gate, outcome="insufficient", n=0 if found is None else found.n)
    wants_more = gate.op in (">=", ">")
    held = found.value if gate.bound == "point" else (found.low if wants_more else found.high)
    kept = OPERATORS[gate.op](held, gate.value)
    return Judged(gate=gate, outcome="pass" if kept else "fail", held=held, n=found.n)


def judge_file(result: Measured, path: Path) -> tuple[str, bool]:
    """All gates of a file as a table, and whether every one passed."""
    lines = [(gate, result.line(gate.metric)) for gate in read_gates(path)]
    judged = [judge(gate, line.value if line else None) for gate, line in lines]
    rows = (
        (
            j.gate.metric,
            f"{j.gate.op} {j.gate.value:g} ({j.gate.bound})",
            "–" if j.held is None else f"{j.held:.3f}",
            str(j.n),
            j.outcome,
        )
        for j in judged
    )
    text = table(("gate", "promise", "held against it", "n", "outcome"), rows)
    return f"## Gates\n\n{text}", all(j.outcome == "pass" for j in judged)
