"""Coverage by technique, ISO/IEC/IEEE 29119-4, clause 6: coverage items exercised by at least one case, out of all items."""

from collections.abc import Iterable

from qa_agents.plans.schema import Coverage, CoverageItem, Technique, TestCase


def measure(items: Iterable[CoverageItem], cases: Iterable[TestCase]) -> list[Coverage]:
    """One figure for each technique that has items, in the order in which techniques first occur."""
    exercised = {item for case in cases for item in case.item_ids}
    counts: dict[Technique, list[int]] = {}
    for item in items:
        count = counts.setdefault(item.technique, [0, 0])
        count[0] += 1
        count[1] += item.id in exercised
    return [Coverage(technique=name, items=total, covered=covered) for name, (total, covered) in counts.items()]
