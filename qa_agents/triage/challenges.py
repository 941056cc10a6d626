"""When a field that a person set is doubted, and in which words: once, privately, with evidence; the field stays as it is."""

from collections.abc import Collection, Iterator, Mapping

from qa_agents.checkpoint.gate_policy import GatePolicy
from qa_agents.checkpoint.rates import wilson
from qa_agents.llm.redact import mask
from qa_agents.trackers.schema import Action
from qa_agents.triage.schema import HABIT, SILENT, Evidence, Proposal

MAX_VALUE_CHARS = 120
MAX_SHOWN = 3
MAX_EVIDENCE_CHARS = 400


def plan_challenges(
    target: str,
    proposals: Mapping[str, Proposal],
    set_by_people: Mapping[str, str],
    challengeable: Collection[str],
    policy: GatePolicy,
) -> Iterator[Action]:
    """One private comment per field of `policy.challenge` that a person set to something else than the evidence speaks for.

    Only fields in `challengeable` are doubted: the tracker vouches that their value is a person's and was never challenged.
    """
    for name in dict.fromkeys(policy.challenge):
        proposal, standing = proposals.get(name), set_by_people.get(name)
        if proposal is None or proposal.value is None or standing is None or name not in challengeable:
            continue
        shown = evidence_against(proposal, policy.min_probability)
        if not shown or standing.strip().casefold() == proposal.value.strip().casefold():
            continue
        params = {
            "text": _words(name, standing, proposal.value, shown),
            "public": False,
            "slot": f"challenge.{name}",
            "challenges": {"field": name, "value": standing},
        }
        yield Action(kind="add_comment", target=target, params=params, because=f"{name} was set to {standing:.60}")


def evidence_against(proposal: Proposal, min_probability: float) -> list[Evidence]:
    """What carries the doubt; empty when it is too weak for contradicting a person.

    Where such proposals were measured, people must have kept them so often that the lower 95 % bound reaches
    `min_probability`; where none were, only the report's own words count.
    """
    firm = [one for one in proposal.evidence if one.ref not in (HABIT, SILENT) and one.kind != "rule"]
    if proposal.kept is None or not proposal.cases:
        return [one for one in firm if one.kind == "quote"][:MAX_SHOWN]
    return firm[:MAX_SHOWN] if wilson(proposal.kept, proposal.cases).low >= min_probability else []


def _words(name: str, standing: str, value: str, evidence: list[Evidence]) -> str:
    lines = [
        f"About {name}: it is set to “{standing:.{MAX_VALUE_CHARS}}”; the evidence speaks for “{value:.{MAX_VALUE_CHARS}}”.",
        *(f"- {one.text:.{MAX_EVIDENCE_CHARS}}" for one in evidence),
        "Nothing was changed, and this is said once.",
    ]
    return mask("\n".join(lines))
