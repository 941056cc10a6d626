"""What a model said about a report, held against what it was shown. Pure: no model, no memory.

Nothing here can lower a severity or open a gate: what holds is shown beside the statistics, and where the two part a
person is asked. A claim whose quote is not verbatim, whose numbers come from nowhere, or that holds a link is dropped.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from qa_agents.incidents.schema import Incident, Report
from qa_agents.llm.answers import AskedQuestions, FieldViews, FoundFacts, Judgements, PlainSummary, RootCause
from qa_agents.llm.checks import has_link, place_of, untraced
from qa_agents.llm.redact import mask, restore
from qa_agents.triage.schema import Evidence, Fact, FieldView, Hypothesis, Opinion, Question, Relation

Placeholders = Mapping[str, str]
MIN_FACT_QUOTE = 2
"""Characters: a version may be as short as that."""
CLAIMS = frozenset({"duplicate-of-open", "regression-of-fixed", "already-fixed"})
"""Relations that say that it is the same bug."""


def found_facts(found: FoundFacts, report: Report, known: Sequence[Fact], placeholders: Placeholders) -> list[Fact]:
    """The facts whose words stand in the report and that the rules did not find there."""
    taken = {(fact.field, fact.start, fact.end) for fact in known}
    facts: dict[tuple[str, int, int], Fact] = {}
    for one in found.facts:
        quote = restore(one.quote, dict(placeholders))
        for field, text in (("summary", report.summary), ("description", report.description)):
            if (place := place_of(quote, text, least=MIN_FACT_QUOTE)) is None:
                continue
            key = (field, *place)
            if not any(_overlaps(key, other) for other in taken):
                words = mask(text[slice(*place)])
                facts.setdefault(
                    key,
                    Fact(name=one.name, value=words[:200], quote=words, field=field, start=place[0], end=place[1]),
                )
            break
    return list(facts.values())


def opinions(found: Judgements, shown: Sequence[Incident], placeholders: Placeholders) -> list[Opinion]:
    """One opinion per shown incident at most; those on anything else, or without words of that incident, are dropped."""
    held: dict[str, Opinion] = {}
    for one in found.judgements:
        if one.candidate > len(shown):
            continue
        incident = shown[one.candidate - 1]
        evidence = _cited(one.quote, incident, placeholders)
        if evidence is not None:
            held.setdefault(incident.id, Opinion(incident_id=incident.id, same_fix=one.same_fix, evidence=evidence))
    return list(held.values())


def field_views(
    found: FieldViews, choices: Mapping[str, Sequence[str]], report: Report, placeholders: Placeholders
) -> list[FieldView]:
    """The choices that are of the lists shown and rest on verbatim words of the report."""
    told: tuple[tuple[Literal["component", "severity"], int, str], ...] = (
        ("component", found.component, found.component_quote),
        ("severity", found.severity, found.severity_quote),
    )
    views = []
    for field, number, quote in told:
        words = restore(quote, dict(placeholders))
        if not 1 <= number <= len(choices.get(field, ())):
            continue
        if (place := place_of(words, report.summary) or place_of(words, report.description)) is None:
            continue
        text = report.summary if place_of(words, report.summary) else report.description
        evidence = Evidence(kind="quote", text=one_line(text[slice(*place)]))
        views.append(FieldView(field=field, value=choices[field][number - 1], evidence=evidence))
    return views


def field_doubts(views: Sequence[FieldView], proposed: Mapping[str, str | None]) -> list[str]:
    """Where the model would choose another value than the one proposed, one sentence each."""
    return [
        f"The language model would choose the {view.field} {one_line(view.value)}."
        for view in views
        if proposed.get(view.field) not in (None, view.value)
    ]


def root_cause(
    found: RootCause, report: Report, shown: Sequence[Incident], placeholders: Placeholders
) -> Hypothesis | None:
    """The claims that hold, as one cited hypothesis; None where none does."""
    sentences, evidence = [], []
    for claim in found.claims:
        if claim.candidate > len(shown):
            continue
        incident = shown[claim.candidate - 1]
        cited = _cited(claim.quote, incident, placeholders)
        sources = (report.text, incident.text, incident.resolution_note or "", incident.id)
        if cited is not None and not has_link(claim.text) and not untraced(claim.text, sources):
            sentences.append(one_line(claim.text))
            evidence.append(cited)
    return Hypothesis(text=" ".join(sentences), evidence=evidence) if sentences else None


def questions(found: AskedQuestions, report: Report, missing: Sequence[Question]) -> list[str]:
    """The questions that ask for what is missing, without links, and without numbers that the report does not give."""
    worded: dict[int, str] = {}
    for asked in found.questions:
        if asked.asks_for <= len(missing) and not has_link(asked.text) and not untraced(asked.text, [report.text]):
            worded.setdefault(asked.asks_for, one_line(asked.text))
    return list(worded.values())


def summary(found: PlainSummary, report: Report) -> str:
    """The summary, where its numbers are the report's and it holds no link; else nothing."""
    sources = [report.text, report.version or "", report.platform or ""]
    return "" if has_link(found.text) or untraced(found.text, sources) else one_line(found.text)


def relation_doubts(
    held: Sequence[Opinion], relations: Sequence[Relation], shown: Sequence[Incident] = ()
) -> list[str]:
    """Where the model and the statistics part on whether it is the same bug, one sentence each.

    A relation names the first report of a bug; an opinion about one that duplicates it is an opinion about that bug.
    """
    kinds = {relation.incident_id: relation.kind for relation in relations}
    first = {incident.id: [incident.id, *incident.duplicate_of] for incident in shown}
    doubts = []
    for one in held:
        kind = next((kinds[name] for name in first.get(one.incident_id, [one.incident_id]) if name in kinds), None)
        if one.same_fix == "no" and kind in CLAIMS:
            doubts.append(f"The language model holds that one fix would not resolve both this and {one.incident_id}.")
        elif one.same_fix == "yes" and kind not in CLAIMS:
            doubts.append(f"The language model holds that one fix would resolve both this and {one.incident_id}.")
    return doubts


def hypothesis_doubts(mine: Hypothesis | None, theirs: Hypothesis | None) -> list[str]:
    """Whether the two hypotheses rest on different incidents."""
    if mine is None or theirs is None:
        return []
    ours, others = ({one.ref for one in each.evidence if one.kind == "incident"} for each in (mine, theirs))
    if ours & others:
        return []
    return [f"The language model explains it by {', '.join(sorted(others))}, the notes by {', '.join(sorted(ours))}."]


def one_line(text: str) -> str:
    """A model's words on one line, without control and invisible characters, secrets masked."""
    return mask(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


def _cited(quote: str, incident: Incident, placeholders: Placeholders) -> Evidence | None:
    words = restore(quote, dict(placeholders))
    for text in (incident.resolution_note or "", incident.summary, incident.description):
        if (place := place_of(words, text)) is not None:
            return Evidence(kind="incident", text=one_line(text[slice(*place)]), ref=incident.id)
    return None


def _overlaps(one: tuple[str, int, int], other: tuple[str, int, int]) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]
