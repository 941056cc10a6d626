"""What every coverage item of an API operation is made of: its name, its statuses, its expectation in words."""

from collections.abc import Mapping, Sequence

from qa_agents.plans.read.parsed import plain
from qa_agents.plans.schema import CoverageItem, Polarity, Requirement, Technique
from qa_agents.plans.techniques.api_request import STATUS, VALUE, WHERE, response_schema
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.json_schema import leaves
from qa_agents.plans.wording import cut

MOST_NAMED = 12


def api_item(
    requirement: Requirement,
    technique: Technique,
    what: str,
    rule: str,
    polarity: Polarity,
    *,
    statuses: Sequence[str],
    where: str = "",
    value: str = "",
    expected: str,
) -> CoverageItem:
    """An item of an operation: right statuses, and the one place of the request that is changed with its value as JSON."""
    parameters = {STATUS: " ".join(statuses)}
    if where:
        parameters |= {WHERE: where, VALUE: value}
    return make_item(
        requirement,
        technique,
        f"{_name(requirement)}: {what}",
        rule=rule,
        polarity=polarity,
        parameters=parameters,
        expected=expected,
    )


def _name(requirement: Requirement) -> str:
    return f"{str(requirement.data['method']).upper()} {requirement.data.get('path', '/')}"


def unchanged(requirement: Requirement) -> str:
    """What else holds of a refused request; reading changes nothing anyway."""
    return "" if str(requirement.data["method"]).lower() in ("get", "head", "options") else "; nothing is changed"


def statuses_of(requirement: Requirement) -> list[str]:
    """The statuses that the description names."""
    return [str(code) for code in (requirement.data.get("responses") or {})]


def success_of(requirement: Requirement) -> str:
    """The first documented 2xx status, 200 where none is."""
    return next((code for code in sorted(statuses_of(requirement)) if code.startswith("2") and code.isdigit()), "200")


def client_error(requirement: Requirement, *wanted: str) -> tuple[list[str], str]:
    """The documented status among those wanted, else all of them; with the words for it."""
    documented = statuses_of(requirement)
    for code in wanted:
        if code in documented:
            return [code], f"Status {code}{_described(requirement, code)}"
    return list(wanted), f"A client error status: {', '.join(wanted)}"


def _described(requirement: Requirement, code: str) -> str:
    answer = (requirement.data.get("responses") or {}).get(code)
    words = answer.get("description") if isinstance(answer, Mapping) else None
    return f" ({cut(plain(str(words)), 80)})" if words else ""


def succeeds(requirement: Requirement) -> tuple[list[str], str]:
    """The status of success, and what is expected of it in words."""
    code = success_of(requirement)
    schema = response_schema(requirement.data, code)
    names = list(dict.fromkeys(leaves(schema))) if schema else []
    more = " and others" if len(names) > MOST_NAMED else ""
    holds = f"; the body has the documented shape: {', '.join(names[:MOST_NAMED])}{more}" if names else ""
    return [code], f"Status {code}{_described(requirement, code)}{holds}"
