"""Relations of near-identical texts: copies for branches, platform twins, parts and chores are never the same bug."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.relate import relate
from qa_agents.triage.schema import Relation

NOW = datetime(2024, 6, 1, tzinfo=UTC)
TEXT = "The voucher is refused when the basket holds a gift card"


def report(summary: str) -> Report:
    return Report(id="R-1", summary=summary, created=NOW)


def incident(name: str, summary: str, **fields: Any) -> Incident:
    return Incident(id=name, summary=summary, created=NOW - timedelta(days=90), **fields)


def fixed(name: str, summary: str, **fields: Any) -> Incident:
    return incident(name, summary, status="Closed", resolution="Fixed", resolved=NOW - timedelta(days=9), **fields)


def related(summary: str, *past: Incident) -> list[Relation]:
    near = [(Candidate(incident_id=one.id, score=0.9, probability=0.9, dense=0.97), one) for one in past]
    return relate(report(summary), [], near, chain=lambda name: [name], facts_of=lambda _: {}, as_of=NOW)


@pytest.mark.parametrize("past", [incident, fixed])
@pytest.mark.parametrize(
    ("mine", "theirs", "why"),
    [
        (f"Backport: {TEXT}", TEXT, "a copy for another branch: backport vs not marked"),
        (TEXT, f"[3_0_X] {TEXT}", "a copy for another branch: not marked vs 3.0.x"),
        (f"Port to 3_1_X: {TEXT}", f"Port to 3_0_X: {TEXT}", "a copy for another branch: 3.1.x vs 3.0.x"),
        ("Please backport WICK-12 soon", "Please backport WICK-13 soon", "ticket: WICK-12 vs WICK-13"),
        (f"[iOS] {TEXT}", f"[Android] {TEXT}", "filed for: ios vs android"),
        (f"{TEXT} (staging)", f"{TEXT} (production)", "part: staging vs production"),
    ],
)
def test_a_copy_is_of_the_same_area_and_told_why(past: Any, mine: str, theirs: str, why: str) -> None:
    (relation,) = related(mine, past("W-1", theirs))
    assert relation.kind == "same-area"
    assert why in (relation.vetoed_by or "")
    assert why in relation.differs


def test_the_same_text_without_such_a_mark_is_still_claimed() -> None:
    assert related(TEXT, incident("W-1", TEXT))[0].kind == "duplicate-of-open"
    assert related(TEXT, fixed("W-1", TEXT))[0].kind == "regression-of-fixed"


def test_a_chore_that_comes_back_with_every_release_is_claimed_of_nothing() -> None:
    chore = "Tag the release and tell the shops"
    past = [fixed("W-1", chore), fixed("W-2", chore), incident("W-3", chore)]
    assert {relation.kind for relation in related(chore, *past)} == {"same-area"}


def test_a_task_that_was_done_cannot_break_again() -> None:
    assert related(TEXT, fixed("W-1", TEXT, type="Task"))[0].kind == "same-area"
    assert related(TEXT, fixed("W-1", TEXT, type="Bug"))[0].kind == "regression-of-fixed"
