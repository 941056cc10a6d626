"""Fields as prose states them: what has limits, and its length, values, default, pattern and whether it is required."""

import re

from qa_agents.plans.read.parsed import word_set
from qa_agents.plans.requirements import lexicon as words
from qa_agents.plans.requirements.measures import FLAGS, LENGTHS, Span, bounds
from qa_agents.plans.schema import FieldSpec

ENUM = re.compile(
    r"\b(?:one of(?: the following| these| the)?(?: (?:types?|values?|formats?|options?|states?|statuses|"
    r"currencies|languages))?|either|any of|(?:allowed|permitted|valid|possible|"
    r"accepted|supported) (?:\w+ )?(?:values?|formats?|types?|"
    r"statuses|states|options|currencies|languages|extensions)(?: (?:are|is))?)\s*:?\s*(?P<list>[^.;:]{3,300})",
    FLAGS,
)
CODES = re.compile(r"`([^`\n]{1,60})`|\"([^\"\n]{1,60})\"|“([^”\n]{1,60})”")
LIST_SPLIT = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+|\s*/\s*|\s*\|\s*")
DEFAULT = re.compile(
    r"\b(?:defaults? (?:value )?(?:is|to|of|:)|default\s*[:=]|"
    r"is by default)\s*[`\"“]?(?P<value>[^\s`\"”,;)]{1,60})|"
    r"[`\"“](?P<quoted>[^`\"”\n]{1,40})[`\"”] (?:is the default|by default)",
    FLAGS,
)
PATTERN = re.compile(
    r"\b(?:match(?:es|ing)?|regex|regexp|regular expression|"
    r"pattern)\b[^`/\n]{0,40}(?:`(?P<code>[^`\n]{1,200})`|/(?P<slash>[^/\n]{1,200})/)",
    FLAGS,
)
FORMAT = re.compile(
    r"\b(?:in the|the|in|of the)?\s*format\s*:?\s*[`\"“]?(?P<value>[A-Za-z#0-9][A-Za-z#0-9/:.+\-\[\]{}]{3,40})[`\"”]?",
    FLAGS,
)
ONLY_CONTAIN = re.compile(
    r"\b(?:may|can|must|should) (?:only contain|contain only|consist (?:only )?of)\s+(?P<what>[^.;]{3,160})", FLAGS
)
TYPES = (
    ("email", re.compile(r"\be-?mail(?: address(?:es)?)?\b", FLAGS)),
    ("url", re.compile(r"\b(?:url|uri|web address)\b", FLAGS)),
    ("uuid", re.compile(r"\buuid\b", FLAGS)),
    ("datetime", re.compile(r"\b(?:date-?time|timestamp|date and time)\b", FLAGS)),
    ("date", re.compile(r"\b(?:date|birthday|day of birth)\b", FLAGS)),
    ("time", re.compile(r"\btime of day\b", FLAGS)),
    ("boolean", re.compile(r"\b(?:boolean|true or false|checkbox|flag)\b", FLAGS)),
    ("file", re.compile(r"\b(?:file|upload|attachment|image|photo)s?\b", FLAGS)),
    ("money", re.compile(r"\b(?:amount|price|fee|cost|total|balance|payment|discount)\b", FLAGS)),
    ("integer", re.compile(r"\b(?:integer|whole number|number of|count|quantity|age|attempts?)\b", FLAGS)),
    (
        "string",
        re.compile(
            r"\b(?:string|text|name|password|title|description|comment|username|phone|code|characters?|"
            r"letters|digits)\b",
            FLAGS,
        ),
    ),
)
SUBJECT = re.compile(
    rf"(?:(?:the|an?|each|every|any|all|its|their|"
    rf"your)\s+)?(?P<name>[^,.;:()]{{1,70}}?)\s+(?:{words.MODALS}|is|are|has|have|contains?|accepts?|"
    rf"holds?|consists?|"
    r"expires?|defaults?|takes?|supports?|allows?|times? out|matches|lasts?|=|:)(?=\s|\Z)",
    FLAGS,
)
TAKEN = re.compile(
    r"\b(?:enter|type|provide|supply|choose|specify|set|give|add|upload|have|has|select|store|hold|"
    r"contain|accept|allow|create|send|book|order)\s+(?:an?\s+|the\s+)?"
    r"(?P<name>[a-z][\w -]{0,40}?)\s+(?:of|with|between|from|up to|that|which|at least|at most|no more)\b",
    FLAGS,
)
LENGTH_OF = re.compile(
    r"\b(?:length|size|number|value|count|duration|maximum|minimum|format) of (?:the |an? |each )?|"
    r"\b(?:'s|’s) (?:length|size|value)\b|\s+(?:length|fields?|values?)\Z",
    FLAGS,
)
REQUIRED_LIST = re.compile(
    r"(?P<how>required|mandatory|optional|accepted|allowed) (?:fields?|parameters?|attributes?|"
    r"inputs?|properties|keys?)\s*(?::|are|is|include)\s*(?P<list>.{1,300})",
    FLAGS | re.DOTALL,
)
REQUIRED = re.compile(r"\b(?:is|are) (?P<how>not required|required|mandatory|optional|compulsory)\b", FLAGS)
AS_TYPE = re.compile(r"`([^`\n]{1,60})`\s+as (?:an? )?([\w ]{3,30})", FLAGS)
NOT_NAMES = word_set(
    "it this that any all each one none some both they there these those which who what he she we you i system the "
)


