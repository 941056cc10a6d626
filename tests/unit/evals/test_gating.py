"""Gates hold the bound that is worse for the promise; too few cases are no pass."""

from pathlib import Path

import pytest

from evals.data import ROOT
from evals.gating import Gate, judge, read_gates
from evals.stats import Interval
from qa_agents.errors import InvalidInputError

FOUND = Interval(value=0.9, low=0.85, high=0.95, n=300)


@pytest.mark.parametrize(
    ("op", "value", "bound", "min_n", "outcome"),
    [
        (">=", 0.85, "lower95", 200, "pass"),
        (">=", 0.86, "lower95", 200, "fail"),
        (">=", 0.90, "point", 200, "pass"),
        (">", 0.90, "point", 200, "fail"),
        ("<=", 0.95, "lower95", 200, "pass"),
        ("<=", 0.94, "lower95", 200, "fail"),
        ("<", 0.95, "lower95", 200, "fail"),
        (">=", 0.10, "lower95", 301, "insufficient"),
    ],
)
def test_a_promise_is_held_against_its_bound(op: str, value: float, bound: str, min_n: int, outcome: str) -> None:
    gate = Gate.model_validate({"metric": "a.b", "op": op, "value": value, "bound": bound, "min_n": min_n})
    assert judge(gate, FOUND).outcome == outcome


def test_what_was_not_measured_is_insufficient() -> None:
    assert judge(Gate(metric="a.b", op=">=", value=0.1), None).outcome == "insufficient"


def test_a_gate_file_with_a_wrong_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text('[[gate]]\nmetric = "a.b"\nop = ">="\nvalue = 1\nbond = "point"\n')
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_gates(path)


def test_the_committed_gates_can_be_read() -> None:
    gates = read_gates(ROOT / "evals" / "gates" / "triage.toml")
    assert gates
    assert all(gate.why for gate in gates)
