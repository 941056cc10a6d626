"""Labels that name their parent: `Parent / Child`, `Parent - Child`, `Parent::Child`, `Parent > Child`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

_SPLIT = re.compile(r" / | - | > |::")
MAX_PARTS = 4


def parent_of(label: str) -> str | None:
    """The label one level up, as it is written in this one; None for a label that names no parent."""
    parts = _SPLIT.split(label, maxsplit=MAX_PARTS)
    if len(parts) < 2 or not all(part.strip() for part in parts):
        return None
    ends = [match.start() for match in _SPLIT.finditer(label)][: len(parts) - 1]
    return label[: ends[-1]].strip()


def sums(ranked: Iterable[tuple[str, float]]) -> dict[str, float]:
    """For each label of the list that has children in it: its own probability and theirs, at every depth."""
    found = dict(ranked)
    total: dict[str, float] = defaultdict(float)
    for label, p in found.items():
        above = parent_of(label)
        while above is not None:
            if above in found:
                total[above] += p
            above = parent_of(above)
    return {label: found[label] + p for label, p in total.items()}


def children(label: str, labels: Sequence[str]) -> list[str]:
    """The labels below `label`, in the order given."""
    return [other for other in labels if other != label and _below(other, label)]


def _below(label: str, above: str) -> bool:
    parent = parent_of(label)
    while parent is not None and parent != above:
        parent = parent_of(parent)
    return parent is not None
