"""Tables by what their columns say they are: fields with limits, decisions, states, roles, requirements, or plain facts."""

import re
from collections.abc import Iterator, Sequence

from qa_agents.plans.read import Document
from qa_agents.plans.requirements.drafts import EXPLICIT, Draft
from qa_agents.plans.requirements.ears import Shape
from qa_agents.plans.requirements.judge import Context as Around
from qa_agents.plans.requirements.judge import is_negated, judge, modality_of
from qa_agents.plans.requirements.limits import fields_of, listed
from qa_agents.plans.requirements.measures import NUMBER, UNIT, UNITS, bounds, number_of
from qa_agents.plans.requirements.rules import permissions_of, rules_of, transitions_of
from qa_agents.plans.schema import Block, Condition, DecisionRule, FieldSpec, Permission, Transition

FLAGS = re.IGNORECASE
ID = re.compile(r"(?:(?:req(?:uirement)?|rule|test|case)?\s*(?:id|no\.?|#|number|ref(?:erence)?|key)|#)\Z", FLAGS)
STATEMENT = re.compile(
    r"(?:requirements?|statement|behaviou?r|rule|acceptance criteri(?:a|on)|shall|criteri(?:a|on)|user story|story)\Z",
    FLAGS,
)
FIELD = re.compile(
    r"(?:fields?|field name|name|parameters?|attributes?|propert(?:y|ies)|input|setting|option|column|element|item)\Z",
    FLAGS,
)
LIMITS = {
    "type": r"(?:data ?)?type|kind",
    "required": r"required\??|mandatory\??|optional\??|obligatory",
    "minimum": r"min(?:imum)?(?: value)?|lower(?: limit| bound)?|from",
    "maximum": r"max(?:imum)?(?: value)?|upper(?: limit| bound)?",
    "min_length": r"min(?:imum)?\.? ?length",
    "max_length": r"max(?:imum)?\.? ?length|length",
    "default": r"default(?: value)?",
    "enum": r"(?:allowed |possible |valid |permitted |accepted )?values|enum(?:eration)?|choices|options",
    "pattern": r"pattern|regex(?:p)?|format",
    "unit": r"units?",
    "rule": (
        r"rules?|constraints?|validations?|range|limits?|allowed|restrictions?|description|notes?|"
        r"comment|details|remarks?"
    ),
}
LIMIT = {key: re.compile(rf"(?:{pattern})\Z", FLAGS) for key, pattern in LIMITS.items()}
BEFORE = re.compile(r"(?:from|current|source|old|start(?:ing)?|initial)?\s*(?:state|status)?\Z|from|before", FLAGS)
AFTER = re.compile(r"(?:(?:to|next|target|new|resulting|end|final)(?:\s+(?:state|status))?|after)\Z", FLAGS)
EVENT = re.compile(r"(?:event|action|trigger|when|transition|on|cause|user action)\Z", FLAGS)
GUARD = re.compile(r"(?:guard|condition|only if|if|precondition)s?\Z", FLAGS)
OUTCOME = re.compile(
    r"(?:results?|outcomes?|then|expected(?: (?:result|outcome|behaviou?r))?|decision|response|"
    r"output|effect|actions?|discount|fee|shipping(?: cost)?|price|rate|tax|"
    r"message|error(?: message)?|behaviou?r|status(?: code)?|approval|allowed\??|delivery|consequence|reaction)\Z",
    FLAGS,
)
CONDITIONED = re.compile(
    r"(?:error|code|status(?: code)?|http(?: status)?|when|condition|case|situation|scenario|event|"
    r"input|if|meaning|reason)s?\Z",
    FLAGS,
)
ROLE = re.compile(r"(?:roles?|actors?|users?|user (?:type|role)s?|personas?|groups?|who)\Z", FLAGS)
ACTION = re.compile(
    r"(?:actions?|permissions?|operations?|features?|capabilit(?:y|ies)|functions?|resources?|"
    r"rights?|screens?|pages?|endpoints?)\Z",
    FLAGS,
)
YES = re.compile(r"(?:yes|y|x|✓|✔|✅|☑|true|allowed?|full|can|●|permitted|granted|own(?: only)?)\b|[✓✔✅☑●]", FLAGS)
NO = re.compile(r"(?:no|n|✗|✘|❌|✖|–|—|-|false|denied|deny|none|cannot|forbidden|not allowed)?\s*\Z|[✗✘❌✖]", FLAGS)
MOST_WORDS = 5
"""Of a cell that is a value and no text."""
TRUTH = re.compile(r"(?:yes|y|true|required|mandatory|x|✓|✔|✅|always|m)\Z", FLAGS)


