from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.plans.schema import Condition, DecisionRule, FieldSpec
from qa_agents.plans.techniques.pairwise import combine, excluded_by_rules, factors_of, feasible_pairs, pairwise
from tests.unit.plans.samples import requirement

FACTORS = st.integers(3, 5).flatmap(
    lambda count: st.tuples(*[st.integers(2, 4)] * count).map(
        lambda sizes: {f"p{i}": [f"v{i}{j}" for j in range(size)] for i, size in enumerate(sizes)}
    )
)


def pairs_in(rows: list[dict[str, str]]) -> set[frozenset[tuple[str, str]]]:
    return {frozenset(pair) for row in rows for pair in combinations(row.items(), 2)}


@settings(max_examples=30, deadline=None)
@given(FACTORS, st.data())
def test_every_feasible_pair_occurs_and_nothing_excluded_does(
    factors: dict[str, list[str]], data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(factors)), min_size=2, max_size=2, unique=True))
    excluded = [{name: data.draw(st.sampled_from(factors[name])) for name in names}]
    rows = combine(factors, excluded)
    assert {frozenset(pair) for pair in feasible_pairs(factors, excluded)} == pairs_in(rows)
    assert not [row for row in rows if all(row[name] == value for name, value in excluded[0].items())]


def test_fewer_rows_than_all_combinations_cover_every_pair() -> None:
    factors = {"a": list("123"), "b": list("123"), "c": list("1234"), "d": list("123"), "e": list("123")}
    rows = combine(factors)
    assert pairs_in(rows) == {frozenset(pair) for pair in feasible_pairs(factors)}
    assert len(rows) <= 24 < 324


def test_the_rows_are_the_same_each_time() -> None:
    factors = {"a": ["x", "y"], "b": ["x", "y", "z"], "c": ["1", "2"]}
    assert combine(factors) == combine(factors)


def test_a_rule_that_refuses_a_combination_excludes_it() -> None:
    text = requirement(
        "A gift card cannot be used by telephone.",
        fields=[
            FieldSpec(name="channel", enum=["web", "phone"]),
            FieldSpec(name="payment", enum=["card", "gift card"]),
            FieldSpec(name="urgent", type="boolean"),
        ],
        rules=[
            DecisionRule(
                conditions=[Condition(name="Channel", value="phone"), Condition(name="payment", value="Gift card")],
                outcome="The booking is rejected",
            )
        ],
    )
    assert excluded_by_rules(text, factors_of(text)) == [{"channel": "phone", "payment": "gift card"}]
    items = list(pairwise(text))
    assert {"channel": "phone", "payment": "gift card"} not in [item.parameters for item in items]
    assert len(items) == 4 + 4 + 4 - 1


def test_two_parameters_are_no_matter_for_pairs() -> None:
    text = requirement(
        "Two lists.", fields=[FieldSpec(name="a", enum=["1", "2"]), FieldSpec(name="b", enum=["1", "2"])]
    )
    assert list(pairwise(text)) == []
