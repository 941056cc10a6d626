"""How a coverage item is made: its id comes from what it demands, so that another run gives the same one."""

import re
from collections.abc import Iterable, Mapping

from qa_agents.plans.schema import Basis, CoverageItem, Polarity, Requirement, Technique
from qa_agents.plans.wording import digest, flat

_HIDDEN = re.compile(r"[\x00-\x1f\x7f]")


def make_item(
    requirement: Requirement,
    technique: Technique,
    what: str,
    *,
    rule: str,
    polarity: Polarity = "positive",
    parameters: Mapping[str, str] | None = None,
    expected: str | None = None,
    basis: Basis = "derived",
) -> CoverageItem:
    """A coverage item of a requirement; the id is derived from requirement, technique, rule, parameters and line."""
    values = dict(parameters or {})
    what = flat(_HIDDEN.sub(" ", what))[:300]
    key = [requirement.id, technique, rule, polarity, what, *(f"{name}={values[name]}" for name in sorted(values))]
    return CoverageItem(
        id=f"ITM-{digest(*key)}",
        requirement_id=requirement.id,
        technique=technique,
        what=what,
        polarity=polarity,
        parameters=values,
        expected=expected,
        basis=basis,
        rule=rule,
    )


def unique(items: Iterable[CoverageItem]) -> list[CoverageItem]:
    """The items in order, each id once."""
    return list({item.id: item for item in items}.values())