def drafts_of_table(document: Document, rows: Sequence[Block], around: Around) -> Iterator[Draft]:
    """One draft a row; what the columns mean is told by their names, and by the cells where those say nothing."""
    columns = list(rows[0].cells)
    shape = kind_of_table(columns, rows)
    for row in rows:
        cells = dict(row.cells)
        if not any(cells.values()):
            continue
        draft = Draft(document, [row], row.start, row.end, _in_words(cells, around))
        own = next((name for name in columns if ID.match(name.strip())), None)
        if own and re.fullmatch(r"[A-Za-z]{1,10}[-_. ]?\d[\w.-]*", cells[own]):
            draft.explicit_id = cells[own].replace(" ", "-")
            cells.pop(own)
            draft.text = _in_words(cells, around)
        if FILLERS[shape](draft, cells, around):
            draft.modality = draft.modality if draft.modality != "none" else modality_of(draft.text, around)
            draft.stated = draft.stated or draft.text
            yield draft


def kind_of_table(columns: Sequence[str], rows: Sequence[Block]) -> str:
    """field, state, roles, decision, statement or facts."""
    names = [name.strip() for name in columns]
    told = [name for name in names if not ID.match(name)]
    if not told:
        return "facts"
    both_ends = any(AFTER.match(name) for name in told) and any(BEFORE.match(name) for name in told)
    if both_ends and len(told) >= 2 and any(re.search(r"state|status|^from$|^before$", name, FLAGS) for name in told):
        return "state"
    marks = [cell.strip() for row in rows for name, cell in list(row.cells.items())[1:]]
    marked = bool(marks) and sum(bool(YES.match(mark) or NO.match(mark)) for mark in marks) >= 0.8 * len(marks)
    if marked and len(told) >= 2 and (ACTION.match(told[0]) or ROLE.match(told[0])):
        return "roles"
    if any(STATEMENT.match(name) for name in told) and not any(OUTCOME.match(name) for name in told[1:]):
        return "statement"
    if FIELD.match(told[0]) and any(pattern.match(name) for name in told[1:] for pattern in LIMIT.values()):
        return "field"
    if len(told) >= 2 and (
        OUTCOME.match(told[-1]) or (len(told) >= 3 and any(OUTCOME.match(name) for name in told[1:]))
    ):
        return "decision"
    if len(told) >= 2 and CONDITIONED.match(told[0]) and (CONDITIONED.match(told[1]) or LIMIT["rule"].match(told[1])):
        return "decision"
    return "decision" if _depends(told, rows) else "facts"


def _depends(told: Sequence[str], rows: Sequence[Block]) -> bool:
    """Whether the last column depends on the others, whatever they are called: short cells, each combination once, and both a
    condition and an outcome that occur again."""
    cells = [[row.cells.get(name, "").strip() for name in told] for row in rows]
    if (
        len(told) < 3
        or len(rows) < 2
        or any(len(cell.split()) > MOST_WORDS or not cell for row in cells for cell in row)
    ):
        return False
    given = [tuple(row[:-1]) for row in cells]
    again = any(len({row[place] for row in cells}) < len(cells) for place in range(len(told) - 1))
    return len(set(given)) == len(given) and again and len({row[-1] for row in cells}) < len(cells)


