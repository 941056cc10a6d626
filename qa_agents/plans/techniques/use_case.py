"""Use-case testing, ISO/IEC/IEEE 29119-4, 5.2.10: the main path of a flow, and each alternate that leaves it."""

from collections.abc import Iterator
from typing import Any

from qa_agents.plans.schema import CoverageItem, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.wording import cut, flat, outcome_of

MOST_STEPS = 25


def steps_of(requirement: Requirement) -> list[str]:
    """The steps of a flow, as the reader found them (`data["steps"]`); [] for anything that is not a flow."""
    return _texts(requirement.data.get("steps"))


def use_cases(requirement: Requirement) -> Iterator[CoverageItem]:
    """The main path from first to last step, and one item for each alternate with the step at which it leaves."""
    steps = steps_of(requirement)
    if len(steps) < 2:
        return
    yield make_item(
        requirement,
        "use_case",
        f"Main path: {cut(steps[0], 60)} … {cut(steps[-1], 60)}",
        rule="main-path",
        parameters={"steps": "\n".join(steps)},
        expected=outcome_of(requirement) if requirement.response else steps[-1],
        basis="quote",
    )
    alternates = requirement.data.get("alternates")
    for alternate in alternates if isinstance(alternates, list) else []:
        if not isinstance(alternate, dict) or not (path := _texts(alternate.get("steps"))):
            continue
        at = int(alternate["at"]) if str(alternate.get("at", "")).isdigit() else 1
        yield make_item(
            requirement,
            "use_case",
            f"Alternate at step {at}: {cut(path[0], 120)}",
            rule="alternate-path",
            polarity="negative",
            parameters={"steps": "\n".join([*steps[: max(at - 1, 0)], *path])},
            expected=path[-1],
            basis="quote",
        )


def _texts(value: Any) -> list[str]:
    return [flat(str(one)) for one in value if str(one).strip()][:MOST_STEPS] if isinstance(value, list) else []
