"""How the comparison of queues reads the workers' notes."""

from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install '.[dev]'")

from evals.suites.queue import Found, Note, notes_of, rows_of, violations


def notes(told: str) -> list[Note]:
    """`a1+ a1-`: job 1 of a begins and ends."""
    return [
        {"what": "begin" if word[-1] == "+" else "end", "key": word[0], "number": int(word[1:-1]), "at": float(at)}
        for at, word in enumerate(told.split())
    ]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("a1+ a1- a2+ a2-", 0),
        ("a1+ b1+ a1- b1- b2+ a2+ b2- a2-", 0),
        ("a2+ a2- a1+ a1-", 1),
        ("a1+ a2+ a1- a2-", 1),
        ("a1+ a1+ a1- a2+ a2-", 0),
        ("a1+ a2+ a2- a1+ a1-", 2),
    ],
)
def test_a_job_that_begins_too_early_or_too_late_is_a_violation_and_a_repeated_begin_is_none(
    told: str, expected: int
) -> None:
    assert violations(notes(told)) == expected


def test_a_line_that_a_killed_worker_left_half_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_text('{"what": "begin", "at": 2}\n{"what": "en')
    (tmp_path / "2.jsonl").write_text('{"what": "begin", "at": 1}\n')
    assert [note["at"] for note in notes_of(tmp_path)] == [1, 2]


def test_rounds_are_put_together_and_what_went_wrong_is_added_up() -> None:
    one = Found(
        side="ours",
        workers=4,
        jobs=10,
        put_seconds=1,
        seconds=2,
        violations=1,
        lost=0,
        repeated=2,
        messages=3,
        commits=3,
        taken_up=[4.0],
    )
    assert rows_of([one, one.model_copy(update={"taken_up": [2.0]})]) == [
        ("ours", "4", "10", "5.0", "2", "0", "4", "3.0", "3.0", "2.0, 4.0", "20")
    ]