_QUOTED = re.compile(r"\"[^\"\n]{0,200}\"|“[^”\n]{0,200}”")
"""A number in words that are shown is no limit of anything."""


def subject_of(text: str) -> str | None:
    """What a statement is about, as a field's name."""
    match = SUBJECT.match(text.strip())
    name = match.group("name") if match else None
    if name is None or name.lower() in NOT_NAMES:
        taken = TAKEN.search(text)
        name = taken.group("name") if taken else name
    if name is None or re.match(rf"(?:{words.MODALS}|is|are|if|when|only|no|not|also|make|ensure|do)\b", name, FLAGS):
        return None
    name = re.sub(r"[*`\"“”_]", "", LENGTH_OF.sub("", name)).strip()
    name = re.sub(r"^(?:the|an?|each|every|any|all|if|when)\s+", "", name, flags=FLAGS)
    return name[:60] if name and name.lower() not in NOT_NAMES and len(name.split()) <= 7 else None


def type_of(name: str, text: str, unit: str | None) -> str | None:
    """The type that a name or its unit suggests; None when neither does."""
    if unit in LENGTHS:
        return "email" if TYPES[0][1].search(name) else "string"
    if unit in ("EUR", "USD", "GBP", "CHF", "JPY"):
        return "money"
    for kind, pattern in TYPES:
        if pattern.search(name):
            return kind
    if unit == "items":
        return "array"
    return (
        "number"
        if unit
        else next((kind for kind, pattern in TYPES[:6] if pattern.search(text) and kind != "date"), None)
    )


def listed(text: str) -> list[str]:
    """Values of an enumeration: what is set in code or quotes if anything is, else what stands between commas and `or`."""
    coded = [next(group for group in match.groups() if group) for match in CODES.finditer(text)]
    if len(coded) >= 2:
        return list(dict.fromkeys(coded))[:50]
    if len(coded) == 1:
        return coded
    parts = [re.sub(r"^(?:an?|the)\s+", "", part.strip(" .*_()")) for part in LIST_SPLIT.split(text)]
    parts = [part for part in parts if part]
    return list(dict.fromkeys(parts))[:50] if len(parts) >= 2 and all(len(part.split()) <= 3 for part in parts) else []


def fields_of(text: str) -> list[FieldSpec]:
    """Fields with the limits that a statement gives them; conditions that lead it in must have been cut off before."""
    text = text[:1500]
    required = _required_list(text)
    if required:
        return required
    name = subject_of(text)
    found = bounds(_QUOTED.sub(lambda words: " " * len(words[0]), text))
    fields: list[FieldSpec] = []
    by_name: dict[str, FieldSpec] = {}
    for span in found:
        own = _named_before(text, span) or name or _words_before(text, span)
        if own is None:
            continue
        spec = _spec(own, text, span)
        known = by_name.get(own)
        by_name[own] = _merged(known, spec) if known else spec
    extra = _more(text)
    if extra and name and not by_name:
        by_name[name] = FieldSpec(name=name, type=type_of(name, text, None))
    for own, spec in by_name.items():
        fields.append(spec.model_copy(update=extra) if own == name or len(by_name) == 1 else spec)
    return fields[:20]


def _named_before(text: str, span: Span) -> str | None:
    """For `a title of 3 to 80 characters and a body of at most 2 000`: the noun right before the bound."""
    match = re.search(
        r"\b(?:an?|the|each|its)\s+([a-z][a-z-]*(?: [a-z-]+)?)\s+(?:of|with|is|are)\s+(?:\w+\s+){0,1}\Z",
        text[: span.start],
        FLAGS,
    )
    return (
        match.group(1)
        if match and match.group(1).lower() not in ("length", "maximum", "minimum", "number", "range", "size")
        else None
    )


