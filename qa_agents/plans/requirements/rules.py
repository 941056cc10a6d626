"""Decision rules, transitions and permissions as sentences state them."""

import re

from qa_agents.plans.read.parsed import word_set
from qa_agents.plans.requirements import lexicon as words
from qa_agents.plans.schema import Condition, DecisionRule, Permission, Transition

FLAGS = re.IGNORECASE
IF = re.compile(
    r"(?:(?:and|but|also)\s+)?(?P<key>if|unless|in case|provided that|while|where|"
    r"when)\s+(?P<conditions>[^;]{3,300}?)(?:,\s*(?:then\s+)?|\s+then\s+)(?P<outcome>.{3,400})",
    FLAGS | re.DOTALL,
)
TAIL_IF = re.compile(
    r"(?P<outcome>.{5,300}?)\s+(?P<key>only if|if|unless)\s+(?P<conditions>[^;.]{3,300})\.?\Z", FLAGS | re.DOTALL
)
OTHERWISE = re.compile(
    r"(?:otherwise|else|in all other cases|in any other case)\b,?\s*(?P<outcome>.{3,300})", FLAGS | re.DOTALL
)
AND = re.compile(r",?\s+and\s+(?:if\s+|when\s+)?", FLAGS)
EXISTS = re.compile(r"there (?:is|are) (?P<no>no|not any)?\s*(?P<name>.{2,120})", FLAGS)
CONDITION = re.compile(
    r"(?:(?:the|an?|any|all|its|their|your)\s+)?(?P<name>[^,]{1,80}?)\s+(?P<verb>is|are|has|have|"
    r"was|were|equals?|exceeds?|contains?|starts? with|ends? with|does not|do not|"
    r"cannot|can|fails?|matches|includes?|lacks?|already|exists?)(?:\s+(?P<value>.{1,160}))?\Z",
    FLAGS | re.DOTALL,
)
HEDGED = re.compile(r"\beven (?:if|when)\s\Z|,\s(?:if|when)\s\Z|\b(?:as|what) if\s\Z", FLAGS)
STATE = r"[`\"“*_]*(?P<{name}>[A-Za-z][\w-]*(?: [A-Za-z][\w-]*){{0,2}}?)[`\"”*_]*"
FROM_TO = re.compile(
    r"\bfrom\s+"
    + STATE.format(name="before")
    + r"(?:\s+(?:state|status))?\s+(?:back\s+)?(?:in)?to\s+"
    + STATE.format(name="after")
    + r"(?:\s+(?:state|status))?(?:\s+(?P<key>when|once|after|if|on|upon|as soon as|"
    r"by)\s+(?P<event>[^.;]{2,160})|(?=[.,;)]|\Z))",
    FLAGS,
)
STATE_VERB = re.compile(
    r"\b(?:moves?|changes?|transitions?|goes|go|switch(?:es)?|turns?|returns?|passes|advances?|"
    r"progress(?:es)?|status|state|set)\b",
    FLAGS,
)
ARROW = re.compile(
    STATE.format(name="before")
    + r"\s*(?:→|->|=>|—>|-->)\s*"
    + STATE.format(name="after")
    + r"(?:\s*(?::|\(|on|when|after)\s*(?P<event>[^).;\n]{2,120}))?",
    FLAGS,
)
BECOMES = re.compile(
    r"(?:(?P<key>when|once|after|if|upon|on)\s+(?P<lead>[^,]{3,160}),\s*)?(?:an?|the|its|"
    r"each)?\s*(?P<thing>[\w -]{2,40}?)\s+(?:becomes?|is marked (?:as )?|moves? to|changes? to|"
    r"goes (?:back )?to|"
    r"is set to|enters?|returns? to|(?:status|state) (?:becomes|changes to|is set to))\s+(?:the\s+)?"
    + STATE.format(name="after")
    + r"(?:\s+(?:state|status))?(?:\s+(?:when|once|after|if|upon)\s+(?P<event>[^.;,]{3,160}))?(?=[.,;]|\Z)",
    FLAGS,
)
GUARD = re.compile(r"\s+(?:only )?(?:if|provided that|unless|while)\s+(?P<guard>.{3,120})", FLAGS)
ONLY_CAN = re.compile(
    rf"\bonly\s+(?P<roles>{words.ROLES}(?:(?:,| and| or|, and|"
    rf", or)\s+{words.ROLES})*|[a-z][\w -]{{1,40}}?)(?P<with>\s+with [^,.;]{{2,60}}?)?\s+(?:can|may|is allowed to|"
    rf"are allowed to|should be able to|must be able to)\s+"
    r"(?P<what>[^.;]{3,160})",
    FLAGS,
)
ROLE_CAN = re.compile(
    rf"(?:\A|[.;,]\s*|\band\s+|\bbut\s+)(?P<roles>{words.ROLES}(?:(?:,| and| or|, and|"
    rf", or)\s+{words.ROLES})*)\s+(?P<can>can only|can|may only|may|must not|may not|cannot|can't|"
    rf"can not|"
    r"must never|should not|should be able to|must be able to|shall be able to|(?:is|"
    r"are) (?:not )?(?:allowed|permitted|able) to|(?:has|have) (?:no )?(?:access|"
    r"permission) to)\s+(?P<what>[^.;]{3,160})",
    FLAGS,
)
BY_ONLY = re.compile(
    rf"(?P<what>[A-Za-z`][^.;]{{3,100}}?)\s+(?:can|may|must) (?:only be|"
    rf"be) (?P<done>[a-z]+)(?: only)? by\s+(?P<roles>{words.ROLES}(?:(?:,| and|"
    rf" or)\s+{words.ROLES})*)",
    FLAGS,
)
ROLE_SPLIT = re.compile(r",\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", FLAGS)
NESTED = re.compile(r"\b(?:if|when|unless)\b.*\b(?:otherwise|else)\b", FLAGS | re.DOTALL)
EVERYBODY_ELSE = "everybody else"
NOT_STATES = word_set("top bottom left right the a an one another start end it its date time server client ")


