"""Made incidents: as many as wanted, alike in kind, equal for equal seeds."""

import random
from datetime import datetime
from itertools import pairwise

import pytest

from evals.data import load_examples
from evals.synthesis import LAST, fresh, make, reworded
from qa_agents.incidents.schema import Incident, Report

BASE = load_examples().incidents[:50]


def test_made_incidents_are_valid_distinct_and_in_time_order() -> None:
    rows = [made.row for made in make(BASE, 300, seed=1)]
    incidents = [Incident.model_validate(row) for row in rows]
    assert len({incident.id for incident in incidents}) == 300
    assert len({incident.summary for incident in incidents} | {incident.summary for incident in BASE}) >= 350
    assert all(a.created and b.created and a.created <= b.created for a, b in pairwise(incidents))


def test_made_incidents_link_only_to_earlier_ones() -> None:
    seen: set[str] = set()
    links = 0
    for made in make(BASE, 300, seed=1):
        targets = made.row.get("duplicate_of", [])
        links += len(targets)
        assert set(targets) <= seen
        seen.add(made.row["id"])
    assert links > 3


def test_nothing_is_resolved_before_it_was_filed() -> None:
    incidents = [Incident.model_validate(made.row) for made in make(BASE, 300, seed=2)]
    assert all(
        incident.resolved is None or incident.resolved >= incident.created for incident in incidents if incident.created
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_seeds_make_equal_rows(seed: int) -> None:
    assert list(make(BASE, 40, seed=seed)) == list(make(BASE, 40, seed=seed))


def test_other_seeds_make_other_rows() -> None:
    assert list(make(BASE, 40, seed=1)) != list(make(BASE, 40, seed=2))


def test_fresh_reports_come_after_everything_and_bring_no_outcome() -> None:
    for row in fresh(BASE, 30, seed=9):
        assert datetime.fromisoformat(row["created"]) > LAST
        assert not {"resolution", "component", "severity", "duplicate_of", "resolved", "status"} & row.keys()
        assert Report.model_validate(row).text.strip()


def test_a_summary_that_is_taken_is_not_made_again() -> None:
    taken = {made.row["summary"] for made in make(BASE, 200, seed=1)}
    assert not taken & {row["summary"] for row in fresh(BASE, 200, seed=1, avoid=taken)}


def test_rewording_changes_words_but_keeps_the_layout() -> None:
    text = "\n".join(f"line {i} says that the cart is empty at version 1.{i}" for i in range(200))
    changed = reworded(text, random.Random(1), ["other"])
    lines = list(zip(text.split("\n"), changed.split("\n"), strict=True))
    same = sum(a == b for a, b in lines)
    assert 80 < same < 130
    assert 0.85 < len(changed) / len(text) < 1.05
