"""A claim: its subject, its modal verb and what it says; worded as something that is so, or that somebody brings about."""

import re
from collections.abc import Mapping

from qa_agents.plans.actions import as_order
from qa_agents.plans.deeds import subject_words
from qa_agents.plans.requirements.measures import MEASURES, REPEATED
from qa_agents.plans.schema import Requirement
from qa_agents.plans.wording import flat

CLAIM = re.compile(
    r"(?P<s>[^.;:]{2,110}?)(?<! that)(?<! which)(?<! who) (?P<m>must|shall|should|will|can|may|cannot|can't|won't"
    r"|is|are|has|have|does|do)"
    r"(?P<adv>(?: (?:not|never|only|always|also|then|still))*) (?P<p>.+)$",
    re.I,
)


def done_of(found: re.Match[str]) -> str:
    """The statement as something that is so: `arrays can span lines` gives `arrays span lines`, a negation is taken out."""
    subject, modal, rest = subject_words(found["s"]), found["m"].lower(), found["p"]
    many = _is_plural(found["s"])
    only = "only " if "only" in found["adv"].lower().split() else ""
    if modal in ("is", "are", "has", "have"):
        return f"{subject} {modal} {only}{rest}"
    verb, _, tail = rest.partition(" ")
    if verb.lower() == "be":
        return f"{subject} {'are' if many else 'is'} {only}{tail}"
    return f"{subject} {only}{verb if many else _third(verb)} {tail}".strip()


def _is_plural(subject: str) -> bool:
    head = re.split(r" (?:of|in|on|for|with|having|that|which|from|preceding|to) ", subject, maxsplit=1, flags=re.I)[0]
    last = head.split()[-1].lower()
    return bool(re.search(r"\band\b", head)) or (last.endswith("s") and not last.endswith(("ss", "is", "us")))


def _third(verb: str) -> str:
    irregular = {"have": "has", "do": "does", "go": "goes"}
    if verb.lower() in irregular:
        return irregular[verb.lower()]
    if verb.endswith(("s", "x", "sh", "ch")):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else f"{verb}s"


def with_number(requirement: Requirement, data: Mapping[str, str]) -> str:
    """The order where what has a limit is a number of things or of times, which nobody enters: the statement with that number.

    Empty for every other limit.
    """
    field = next((one for one in requirement.fields if one.name in data and one.quote), None)
    value = data.get(field.name, "") if field else ""
    claim = CLAIM.match(flat(requirement.quote).rstrip(" ."))
    if field is None or claim is None or len(data) > 1 or field.place or not value[:1].isdigit():
        return ""
    things = field.unit not in MEASURES and (field.unit or "").endswith("s")
    if not (things or field.unit in REPEATED) or flat(field.quote) not in claim["p"]:
        return ""
    return as_order(done_of(claim).replace(flat(field.quote), value.split()[0] if things else value, 1))