def _in_words(cells: dict[str, str], around: Around) -> str:
    words = "; ".join(f"{name}: {cell}" for name, cell in cells.items() if cell)
    return f"{around.heading_path[-1]}: {words}" if around.heading_path else words


def _field(draft: Draft, cells: dict[str, str], around: Around) -> bool:
    name_column = next(name for name in cells if not ID.match(name))
    values = {
        key: next((cells[name] for name in cells if LIMIT[key].match(name.strip()) and name != name_column), "")
        for key in LIMITS
    }
    name = cells[name_column]
    if not name:
        return False
    plain_name, unit = _name_and_unit(name)
    # every column that is prose is read for limits, as the statement that the field has them
    prose = [
        cells[column]
        for column in cells
        if column != name_column and LIMIT["rule"].match(column.strip()) and cells[column]
    ]
    found = next(
        (spec for text in prose for spec in fields_of(f"{plain_name} must be {text}") if _says(spec)),
        FieldSpec(name=name),
    )
    update: dict[str, object] = {"name": plain_name, "quote": draft.quote[:300]}
    if unit and found.unit is None:
        update["unit"] = unit
    if values["type"]:
        update["type"] = values["type"].lower()
    if values["required"]:
        column = next(column for column in cells if LIMIT["required"].match(column.strip()))
        stated = bool(TRUTH.match(values["required"]))
        update["required"] = (
            stated != column.lower().startswith("optional") if column.lower() != "optional" else not stated
        )
    for key in ("minimum", "maximum", "min_length", "max_length"):
        spans = bounds(values[key])
        number = re.search(NUMBER, values[key])
        if spans and key == "max_length":
            update["min_length"] = int(spans[0].low) if spans[0].low is not None else None
            update["max_length"] = int(spans[0].high) if spans[0].high is not None else None
        elif number:
            value = number_of(number.group())
            update[key] = int(value) if key.endswith("length") else value
    for key in ("default", "unit", "pattern"):
        if values[key] and values[key] not in ("-", "–", "—", "none", "n/a"):
            update[key] = values[key]
    if values["enum"]:
        update["enum"] = listed(values["enum"])
    draft.fields = [found.model_copy(update={key: value for key, value in update.items() if value is not None})]
    draft.kind = "data"
    return True


_UNIT_IN_NAME = re.compile(rf"(?P<name>.+?)(?:\s*,\s*|\s*[(\[]\s*)(?:in )?(?P<unit>{UNIT})\s*[)\]]?\Z", FLAGS)


def _name_and_unit(name: str) -> tuple[str, str | None]:
    """`lifetime, minutes` and `lifetime (minutes)` are a name and its unit."""
    match = _UNIT_IN_NAME.match(name)
    return (match["name"], UNITS[match["unit"].lower()]) if match else (name, None)


def _says(spec: FieldSpec) -> bool:
    return any(
        [
            spec.minimum is not None,
            spec.maximum is not None,
            spec.min_length is not None,
            spec.max_length is not None,
            spec.enum,
            spec.pattern,
            spec.default,
        ]
    )


def _state(draft: Draft, cells: dict[str, str], around: Around) -> bool:
    after = next((name for name in cells if AFTER.match(name.strip())), None)
    before = next((name for name in cells if name != after and BEFORE.match(name.strip())), None)
    event = next((name for name in cells if name not in (after, before) and EVENT.match(name.strip())), None)
    guard = next((name for name in cells if name not in (after, before, event) and GUARD.match(name.strip())), None)
    if not after or not before or not cells[after] or NO.fullmatch(cells[after]):
        return _facts(draft, cells, around)
    draft.transitions = [
        Transition(
            before=cells[before],
            event=cells[event] if event else "",
            after=cells[after],
            guard=cells[guard] or None if guard else None,
            quote=draft.quote,
        )
    ]
    draft.kind = "functional"
    return True


