"""How well labels are named: accuracy, macro-F1, confusion."""

from collections import Counter
from collections.abc import Collection, Sequence


def top_k_hits(ranked: Sequence[Sequence[str]], truths: Sequence[Collection[str]], k: int) -> list[bool]:
    """For each case whether one of its true labels is among the first k named: top-k accuracy is the mean of it."""
    return [any(name in truth for name in names[:k]) for names, truth in zip(ranked, truths, strict=True)]


def macro_f1(predicted: Sequence[str | None], true: Sequence[str]) -> float:
    """Mean F1 over the labels that occur among the true ones; None predicts nothing and so misses. 0 without cases."""
    hits, named, there = Counter[str](), Counter(p for p in predicted if p is not None), Counter(true)
    for guess, truth in zip(predicted, true, strict=True):
        if guess == truth:
            hits[truth] += 1
    return sum(2 * hits[label] / (named[label] + n) for label, n in there.items()) / len(there) if there else 0.0


def confusion(predicted: Sequence[str | None], true: Sequence[str]) -> dict[str, dict[str, int]]:
    """True label to predicted label to count; what predicts nothing counts under the empty name."""
    table: dict[str, Counter[str]] = {}
    for guess, truth in zip(predicted, true, strict=True):
        table.setdefault(truth, Counter())[guess or ""] += 1
    return {truth: dict(row) for truth, row in table.items()}
