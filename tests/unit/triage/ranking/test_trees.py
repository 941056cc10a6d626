from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_agents.triage.ranking.trees import MAX_LEAVES, Trees

COLUMNS = 3


def leaf(value: float) -> dict[str, Any]:
    return {"leaf_value": value}


def node(column: int, threshold: float, left: Any, right: Any, missing: str = "None", default: bool = False) -> Any:
    return {
        "split_feature": column, "threshold": threshold, "decision_type": "<=", "missing_type": missing,
        "default_left": default, "left_child": left, "right_child": right,
    }  # fmt: skip


def model(*trees: Any) -> dict[str, Any]:
    return {"tree_info": [{"tree_structure": tree} for tree in trees]}


def walked(tree: Any, row: Any) -> float:
    """What the dump means, one node after the other."""
    while "leaf_value" not in tree:
        value = float(row[tree["split_feature"]])
        if np.isnan(value):
            left = tree["default_left"] if tree["missing_type"] == "NaN" else tree["threshold"] >= 0
        else:
            left = value <= tree["threshold"]
        tree = tree["left_child"] if left else tree["right_child"]
    return float(tree["leaf_value"])


numbers = st.floats(-2, 2, allow_nan=False)
trees = st.recursive(
    numbers.map(leaf),
    lambda children: st.builds(
        node, st.integers(0, COLUMNS - 1), numbers, children, children, st.sampled_from(["None", "NaN"]), st.booleans()
    ),
    max_leaves=MAX_LEAVES,
)
rows = st.lists(
    st.lists(st.one_of(st.just(float("nan")), st.floats(-2, 2, width=32)), min_size=COLUMNS, max_size=COLUMNS),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(trees, min_size=1, max_size=3), min_size=1, max_size=3), rows)
def test_the_arrays_answer_what_walking_the_trees_answers(models: list[list[Any]], values: list[list[float]]) -> None:
    matrix = np.array(values, np.float32)
    found = Trees.of([model(*one) for one in models]).predict(matrix)
    wanted = [sum(walked(tree, row) for one in models for tree in one) / len(models) for row in matrix]
    assert found == pytest.approx(wanted, abs=1e-5)


def test_a_threshold_between_two_float32_values_parts_them() -> None:
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    between = (float(low) + float(high)) / 2
    found = Trees.of([model(node(0, between, leaf(0), leaf(1)))]).predict(np.array([[low], [high]], np.float32))
    assert found.tolist() == [0, 1]


def test_no_rows_and_no_trees_give_no_scores() -> None:
    assert Trees.of([model(leaf(1.0))]).predict(np.empty((0, 2), np.float32)).shape == (0,)
    assert Trees.of([model()]).predict(np.ones((2, 2), np.float32)).tolist() == [0, 0]


def test_a_tree_with_too_many_leaves_is_refused() -> None:
    tree = leaf(0)
    for _ in range(MAX_LEAVES):
        tree = node(0, 0.0, tree, leaf(1))
    with pytest.raises(ValueError, match="17 leaves"):
        Trees.of([model(tree)])


def test_a_test_of_another_kind_is_refused() -> None:
    odd = node(0, 0.0, leaf(0), leaf(1)) | {"decision_type": "=="}
    with pytest.raises(ValueError, match="not supported"):
        Trees.of([model(odd)])


def test_lightgbm_and_the_arrays_agree() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(300, COLUMNS)).astype(np.float32)
    matrix[generator.random(matrix.shape) < 0.1] = np.nan
    right = (np.nan_to_num(matrix[:, 0]) + generator.normal(size=300) > 1).astype(int)
    options = {"objective": "lambdarank", "num_leaves": 7, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    fitted = lightgbm.train(options, lightgbm.Dataset(matrix, right, group=[10] * 30), 20)
    assert Trees.of([fitted.dump_model()]).predict(matrix) == pytest.approx(fitted.predict(matrix), abs=1e-5)
