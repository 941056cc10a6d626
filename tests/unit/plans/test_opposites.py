"""Statements that exclude each other by what they mean, and their neighbours that do not."""

import pytest

from qa_agents.plans.conflicts import find_conflicts
from qa_agents.plans.read import read_sources
from qa_agents.plans.requirements import find_requirements


def conflicts(*statements: str) -> list[str]:
    text = "".join(f"- OP-{number}: {said}\n" for number, said in enumerate(statements, start=1))
    return [one.what for one in find_conflicts(find_requirements(read_sources([("a.md", text.encode())])))]


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("Records of a loan shall be purged 5 days after it ends.", "Records of a loan shall be kept for 2 years.", "deleted"),
        ("Alarms shall be raised at any time.", "Alarms must not be raised between 22:00 and 06:00.", "always"),
        ("A reader shall not need a card to borrow a book.", "A reader must show a card to borrow a book.", "needed"),
        ("Loans shall be handled in the order of the requests.", "Teachers get loans before all other readers.", "order"),
        ("A password must never be shown on the ticket.", "The ticket shall show the password.", "never shown"),
    ],
)  # fmt: skip
def test_what_excludes_each_other_is_found_either_way_round(first: str, second: str, what: str) -> None:
    assert any(what in said for said in conflicts(first, second))
    assert any(what in said for said in conflicts(second, first))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Records of a loan shall be purged 2 years after it ends.", "Records of a loan shall be retained for 5 days."),
        ("Records of a loan shall be purged 5 days after it ends.", "Photos shall be retained for 2 years."),
        ("Alarms shall be raised at any time.", "Mails must not be sent between 22:00 and 06:00."),
        ("A reader shall not need a card to borrow a book.", "A teacher must show a card to enter the archive."),
        ("Loans shall be handled in the order of the requests.", "Teachers shall pay before all other readers."),
        ("A password must never be shown on the ticket.", "The ticket shall show the price."),
    ],
)
def test_neighbours_that_can_both_hold_are_left_alone(first: str, second: str) -> None:
    assert conflicts(first, second) == []
