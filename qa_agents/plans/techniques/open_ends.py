"""Questions that the techniques raise: outcomes that no rule gives, rights that nobody stated."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from qa_agents.plans.schema import CoverageItem, Question, Requirement, SmellKind
from qa_agents.plans.wording import cut, digest, place_of

NAMED = 4
_FOR_ALL = frozenset({"constraint-broken"})
_ASSUMED: dict[str, tuple[SmellKind, str, str]] = {
    "constraint-broken": (
        "missing_error",
        "What happens to an input that breaks a rule of form",
        "The input is refused visibly",
    ),
    "missing-combination": (
        "missing_error",
        "What happens for the combinations that no rule covers",
        "Nothing is changed and the user is told",
    ),
    "open-cell": (
        "missing_error",
        "Who else may do what the text gives to one role only by name",
        "A role that is not named is refused",
    ),
}


def open_ends(items: Iterable[CoverageItem], requirements: Sequence[Requirement]) -> list[Question]:
    """One question for each kind of open end and place, naming the first few; its default assumption is the careful one.

    A place is a requirement; for breaches of rules of form it is the whole source, whose answer is usually one for all.
    """
    by_id = {requirement.id: requirement for requirement in requirements}
    open_: dict[tuple[str, str], list[CoverageItem]] = defaultdict(list)
    for item in items:
        if item.basis == "assumption" and item.rule in _ASSUMED and item.requirement_id in by_id:
            requirement = by_id[item.requirement_id]
            place = requirement.source_id if item.rule in _FOR_ALL else requirement.id
            open_[(place, item.rule)].append(item)
    # A source's own id changes with every version of it; its place in the order does not, and the question stays the same one.
    order = {name: str(n) for n, name in enumerate(dict.fromkeys(one.source_id for one in requirements))}
    found = []
    for (place, rule), these in open_.items():
        category, text, assumed = _ASSUMED[rule]
        about = "" if rule in _FOR_ALL else place_of(by_id[place])
        named = "; ".join(cut(item.what, 100) for item in these[:NAMED])
        more = f" and {len(these) - NAMED} more" if len(these) > NAMED else ""
        found.append(
            Question(
                id=f"Q-{digest('open', order.get(place, place), rule)}",
                requirement_ids=list(dict.fromkeys(item.requirement_id for item in these)),
                category=category,
                text=f"{text}{f' ({about})' if about else ''}? {named}{more}",
                options=[assumed, "Something else: please say what"],
                impact=2,
                uncertainty=3 if rule not in _FOR_ALL else 2,
                default_assumption=f"{assumed}.",
            )
        )
    return found
