"""The plain case for a statement: its condition, its outcome, one item for each thing that must be observable."""

import re
from collections.abc import Iterator

from qa_agents.plans.actions import needs_presence
from qa_agents.plans.deeds import NOTATION
from qa_agents.plans.schema import CoverageItem, Requirement
from qa_agents.plans.techniques.items import make_item
from qa_agents.plans.techniques.non_functional import is_probed
from qa_agents.plans.wording import condition_of, flat, in_full, outcome_of, place_of, refuses, without_aside

_MODAL = r"(?:must|shall|should|will|can|may|cannot|is|are|be|does|do|has|have)"
_OBJECT = r"(?:the|an?|it|its|them|their|all|any|each|to|this|that|these|those|no|every)"
_VERB = (
    rf"(?:{_MODAL}(?: (?:not|never|also|always|then|only))? \w"
    rf"|(?:also |then |always |never |not )?[a-z]{{2,16}}s {_OBJECT} )"
)
_SUBJECT_AND_MODAL = r"(?:the|its?|an?) [^,]{2,40}? (?:must|should|shall|will) "
_OWN_SUBJECT = re.compile(_SUBJECT_AND_MODAL, re.I)
_HAS_VERB = re.compile(
    rf"\b{_MODAL}\b|^(?:also |then )?[a-z]{{2,16}}s (?:{_OBJECT}|\S+$)|\b[a-z]{{2,16}}s {_OBJECT} ", re.I
)
_NOUN_FIRST = re.compile(
    r"(?!(?:must|shall|should|will|can|may|is|are|has|have|does|do)\b)\w+ (?:must|shall|should|will|can"
    r"|may|is|are|has|have)\b",
    re.I,
)
_NOUNS = """
    todos items users options names values fields pages posts files tags keys tables strings letters digits dashes underscores
    numbers lists arrays objects dates times classes roles rights minutes seconds hours days weeks always its this as thus plus
"""
_NOT_VERBS = frozenset(_NOUNS.split())
_SPLIT = re.compile(rf", and (?={_SUBJECT_AND_MODAL})|,? (?:and|then|and then) (?={_VERB})|, (?={_VERB})")
_ENDS_IN_AND = re.compile(rf", and {_SUBJECT_AND_MODAL}|,? (?:and|then|and then) {_VERB}")
_BOTH = re.compile(
    r"\b(?:on |by |via )?both (?P<a>[^,;.]{1,60}?) and (?P<b>(?![^,;.]*\b(?:is|are|was|were|has|have|exists?)\b)[^,;.]{1,60})$",
    re.I,
)
"""Two ways to come to the same; `both A and B are present` is one condition."""
_OR = re.compile(
    r"^(?P<head>.{0,80}?)\b(?P<a>[\w`'\"#.-]{1,40}) or (?P<b>(?!(?:an?|the|no|any|its?)\b)[\w`'\"#.-]{1,40})(?P<tail>.{0,80})$",
    re.I,
)
_NOT = re.compile(r"\b(?:not|never|no|cannot|nor|none|without|refused|rejected|invalid|error)\b", re.I)
_TOGGLES = re.compile(r"\btoggl(?:e|es|ed|ing)\b", re.I)
_CONSTRAINS = re.compile(
    r"([^,.;()]{3,90}?),? (?:must|shall|may only|can only|is required to|are required to|has to"
    r"|have to)(?: only| each| all)? "
    r"(?:contain|begin|start|end|match|consist|precede|appear on|be (?:(?:an?|any|the|always|either|in|on"
    r"|of|at) )?(?:\w{1,20}[ -]){0,2}"
    r"(?:valid|non-empty|lower ?case|upper ?case|unique|surrounded|followed|preceded|prefixed|escaped"
    r"|encoded|same line|single line|one of"
    r"|numeric|alphanumeric|non-whitespace|sequences?|separated|enclosed|terminated|formatted|positive"
    r"|integers?|digits?|letters?)\b)",
    re.I,
)
_LEADS_OFF = re.compile(r"(?:if|when|while|make sure|you|we|it|they|this|that|these|there)\b", re.I)
_BY_HAND = re.compile(r"(?:click|press|tapp?|check|switch|select)ing\b", re.I)
_SWITCH = re.compile(r"\b(?:checkbox|switch|button|toggle|icon)\b", re.I)
_GIVES_BACK = re.compile(r"\b(?:returns?|shows?|displays?|lists?)\b", re.I)
"""Something to see besides the quality."""
MOST_NAMES = 20
_LISTING = re.compile(r"\beither\b|\bany of\b|\bone of\b|\bwhether\b", re.I)


