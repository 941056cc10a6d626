"""What tells two reports apart although their texts are alike: ticket, branch, platform, part; and what is routine.

Read from what a report says first, its summary, where people put the difference on purpose. Pure pattern matching.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.facts import lexicon
from qa_agents.triage.facts.extract import comparable, extract_facts

SUMMARY_CHARS, OPENING_CHARS, TEXT_CHARS = 500, 300, 20_000
ROUTINE_SEEN = 2
"""A text that was filed and closed so often before, and never linked, is a chore that comes back."""
TASKS = frozenset({"task", "sub-task", "subtask", "technical task", "chore", "epic", "test", "test case"})
"""Types, in lower case, of work that is done, not of a bug that is fixed: it cannot break again."""
COPY = "a copy for another branch"

_TICKET = re.compile(r"(?<![\w-])(?:([A-Z][A-Z0-9_]{1,9})-\d{1,7}|#\d{2,7})(?![\w-]|\.\d)", re.ASCII)
_STANDARDS = frozenset({"UTF", "ISO", "SHA", "MD", "RFC", "AES", "HTTP", "TLS", "IPV", "USB", "IEEE", "UCS"})
_BRANCH_NAME = (
    r"(?:v?\d{1,3}(?:[._]\d{1,3}){0,3}[._][xX]|v?\d{1,3}(?:_\d{1,3}){1,3}"
    r"|(?:release|releases|hotfix|stable|maint|maintenance|support)[/_-]\w[\w.-]{0,30})"
)
_BRANCH_OR_VERSION = rf"(?:the )?(?:branch )?({_BRANCH_NAME}|v?\d{{1,3}}(?:\.\d{{1,3}}){{1,3}})(?![\w.])"
_PORT = re.compile(
    r"\b(?:back[ -]?port|forward[ -]?port|cherry[ -]?pick|uplift)(?:s|ed|ing)?\b"
    rf"|\b(?:port|merge)(?:ed|d|ing)?\b[^\n]{{0,40}}?\b(?:in)?to {_BRANCH_OR_VERSION}",
    re.ASCII | re.IGNORECASE,
)
_PORT_OF = re.compile(
    r"\b(?:back[ -]?port|forward[ -]?port|cherry[ -]?pick|port) (?:of|for|from)\b", re.ASCII | re.IGNORECASE
)
_TAGGED = re.compile(
    rf"^\s{{0,3}}({_BRANCH_NAME})\s{{0,3}}[:\-]|[\[(]({_BRANCH_NAME})(?: branch)?[\])]", re.ASCII | re.IGNORECASE
)
_DESTINATION = re.compile(rf"\b(?:in)?(?:to|for|on|onto) {_BRANCH_OR_VERSION}", re.ASCII | re.IGNORECASE)
_ON_BRANCH = re.compile(
    r"\b(?:for|on|to) (?:the )?(v?\d[\w.]{0,20}|master|main|trunk|develop|stable|maintenance|release[\w./-]{0,30}) branch\b"
    r"|\bbranch (v?\d[\w.]{0,20})",
    re.ASCII | re.IGNORECASE,
)
_LEAD = re.compile(r"^\s{0,3}(?:[\[(]([^\[\]()\n]{1,30})[\])]|([A-Za-z][\w /,&+]{0,24}?)\s{0,2}(?:: |:$| - | – ))")
_BRACKETS = re.compile(r"\(([^()\n]{1,60})\)|\[([^\[\]\n]{1,60})\]")
_MOBILE_WEB = re.compile(r"\bmobile ?web\b", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])(?<!line )\d{1,3}(?![\w.]*\d|\w)", re.ASCII)
_DIGITS = re.compile(r"\d{1,30}", re.ASCII)
_NO_WORD = re.compile(r"[\W_]{1,200}")


def headline_conflicts(mine: Report, theirs: Report) -> dict[str, str]:
    """Where what two reports say first cannot be the same bug: dimension to the difference in words."""
    found: dict[str, str] = {}
    ours, others = tickets(mine), tickets(theirs)
    if ours and others and not ours & others:
        found["ticket"] = f"ticket: {_shown(ours)} vs {_shown(others)}"
    if branches := _branches_apart(mine, theirs):
        found["branch"] = f"{COPY}: {branches}"
    here, there = platforms(mine), platforms(theirs)
    if here and there and not here & there:
        found["for_platform"] = f"filed for: {_shown(here)} vs {_shown(there)}"
    if part := _parts_apart(mine.summary[:SUMMARY_CHARS], theirs.summary[:SUMMARY_CHARS]):
        found["part"] = f"part: {part}"
    return found


def tickets(report: Report) -> frozenset[str]:
    """Ids of other tickets that the summary names: `ABC-12`, `#345`."""
    matches = _TICKET.finditer(report.summary[:SUMMARY_CHARS])
    return frozenset(match.group() for match in matches if (match[1] or "") not in _STANDARDS)


def branch_marks(report: Report) -> frozenset[str] | None:
    """The branches a report is filed for, in one spelling; empty: for one that it does not name; None: not marked."""
    summary, opening = report.summary[:SUMMARY_CHARS], report.description[:OPENING_CHARS].lstrip()
    tagged = [match[1] or match[2] for match in _TAGGED.finditer(summary)]
    named = [match[1] or match[2] for match in _ON_BRANCH.finditer(summary)]
    ported = _PORT.search(summary) is not None or _PORT_OF.search(opening) is not None
    if ported:
        named += [match[1] for match in _DESTINATION.finditer(summary)]
    if not (tagged or named or ported):
        return None
    return frozenset(name.casefold().replace("_", ".").removeprefix("v") for name in (*tagged, *named))


def platforms(report: Report) -> frozenset[str]:
    """Systems a report is filed for: as its summary begins, else names them; else its platform; else labels, components."""
    summary = report.summary[:SUMMARY_CHARS]
    lead = _LEAD.match(summary)
    component = (report.model_extra or {}).get("component")
    components = (
        report.components if isinstance(report, Incident) else [component] if isinstance(component, str) else []
    )
    for text in (
        (lead[1] or lead[2]) if lead else "",
        summary,
        report.platform or "",
        ", ".join((*report.labels, *components)),
    ):
        if found := _systems(text[:SUMMARY_CHARS]):
            return found
    return frozenset()


def is_routine(report: Report, past: Iterable[Incident], as_of: datetime) -> bool:
    """Whether the report's whole text, numbers aside, was closed ROUTINE_SEEN times before without ever being linked.

    A text that shows an error is never routine: a bug may come back in the same words.
    """
    if comparable(extract_facts(report, TEXT_CHARS)).keys() & {"exception", "error_code", "top_frame"}:
        return False
    mine, known = _words(report), list(past)
    linked = {name for one in known for name in one.duplicate_of}
    seen = {
        one.id
        for one in known
        if one.id != report.id
        and not one.open_at(as_of)
        and not one.duplicate_of
        and one.id not in linked
        and _words(one) == mine
    }
    return len(seen) >= ROUTINE_SEEN


def is_task(incident: Incident) -> bool:
    """Whether the incident is a piece of work rather than a bug or a wish."""
    return (incident.type or "").strip().casefold() in TASKS


def _branches_apart(mine: Report, theirs: Report) -> str | None:
    ours, others = branch_marks(mine), branch_marks(theirs)
    if (ours is None) != (others is None) or (ours and others and not ours & others):
        return f"{_branch_words(ours)} vs {_branch_words(others)}"
    return None


def _branch_words(marks: frozenset[str] | None) -> str:
    return "not marked" if marks is None else _shown(marks) or "backport"


def _parts_apart(mine: str, theirs: str) -> str | None:
    """The bracketed words, lead-ins, or small numbers by which two otherwise equal summaries differ; None: no such."""
    for cut in (_brackets, _lead_ins, _numbers):
        (ours, here), (others, there) = cut(mine), cut(theirs)
        if ours and here and there and here != there and _plain(ours) == _plain(others):
            return f"{', '.join(here)} vs {', '.join(there)}"
    return None


def _brackets(summary: str) -> tuple[str, list[str]]:
    found = [" ".join((match[1] or match[2]).casefold().split()) for match in _BRACKETS.finditer(summary)]
    return _BRACKETS.sub(" ", summary), found


def _lead_ins(summary: str) -> tuple[str, list[str]]:
    lead = _LEAD.match(summary)
    return (summary[lead.end() :], [_plain(lead[1] or lead[2])]) if lead else (summary, [])


def _numbers(summary: str) -> tuple[str, list[str]]:
    """Versions of software and systems are left in place: they have dimensions of their own."""
    report = Report(id="summary", summary=summary)
    named = [(f.start, f.end) for f in extract_facts(report) if f.name in ("version", "os", "platform")]
    found = [m for m in _NUMBER.finditer(summary) if not any(start <= m.start() < end for start, end in named)]
    rest = summary
    for match in reversed(found):
        rest = f"{rest[: match.start()]} {rest[match.end() :]}"
    return rest, [match.group() for match in found]


def _systems(text: str) -> frozenset[str]:
    if not text:
        return frozenset()
    facts = comparable(extract_facts(Report(id="text", summary=text)))
    web = (
        text.strip().casefold() == "web"  # amid a sentence it may be any page
        or _MOBILE_WEB.search(text) is not None
        or bool(facts.get("platform", set()) & lexicon.BROWSERS)
    )
    return frozenset(facts.get("os", set()) | ({"web"} if web else set()))


def _plain(text: str) -> str:
    return " ".join(_NO_WORD.sub(" ", text.casefold()).split())


def _words(report: Report) -> str:
    return _plain(_DIGITS.sub("0", report.text[:TEXT_CHARS]))


def _shown(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)[:3])
