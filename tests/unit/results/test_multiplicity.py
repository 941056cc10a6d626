"""Adjusted p-values, on the example of the paper that introduced the false discovery rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.results.multiplicity import benjamini_hochberg, benjamini_yekutieli, holm

PAPER = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1.0]  # fmt: skip
"""The 15 p-values of Benjamini and Hochberg 1995, section 3.2: their procedure rejects four at 5 %, Bonferroni's three."""


def test_the_papers_example_gives_the_papers_answer() -> None:
    assert sum(p <= 0.05 for p in benjamini_hochberg(PAPER)) == 4
    assert sum(p <= 0.05 for p in holm(PAPER)) == 3
    assert sum(p <= 0.05 for p in benjamini_yekutieli(PAPER)) == 3


def test_each_procedure_does_what_its_formula_says() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert benjamini_yekutieli([0.01, 0.04]) == pytest.approx([0.03, 0.06])
    assert holm([]) == benjamini_hochberg([]) == []


@given(st.lists(st.floats(0, 1), max_size=30))
def test_no_adjustment_makes_a_p_value_smaller_or_changes_the_order(p_values: list[float]) -> None:
    for adjust in (holm, benjamini_hochberg, benjamini_yekutieli):
        adjusted = adjust(p_values)
        assert all(before - 1e-12 <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
        order = sorted(range(len(p_values)), key=lambda i: p_values[i])
        assert [adjusted[i] for i in order] == sorted(adjusted)
