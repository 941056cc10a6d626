"""The regression case a past problem teaches: its situation, the requirement's own outcome."""

import re

from qa_agents.incidents.schema import Incident
from qa_agents.plans.actions import as_order
from qa_agents.plans.case_text import with_look_again
from qa_agents.plans.past import Cluster, safe
from qa_agents.plans.read.parsed import plain
from qa_agents.plans.schema import Priority, Requirement, Risk, Step, TestCase
from qa_agents.plans.wording import bare_condition, cut, digest, flat, normal, outcome_of, place_of, sentence

MOST_STEPS, STEP_CHARS = 8, 240
_NUMBERED = re.compile(r"^[ \t]*(?:\d{1,2}[.)]|[-*#•]) +(\S.{3,300})$", re.M)
_HEADING = re.compile(r"steps? to reproduce|steps|how to reproduce|reproduction|str\b", re.I)
_RESULT = re.compile(r"^(?:expected|actual|observed|result)\b", re.I)


def lesson_case(requirement: Requirement, cluster: Cluster, risk: Risk) -> TestCase:
    """A case that sets up what broke and expects what the requirement says."""
    lead = cluster.lead
    outcome = flat(outcome_of(requirement))
    what = safe(lead.summary, 80) or lead.id
    orders = _steps(lead)
    trigger = as_order(requirement.trigger or "")
    if not orders:
        orders = [f"Recreate the situation of {lead.id}: “{safe(_first_sentence(lead), STEP_CHARS)}”"]
    if trigger and normal(trigger) not in normal(" ".join(orders)):
        orders.append(trigger)
    steps = [Step(action=order, expected="The next step can be done.") for order in orders[:-1]]
    steps.append(Step(action=orders[-1], expected=sentence(outcome)))
    quote = flat(requirement.quote)
    stated = flat(requirement.response or "")
    preconditions = (
        [f"As reported in {lead.id}: {safe(', '.join(part for part in (lead.platform,) if part), 80)}."]
        if lead.platform
        else []
    )
    if requirement.precondition:
        preconditions.append(sentence(bare_condition(requirement.precondition)))
    place = place_of(requirement)
    priority: Priority = "high" if cluster.grave or cluster.returned or risk.level >= 6 else "medium"
    return TestCase(
        id=f"TC-{digest(requirement.id, 'lesson', lead.id, normal(outcome))}",
        title=cut(f"{f'{place}: ' if place else ''}regression of {lead.id}, {what}"),
        objective=sentence(f"Show that what broke in {lead.id} holds as required: {cut(outcome, 160)}"),
        requirement_ids=[requirement.id],
        technique="error_guessing",
        polarity="negative" if requirement.negated else "positive",
        type=requirement.kind,
        priority=priority,
        preconditions=preconditions,
        steps=with_look_again(steps),
        expected_basis="quote",
        basis_quote=stated if stated and stated in quote else quote[:600],
        tags=["regression", *(["returned-before"] if cluster.returned else [])],
        incident_ids=cluster.ids[:8],
    )


def _steps(incident: Incident) -> list[str]:
    """The numbered or listed steps of a description, masked and bounded; [] when it has none."""
    text = incident.description[:6_000]
    heading = _HEADING.search(text)
    found = _NUMBERED.findall(text[heading.end() :] if heading else text)
    orders = [safe(step, STEP_CHARS) for step in found if not _RESULT.match(step.strip())]
    return orders[:MOST_STEPS] if heading or len(orders) >= 2 else []


def _first_sentence(incident: Incident) -> str:
    text = plain(incident.description[:1_500])
    if len(text) < 20:
        return incident.summary
    found = re.match(r".{20,230}?[.!?](?=\s|$)", text)
    return found[0] if found else text[:230]