def rules_of(text: str, before: str = "") -> list[DecisionRule]:
    """If-then rules of one sentence; `before` is the sentence before it, whose conditions `otherwise` turns round."""
    text = text[:1000].strip()
    otherwise = OTHERWISE.match(text)
    if otherwise and before:
        negated = [
            Condition(name=condition.name, value=turned_round(condition.value))
            for rule in rules_of(before)
            for condition in rule.conditions
        ]
        return (
            [DecisionRule(conditions=negated, outcome=_outcome(otherwise.group("outcome")), quote=text)]
            if negated
            else []
        )
    match = IF.match(text)
    if (
        match
        and match.group("key").lower() == "when"
        and not re.search(r"\b(?:is|are|has|have|exceeds?|equals?)\b", match.group("conditions"), FLAGS)
    ):
        return []  # an event, not a condition
    match = match or TAIL_IF.match(text)
    if not match or HEDGED.search(text[: match.start("conditions")]) or len(match.group("conditions").split()) < 2:
        return []
    turned = match.group("key").lower() == "unless"
    conditions = [
        condition_of(part, turned) for part in AND.split(match.group("conditions").strip(" ,")) if part.strip()
    ]
    if NESTED.search(match.group("outcome")):
        return []  # its "otherwise" belongs to the inner condition
    outcome, _, rest = _outcome(match.group("outcome")).partition("; otherwise")
    outcome = re.split(r",?\s+(?:otherwise|else)\b,?\s*", outcome, maxsplit=1)[0]
    rules = [DecisionRule(conditions=conditions, outcome=outcome, quote=text)]
    other = re.search(r"[,;]\s*(?:otherwise|else)\b,?\s*(.{3,200})", match.group("outcome"), FLAGS)
    if other or rest:
        negated = [Condition(name=condition.name, value=turned_round(condition.value)) for condition in conditions]
        rules.append(DecisionRule(conditions=negated, outcome=_outcome(other.group(1) if other else rest), quote=text))
    return rules


def condition_of(text: str, turned: bool = False) -> Condition:
    """`the amount is over 100` as name and value."""
    exists = EXISTS.match(text.strip())
    if exists:
        return Condition(
            name=exists.group("name").strip(), value="absent" if bool(exists.group("no")) != turned else "present"
        )
    match = CONDITION.match(text.strip())
    if not match:
        return Condition(name=text.strip()[:120], value="no" if turned else "yes")
    verb = match.group("verb").lower()
    value = (match.group("value") or "").strip()
    value = value or "yes"
    if verb not in ("is", "are", "was", "were", "equal", "equals"):
        value = f"{verb} {match.group('value') or ''}".strip()
    return Condition(name=match.group("name").strip()[:120], value=turned_round(value) if turned else value[:160])


