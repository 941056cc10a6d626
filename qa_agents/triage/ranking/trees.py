"""Gradient-boosted trees as arrays, evaluated in numpy: predicting needs no library, and no file of it runs code.

Evaluation as in QuickScorer (Lucchese et al., SIGIR 2015): every node whose test is false takes the leaves below its
left side out of a bit mask; the lowest bit that is left is the tree's leaf.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MAX_LEAVES = 16
"""Bits of a mask."""
_ALL = np.uint16(0xFFFF)


@dataclass(frozen=True, slots=True)
class Trees:
    """An additive ensemble; arrays are (trees, nodes) and (trees, leaves), padded with nodes that are always true."""

    column: NDArray[np.int32]
    """The feature each node tests: `value <= threshold` goes left."""
    threshold: NDArray[np.float32]
    nan_left: NDArray[np.bool_]
    """Where an unknown value goes."""
    mask: NDArray[np.uint16]
    """The leaves that are left when the test is false."""
    value: NDArray[np.float32]
    """Of each leaf, left to right."""

    @property
    def columns(self) -> int:
        """How many features at least a row must have."""
        return int(self.column.max(initial=-1)) + 1

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum over all trees for each row (candidates, features); NaN is a value that is not known."""
        size, width = rows.shape
        if not size or not len(self.column):
            return np.zeros(size)
        known = np.ascontiguousarray(rows.T, np.float32)
        unknown = np.isnan(known)
        low, high = np.where(unknown, -np.inf, known), np.where(unknown, np.inf, known)
        source = np.concatenate([low, high]).astype(np.float32)
        place = self.column + np.where(self.nan_left, 0, width).astype(np.int32)
        left = np.full((len(self.column), size), _ALL)
        for node in range(self.column.shape[1]):
            is_false = source[place[:, node]] > self.threshold[:, node, np.newaxis]
            left &= np.where(is_false, self.mask[:, node, np.newaxis], _ALL)
        leaf = _LOWEST[left]
        total: NDArray[np.float64] = np.take_along_axis(self.value, leaf, axis=1).sum(axis=0, dtype=np.float64)
        return total

    @classmethod
    def of(cls, models: Sequence[Mapping[str, Any]]) -> Self:
        """Average the ensembles that LightGBM's dump_model() describes. Raises ValueError for what is not supported."""
        trees = [_flattened(tree["tree_structure"]) for model in models for tree in model["tree_info"]]
        nodes = max((len(nodes) for nodes, _ in trees), default=1) or 1
        leaves = max((len(leaves) for _, leaves in trees), default=1)
        if leaves > MAX_LEAVES:
            raise ValueError(f"a tree has {leaves} leaves, at most {MAX_LEAVES} are supported")
        column = np.zeros((len(trees), nodes), np.int32)
        threshold = np.full((len(trees), nodes), np.inf, np.float32)
        nan_left = np.ones((len(trees), nodes), np.bool_)
        mask = np.full((len(trees), nodes), _ALL)
        value = np.zeros((len(trees), leaves), np.float32)
        for i, (tests, results) in enumerate(trees):
            for j, (feature, limit, goes_left, kept) in enumerate(tests):
                column[i, j], threshold[i, j], nan_left[i, j], mask[i, j] = feature, limit, goes_left, kept
            value[i, : len(results)] = np.array(results) / max(len(models), 1)
        return cls(column, threshold, nan_left, mask, value)


_Test = tuple[int, np.float32, bool, int]


def _flattened(root: Mapping[str, Any]) -> tuple[list[_Test], list[float]]:
    """The nodes of one tree with their masks, and its leaves from left to right."""
    tests: list[_Test] = []
    leaves: list[float] = []

    def visit(node: Mapping[str, Any]) -> None:
        if "leaf_value" in node:
            leaves.append(float(node["leaf_value"]))
            return
        if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
            raise ValueError(f"a node of the kind {node['decision_type']}/{node['missing_type']} is not supported")
        limit = float(node["threshold"])
        # A feature that was always known when fitted: LightGBM reads NaN as 0.
        goes_left = bool(node["default_left"]) if node["missing_type"] == "NaN" else limit >= 0.0
        first = len(leaves)
        visit(node["left_child"])
        below_left = ((1 << (len(leaves) - first)) - 1) << first
        visit(node["right_child"])
        tests.append((int(node["split_feature"]), _rounded_down(limit), goes_left, int(_ALL) & ~below_left))

    visit(root)
    return tests, leaves


def _rounded_down(limit: float) -> np.float32:
    """The largest float32 that is not above: for float32 values the comparison stays exactly the same."""
    with np.errstate(over="ignore"):
        near = np.float32(limit)
    return near if float(near) <= limit else np.nextafter(near, np.float32(-np.inf))


_LOWEST = np.array([0] + [(n & -n).bit_length() - 1 for n in range(1, 1 << 16)], np.uint8)
"""Position of the lowest bit of a mask."""
