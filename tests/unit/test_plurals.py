"""Nouns beside numbers."""

import pytest

from qa_agents.plurals import counted


@pytest.mark.parametrize(
    ("number", "forms", "said"),
    [
        (0, ("case",), "0 cases"),
        (1, ("case",), "1 case"),
        (1200, ("case",), "1,200 cases"),
        (2, ("case waits", "cases wait"), "2 cases wait"),
    ],
)
def test_a_noun_agrees_with_its_number(number: int, forms: tuple[str, ...], said: str) -> None:
    assert counted(number, *forms) == said