def turned_round(value: str) -> str:
    """The other side of a condition's value: `paid` gives `not paid`, `not paid` gives `paid`."""
    return value[4:] if value.lower().startswith("not ") else f"not {value}"


def _outcome(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" .")[:400]


def transitions_of(text: str) -> list[Transition]:
    """State changes that a sentence states."""
    text = text[:1000]
    found: list[Transition] = []
    for match in FROM_TO.finditer(text):
        before, after = match.group("before").strip(), match.group("after").strip()
        if STATE_VERB.search(text) and before.lower() not in NOT_STATES and after.lower() not in NOT_STATES:
            lead = re.match(r"(?:when|once|after|upon|if)\s+([^,]{3,160}),", text, FLAGS)
            found.append(
                _transition(before, match.group("event") or (lead.group(1) if lead else ""), after, match.group())
            )
    found = found or [
        _transition(match.group("before"), match.group("event") or "", match.group("after"), match.group())
        for match in ARROW.finditer(text)
    ]
    for match in BECOMES.finditer(text) if not found else ():
        event = match.group("lead") or match.group("event")
        if (
            event
            and match.group("after").lower() not in NOT_STATES
            and match.group("thing").strip().lower() not in ("it", "user", "users")
        ):
            found.append(_transition("", event, match.group("after"), match.group()))
    return [item for item in found if item.after][:20]


def _transition(before: str, event: str, after: str, quote: str) -> Transition:
    guard = GUARD.search(event)
    return Transition(
        before=before.strip(),
        event=event[: guard.start()].strip() if guard else event.strip(),
        after=after.strip(),
        guard=guard.group("guard").strip() if guard else None,
        quote=quote.strip(),
    )


PASSIVE_DEED = re.compile(r"\s*(?:(?:then|also|now|only|not|always) )*be\b(?! able to\b)", FLAGS)
"""`The author can be set to …` says what happens to somebody, not what somebody may do."""
UNRESTRICTED_OWNER = re.compile(r"\b(?:by|to) (?:the )?users?\b", FLAGS)


def permissions_of(text: str) -> list[Permission]:
    """Who may and may not, as a sentence states it; `only` also says that everybody else may not."""
    text = text[:1000]
    found: list[Permission] = []
    for match in ONLY_CAN.finditer(text):
        if PASSIVE_DEED.match(match.group("what")):
            continue
        roles = [*_roles(match.group("roles") + (match.group("with") or "")), EVERYBODY_ELSE]
        found += _permissions(roles, _action(match.group("what")), True, match.group())
    for match in BY_ONLY.finditer(text) if not found else ():
        resource = re.sub(r"^(?:the|an?|all|each)\s+", "", match.group("what").strip(), flags=FLAGS)
        if "only" not in match.group().lower() and UNRESTRICTED_OWNER.search(match.group()):
            continue  # a user is whoever uses the product: nothing is said of others
        others = [EVERYBODY_ELSE] if "only" in match.group().lower() else []
        roles = [*_roles(match.group("roles")), *others]
        found += _permissions(roles, (match.group("done"), resource), True, match.group())
    for match in ROLE_CAN.finditer(text) if not found else ():
        allowed = not re.search(r"\bnot\b|n't|cannot|never|\bno\b", match.group("can").lower())
        if not PASSIVE_DEED.match(match.group("what")):
            found += _permissions(_roles(match.group("roles")), _action(match.group("what")), allowed, match.group())
    return found[:20]


def _permissions(roles: list[str], of: tuple[str, str | None], allowed: bool, quote: str) -> list[Permission]:
    action, resource = of
    return [
        Permission(
            role=role,
            action=action,
            resource=resource,
            allowed=allowed and role != EVERYBODY_ELSE,
            quote=quote.strip(" ,.;"),
        )
        for role in roles
    ]


def _roles(text: str) -> list[str]:
    roles = [
        re.sub(r"^(?:an?|the|all|any|only|both|other)\s+", "", part.strip(), flags=FLAGS)
        for part in ROLE_SPLIT.split(text)
    ]
    return [role.lower() for role in roles if role]


def _action(text: str) -> tuple[str, str | None]:
    parts = re.sub(r"\s+", " ", text).strip(" .").split(" ", 1)
    return parts[0].lower(), parts[1] if len(parts) > 1 else None