def _roles(draft: Draft, cells: dict[str, str], around: Around) -> bool:
    first, *others = list(cells)
    permissions = []
    for name in others:
        role, action = (cells[first], name) if ROLE.match(first.strip()) else (name, cells[first])
        allowed = not NO.match(cells[name]) and bool(YES.match(cells[name]))
        note = cells[name] if allowed and len(cells[name]) > 4 and not YES.fullmatch(cells[name]) else None
        verb, _, resource = action.partition(" ")
        permissions.append(
            Permission(
                role=role.lower(),
                action=verb.lower(),
                resource=(f"{resource} ({note})" if note else resource) or None,
                allowed=allowed,
                quote=draft.quote,
            )
        )
    draft.permissions = permissions
    draft.kind = "security"
    return bool(permissions)


def _decision(draft: Draft, cells: dict[str, str], around: Around) -> bool:
    names = list(cells)
    called = [name for name in names[1:] if OUTCOME.match(name.strip())]
    outcomes = called or names[-1:]
    first = names[0].strip().lower()
    if re.match(r"(?:error|code|status|http)", first) and len(names) >= 2 and CONDITIONED.match(names[1].strip()):
        outcomes = [names[0], *[name for name in outcomes if name not in names[:2]]]
    conditions = [Condition(name=name, value=cells[name]) for name in names if name not in outcomes and cells[name]]
    outcome = "; ".join(
        cells[name] if len(outcomes) == 1 and called else f"{name}: {cells[name]}" for name in outcomes if cells[name]
    )
    if not conditions or not outcome:
        return _facts(draft, cells, around)
    draft.rules = [DecisionRule(conditions=conditions, outcome=outcome, quote=draft.quote)]
    draft.shape = Shape("none", None, None, None, None)  # a row is a rule and no sentence: its cells have no response
    draft.kind = "functional"
    return True


def _statement(draft: Draft, cells: dict[str, str], around: Around) -> bool:
    column = next(name for name in cells if STATEMENT.match(name.strip()))
    draft.stated = cells[column]
    if not cells[column]:
        return False
    match = EXPLICIT.match(cells[column])
    draft.stated = cells[column][match.end() :] if match else cells[column]
    draft.text = draft.stated
    draft.modality, draft.negated = modality_of(draft.stated, around), is_negated(draft.stated)
    structured(draft, draft.stated)
    return True


def _facts(draft: Draft, cells: dict[str, str], around: Around) -> bool:
    """A row of a table of nothing in particular: a requirement when one of its cells reads like one."""
    verdicts = [judge(cell, around) for cell in cells.values() if len(cell.split()) >= 3]
    if len(cells) == 2 and len(verdicts) == 1 and not verdicts[0].kind:  # a name and what it is
        verdicts = [judge(f"{next(iter(cells.values()))} is {list(cells.values())[1]}", around)]
    kinds = [verdict.kind for verdict in verdicts if verdict.kind]
    if not kinds:
        return False
    draft.kind = kinds[0]
    draft.stated = next(cell for cell in cells.values() if len(cell.split()) >= 3)
    draft.negated = is_negated(draft.stated)
    structured(draft, draft.stated)
    return True


def structured(draft: Draft, text: str) -> None:
    """Fill in what a statement's words say about fields, rules, states and roles."""
    draft.rules = draft.rules or rules_of(text)
    draft.transitions = draft.transitions or transitions_of(text)
    draft.permissions = draft.permissions or permissions_of(text)
    draft.fields = draft.fields or fields_of(main_clause(text))


LEADING = re.compile(r"(?:if|when(?:ever)?|while|where|unless|once|after|before)\b[^,]{1,300},\s*(?:then\s+)?", FLAGS)


def main_clause(text: str) -> str:
    """A statement without the condition that leads it in or closes it: limits in there are thresholds, not bounds of validity."""
    lead = LEADING.match(text)
    text = text[lead.end() :] if lead else text
    return re.split(r"\s(?:if|when|unless|whenever|while)\s", text, maxsplit=1)[0]


FILLERS = {
    "field": _field,
    "state": _state,
    "roles": _roles,
    "decision": _decision,
    "statement": _statement,
    "facts": _facts,
}
"""Kind of table to what fills a draft in; False: the row states nothing."""
