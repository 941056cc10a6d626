from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.plans.schema import FieldSpec
from qa_agents.plans.techniques.boundaries import boundaries
from qa_agents.plans.techniques.equivalence import partitions
from qa_agents.plans.techniques.values import accepts, edges, length_edges, shown, step_of, typical
from tests.unit.plans.samples import requirement

LIMITS = st.integers(-1_000_000, 1_000_000).map(lambda cents: cents / 100)


@st.composite
def ranged_fields(draw: st.DrawFn) -> FieldSpec:
    low, high = draw(st.none() | LIMITS), draw(st.none() | LIMITS)
    if low is not None and high is not None and low > high:
        low, high = high, low
    return FieldSpec(
        name="deposit",
        type=draw(st.sampled_from(["number", "integer", "money", None])),
        unit=draw(st.sampled_from([None, "EUR", "JPY", "kg"])),
        minimum=low,
        maximum=high,
        minimum_inclusive=draw(st.booleans()),
        maximum_inclusive=draw(st.booleans()),
    )


@given(ranged_fields())
def test_every_value_around_a_limit_is_on_the_side_it_is_said_to_be(field: FieldSpec) -> None:
    for edge in edges(field):
        assert not accepts(field, edge.outside)
        whole = (field.type == "integer") and edge.stated != edge.stated.to_integral_value()
        assert accepts(field, edge.on) or whole
        if edge.inside is not None:
            assert accepts(field, edge.inside)


@given(ranged_fields())
def test_a_boundary_item_is_negative_exactly_when_its_value_is_not_accepted(field: FieldSpec) -> None:
    text = requirement("The deposit must be within its limits.", fields=[field])
    for item in [*boundaries(text), *partitions(text)]:
        value = item.parameters["deposit"].split(" ")[0]
        if value.lstrip("-").replace(".", "", 1).isdigit():
            assert accepts(field, Decimal(value)) == (item.polarity != "negative")


@given(ranged_fields())
def test_a_typical_value_is_accepted(field: FieldSpec) -> None:
    value = typical(field)
    assert value is None or accepts(field, value)


@pytest.mark.parametrize(
    ("field", "step"),
    [
        (FieldSpec(name="n", type="integer", maximum=10), "1"),
        (FieldSpec(name="n", type="money", unit="EUR", maximum=10), "0.01"),
        (FieldSpec(name="n", type="money", unit="JPY", maximum=1000), "1"),
        (FieldSpec(name="n", type="money", unit="KWD", maximum=10), "0.001"),
        (FieldSpec(name="n", maximum=10), "1"),
        (FieldSpec(name="n", maximum=37.5), "0.1"),
        (FieldSpec(name="n", type="number", maximum=0.125), "0.001"),
        (FieldSpec(name="n", type="number", maximum=1), "0.01"),
    ],
)
def test_the_step_follows_type_then_unit_then_the_digits_of_the_limit(field: FieldSpec, step: str) -> None:
    assert step_of(field) == Decimal(step)


def test_an_excluded_limit_moves_the_values_by_one_step() -> None:
    (edge,) = edges(FieldSpec(name="n", type="integer", maximum=100, maximum_inclusive=False))
    assert (edge.inside, edge.on, edge.outside) == (98, 99, 100)


def test_a_range_of_one_value_has_no_value_inside() -> None:
    assert [edge.inside for edge in edges(FieldSpec(name="n", type="integer", minimum=3, maximum=3))] == [None, None]


def test_a_contradictory_range_has_no_values() -> None:
    assert edges(FieldSpec(name="n", minimum=5, maximum=3)) == []


def test_no_text_is_shorter_than_nothing() -> None:
    assert [edge.side for edge in length_edges(FieldSpec(name="n", min_length=0, max_length=5))] == ["maximum"]


def test_numbers_are_written_plainly() -> None:
    assert [shown(Decimal(text)) for text in ("10.00", "1E+3", "0.10", "-5")] == ["10", "1000", "0.1", "-5"]