def statements(requirement: Requirement) -> Iterator[CoverageItem]:
    """The items of a statement that no other technique structures: one for each outcome under each of its conditions.

    Nothing when rules, transitions, permissions or an API operation already say all of it.
    """
    if len(requirement.rules) > 1 or (requirement.rules and not requirement.response):
        return
    if requirement.transitions or requirement.permissions or requirement.data.get("method"):
        return
    if requirement.kind == "interface" and requirement.fields:
        yield _structure(requirement)
        return
    if is_probed(requirement) and not _GIVES_BACK.search(requirement.quote):
        return
    condition = condition_of(requirement)
    parts = [in_full(requirement, part) for part in clauses(outcome_of(requirement))]
    shared = "" if condition else next((_own(part) for part in parts[:1] if _own(part)), "")
    parts = [part if not shared or _own(part) else f"{part} {shared}" for part in parts]
    for alternative, clause in [pair for part in parts for pair in _under(condition, part)]:
        if clause:
            negative = (requirement.negated or refuses(requirement)) and (len(parts) == 1 or bool(_NOT.search(clause)))
            yield make_item(
                requirement,
                "requirement",
                f"{alternative} → {clause}" if alternative else clause,
                rule="stated-outcome",
                polarity="negative" if negative else "positive",
                parameters={"condition": alternative} if alternative else {},
                expected=clause,
                basis="quote",
            )

    if not condition and _constrains(requirement):
        yield make_item(
            requirement,
            "requirement",
            parts[0],
            rule="constraint-broken",
            polarity="negative",
            expected="The input is refused visibly",
            basis="assumption",
        )
    if _TOGGLES.search(requirement.quote) and (
        _BY_HAND.match(condition) or (not condition and _SWITCH.search(requirement.quote))
    ):
        done = condition or f"“{place_of(requirement) or 'it'}” is used"
        yield make_item(
            requirement,
            "requirement",
            f"{done} a second time → it is as it was before",
            rule="toggled-back",
            parameters={"condition": f"{done}, two times", "times": "2"},
            expected="After the second time it is as it was before the first",
        )


def _constrains(requirement: Requirement) -> bool:
    """Whether it is a "must" about the form of data, whose breach somebody will try; what then happens is seldom said."""
    if requirement.modality != "must" or requirement.negated or requirement.fields or refuses(requirement):
        return False
    text = without_aside(flat(requirement.text))
    if needs_presence(text.rstrip(" .")):
        return bool(NOTATION.search(text))
    found = _CONSTRAINS.match(text)
    return found is not None and not _LEADS_OFF.match(found[1])


def _structure(requirement: Requirement) -> CoverageItem:
    """A shown structure, by the names that it holds."""
    names = list(dict.fromkeys(field.name for field in requirement.fields))
    more = " and others" if len(names) > MOST_NAMES else ""
    subject = (
        re.split(r" has the structure|: JSON with", flat(requirement.text), maxsplit=1)[0].split(" > ")[-1].rstrip(":")
    )
    return make_item(
        requirement,
        "requirement",
        f"{subject} has {', '.join(names[:MOST_NAMES])}{more}",
        rule="shown-structure",
        expected=f"{subject} has {', '.join(names[:MOST_NAMES])}{more}, of the types shown",
    )


def _under(condition: str, clause: str) -> list[tuple[str, str]]:
    """The clause under each of its conditions; one that it holds itself, `saved on both blur and enter`, is taken out of it."""
    own = _BOTH.search(clause)
    if condition or own is None or not _own(clause):
        return [(alternative, clause) for alternative in alternatives(condition)]
    return [(own[name].strip(), clause[: own.start()].strip()) for name in ("a", "b")]


def _own(clause: str) -> str:
    """The two conditions that close a clause, `on both blur and enter`; what the same sentence goes on with is under them too."""
    found = _BOTH.search(clause)
    return found[0] if found and found[0].lower().startswith("on ") else ""


def clauses(response: str) -> list[str]:
    """The separate outcomes of a response: `creates the todo, appends it to the list, and clears the input` gives three.

    A response is split only where every part begins with a verb; otherwise it stays whole.
    """
    text = flat(response).rstrip(" .;")
    parts = [part.strip(" ,") for part in _SPLIT.split(text)]
    if len(parts) < 2 or any(len(part) < 6 for part in parts) or not _ENDS_IN_AND.search(text):
        return [text]
    if not _HAS_VERB.search(parts[0]):
        return [text]
    if any(_first(part) in _NOT_VERBS or _NOUN_FIRST.match(part) for part in parts[1:]):
        return [text]
    subject = re.match(
        r"((?:the|a|an|each|every|any|all|this|it|they)\b[^,]{0,60}?) (?:must|shall|should|will|can|is|are)\b",
        text,
        re.I,
    )
    if subject is None:
        return parts
    lead = text[subject.end(1) :].split()[0]
    return [
        parts[0],
        *(part if _OWN_SUBJECT.match(part) else _with_subject(part, subject[1], lead) for part in parts[1:]),
    ]


def _with_subject(part: str, subject: str, modal: str) -> str:
    """A later clause needs the subject of the first; a plain verb form needs its modal too."""
    first = _first(part)
    if first in ("must", "shall", "should", "will", "can", "may", "is", "are", "be"):
        return f"{subject} {part}"
    return f"{subject} {modal} {part}" if not first.endswith("s") else f"{subject} {part}"


def _first(part: str) -> str:
    words = part.lower().split()
    return words[1] if len(words) > 1 and words[0] in ("also", "then", "always", "never", "not") else words[0]


def alternatives(condition: str) -> list[str]:
    """The separate conditions of one that names two: `on both blur and enter` gives `on blur` and `on enter`."""
    if not condition:
        return [""]
    if both := _BOTH.search(condition):
        lead = condition[: both.start()]
        preposition = both[0].split(" ", 1)[0] if both[0].split(" ", 1)[0].lower() in ("on", "by", "via") else ""
        return [" ".join(f"{lead} {preposition} {both[name].strip()}".split()) for name in ("a", "b")]
    either = _OR.match(condition)
    if either and condition.lower().count(" or ") == 1 and not _LISTING.search(condition):
        return [f"{either['head']}{either[name]}{either['tail']}".strip() for name in ("a", "b")]
    return [condition]