def _words_before(text: str, span: Span) -> str | None:
    """For `Search results appear within 2 seconds`: whatever stands before a bound on time or size."""
    before = text[: span.start].split()
    return " ".join(before) if span.unit and 2 <= len(before) <= 6 and before[0].isalpha() else None


def _spec(name: str, text: str, span: Span) -> FieldSpec:
    quote = text[span.start : span.end].strip()
    kind = type_of(name, text, span.unit)
    if span.unit in LENGTHS:
        low = int(span.low) + (0 if span.inclusive else 1) if span.low is not None else None
        high = int(span.high) - (0 if span.inclusive else 1) if span.high is not None else None
        return FieldSpec(name=name, type=kind, unit=span.unit, min_length=low, max_length=high, quote=quote)
    return FieldSpec(
        name=name,
        type=kind,
        unit=span.unit or _counted(text[span.end :]),
        minimum=span.low,
        maximum=span.high,
        minimum_inclusive=span.inclusive or span.low is None,
        maximum_inclusive=span.inclusive or span.high is None,
        quote=quote,
    )


_COUNTED = re.compile(r"\s*(?:(?!of\b)[a-z-]+\s)??(?P<noun>[a-z]{3,}s)\b(?!\s+(?:is|are|of)\b)", FLAGS)
_NO_NOUN = word_set("this its his has was does means unless less plus across always times others yes as is us per ")


def _counted(after: str) -> str | None:
    """What is counted, where its plural follows the number: 20 clients, 3 classes."""
    match = _COUNTED.match(after)
    return match["noun"].lower() if match and match["noun"].lower() not in _NO_NOUN else None


def _merged(known: FieldSpec, other: FieldSpec) -> FieldSpec:
    """Two bounds of one field; what the first states stays."""
    update: dict[str, object] = {}
    for key in ("minimum", "maximum", "min_length", "max_length", "unit", "type"):
        if getattr(known, key) is None and getattr(other, key) is not None:
            update[key] = getattr(other, key)
            if key in ("minimum", "maximum"):
                update[f"{key}_inclusive"] = getattr(other, f"{key}_inclusive")
    return known.model_copy(update=update)


def _more(text: str) -> dict[str, object]:
    """Everything about a field that is not a bound."""
    more: dict[str, object] = {}
    default = DEFAULT.search(text)
    if default:
        more["default"] = (default.group("value") or default.group("quoted")).rstrip(".")
    enum = ENUM.search(text)
    values = listed(enum.group("list")) if enum else []
    if enum and values:
        more.update(enum=values, quote=enum.group().strip())
    pattern = PATTERN.search(text)
    if pattern:
        more["pattern"] = pattern.group("code") or pattern.group("slash")
    else:
        only, form = ONLY_CONTAIN.search(text), FORMAT.search(text)
        if only:
            more["pattern"] = "only " + re.sub(r"[*`]", "", only.group("what")).strip()
        elif form and re.search(r"[A-Z]{2}|[-/:\[]", form.group("value")):
            more["pattern"] = form.group("value").rstrip(".:")
    required = REQUIRED.search(text)
    if required and _is_about_a_field(text, required):
        more["required"] = required.group("how").lower() in ("required", "mandatory", "compulsory")
    return more


def _is_about_a_field(text: str, required: re.Match[str]) -> bool:
    """`The e-mail address is required.`, not `Routing is required for all implementations`."""
    before, after = text[: required.start()], text[required.end() :]
    told = (
        "`" in before
        or re.search(r"\b(?:fields?|parameters?|attributes?|inputs?)\s*\Z", before, FLAGS)
        or type_of(before, "", None)
    )
    return bool(told) and len(before.split()) <= 6 and not re.match(r"\s+(?:for all|to be)\b", after)


def _required_list(text: str) -> list[FieldSpec]:
    match = REQUIRED_LIST.search(text)
    if not match:
        return []
    how = match.group("how").lower()
    types = {name: kind.strip().lower() for name, kind in AS_TYPE.findall(match.group("list"))}
    names = listed(match.group("list")) or [
        part for part in [match.group("list").strip(" .`")] if len(part.split()) == 1
    ]
    return [
        FieldSpec(
            name=name,
            required=how in ("required", "mandatory") or (None if how in ("accepted", "allowed") else False),
            place=None,
            type="array" if types.get(name, "").startswith("array") else types.get(name) or type_of(name, "", None),
            quote=match.group().strip()[:300],
        )
        for name in names[:30]
    ]
