"""From a ranking to a proposal: the value with its measured rate, what speaks for and against it, or silence with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from qa_agents.checkpoint.rates import wilson
from qa_agents.incidents.schema import Report
from qa_agents.incidents.tokens import surfaces
from qa_agents.triage.classify import title
from qa_agents.triage.proposals.hierarchy import children, sums
from qa_agents.triage.proposals.history import labels_of
from qa_agents.triage.proposals.model import FieldModel, Near, Ranked
from qa_agents.triage.proposals.words import READ_CHARS, Row, Vocabulary
from qa_agents.triage.schema import SILENT, Alternative, Evidence, FieldName, Proposal

MIN_PROBABILITY = 0.35
"""A value less likely than this is shown among the alternatives only."""
NEARLY_SURE = 0.8
"""A field that is told no better than by naming the usual value speaks only where its rate is surely above this."""
CHILD, PARENT = 0.5, 0.75
"""A child less likely than CHILD gives way to its parent, if that, its children included, reaches PARENT."""
SAME = 0.02
"""Two people whose probabilities differ by less are told apart by their load."""
MAX_ALTERNATIVES, MAX_INCIDENTS, MAX_AGAINST, MAX_WORDS = 4, 3, 2, 5


def propose(
    name: FieldName,
    model: FieldModel,
    ranked: Ranked,
    near: Sequence[Near],
    vocabulary: Vocabulary,
    report: Report,
    row: Row,
    *,
    supported: bool,
) -> Proposal:
    """The proposal for one field; `supported` says whether any past incident is near at all."""
    if not ranked.names:
        return _silent(_rule(f"No {name} that is still in use is known."), [])
    best, note = _lightest(model, ranked) if name == "assignee" else (0, None)
    sure = model.sure(float(ranked.probabilities[best]))
    others = _others(ranked, best, sure)
    if reason := _doubt(name, model, ranked.names[best], float(ranked.probabilities[best]), sure, supported):
        return _silent(reason, [Alternative(value=ranked.names[best], probability=round(sure, 4)), *others])
    value = ranked.names[best]
    if name == "component" and (above := _parent(ranked, value, sure)):
        return _of_parent(*above, ranked, near, name)
    rate = model.curve.predict(float(ranked.probabilities[best]))
    sentence = f"right in {rate.kept} of {rate.n} past cases that looked as sure as this one"
    evidence = [
        *_incidents(name, value, near)[:MAX_INCIDENTS],
        *_words(model, vocabulary, report, row, value),
        Evidence(kind="rate", text=sentence, ref=f"learned:proposals/{name}"),
    ]
    return Proposal(
        value=value,
        probability=round(sure, 4),
        kept=rate.kept,
        cases=rate.n,
        alternatives=others,
        evidence=[*evidence, note] if note else evidence,
        against=_against(name, value, others, near),
    )


def _silent(reason: Evidence, alternatives: Sequence[Alternative]) -> Proposal:
    return Proposal(alternatives=list(alternatives[:MAX_ALTERNATIVES]), against=[reason])


def _rule(text: str, ref: str = "undetermined") -> Evidence:
    return Evidence(kind="rule", text=text, ref=ref)


def _doubt(
    name: FieldName, model: FieldModel, value: str, said: float, sure: float, supported: bool
) -> Evidence | None:
    """Why nothing is proposed; None when `value` may be."""
    if not supported:
        return _rule("No past incident resembles this report.")
    if not model.telling:
        rate = model.curve.predict(said)
        if wilson(rate.kept, rate.n).low < NEARLY_SURE:
            return _rule(
                f"On past reports the {name} could be told hardly better than by naming the usual one.", SILENT
            )
    if sure < MIN_PROBABILITY:
        return _rule(f"No {name} is likely enough: {value}, the likeliest, has {sure:.0%}.")
    return None


def _others(ranked: Ranked, best: int, sure: float) -> list[Alternative]:
    """The runners-up; what the best one's calibration took or gave is shared among them."""
    rest = 1.0 - float(ranked.probabilities[best])
    scale = min(1.0, (1.0 - sure) / rest) if rest > 0 else 0.0
    runners = [n for n in range(len(ranked.names)) if n != best][:MAX_ALTERNATIVES]
    return [
        Alternative(value=ranked.names[n], probability=round(float(ranked.probabilities[n]) * scale, 4))
        for n in runners
    ]


def _lightest(model: FieldModel, ranked: Ranked) -> tuple[int, Evidence | None]:
    """Of the people as likely as the likeliest, the one with the fewest open incidents."""
    level = [n for n, p in enumerate(ranked.probabilities.tolist()) if p > float(ranked.probabilities[0]) - SAME]
    chosen = min(level, key=lambda n: (model.load.get(ranked.names[n], 0), n))
    if chosen == 0:
        return 0, None
    mine, theirs = (model.load.get(ranked.names[n], 0) for n in (chosen, 0))
    text = f"as likely as {ranked.names[0]}, and has {mine} open incidents, not {theirs}"
    return chosen, Evidence(kind="rule", text=text, ref="load")


def _parent(ranked: Ranked, value: str, sure: float) -> tuple[str, float] | None:
    """The parent that is proposed instead of an unsure child, with its summed probability."""
    if sure >= CHILD:
        return None
    summed = sums(zip(ranked.names, ranked.probabilities.tolist(), strict=True))
    fitting = [(label, p) for label, p in summed.items() if p >= PARENT and value in children(label, ranked.names)]
    return max(fitting, key=lambda found: (len(found[0]), found[1]), default=None)


def _of_parent(label: str, p: float, ranked: Ranked, near: Sequence[Near], name: FieldName) -> Proposal:
    below = children(label, ranked.names)
    chance = dict(zip(ranked.names, ranked.probabilities.tolist(), strict=True))
    text = f"the parts of {label} have {p:.0%} together, none of them alone enough"
    heard = [evidence for child in (label, *below) for evidence in _incidents(name, child, near)]
    return Proposal(
        value=label,
        probability=round(p, 4),
        alternatives=[
            Alternative(value=child, probability=round(chance[child], 4)) for child in below[:MAX_ALTERNATIVES]
        ],
        evidence=[*heard[:MAX_INCIDENTS], Evidence(kind="rule", text=text, ref="hierarchy")],
    )


def _incidents(name: FieldName, value: str, near: Sequence[Near]) -> list[Evidence]:
    """The neighbours that carry the value, the closest first."""
    return [
        Evidence(kind="incident", text=title(one.incident), ref=one.incident.id)
        for one in near
        if value in labels_of(one.incident, name)
    ]


def _words(model: FieldModel, vocabulary: Vocabulary, report: Report, row: Row, value: str) -> list[Evidence]:
    """The report's own words that speak most for the value, in their readable form."""
    text, names = model.witnesses.text, model.names
    if text is None or value not in names or names.index(value) not in model.witnesses.known:
        return []
    place = model.witnesses.known.index(names.index(value))
    added: dict[int, float] = {}
    for column, gain in zip(row.columns.tolist(), text.contributions(row, place).tolist(), strict=True):
        term = vocabulary.term_of(column)
        added[term] = added.get(term, 0.0) + gain
    readable = surfaces(report.model_copy(update={"description": report.description[:READ_CHARS]}))
    best = sorted((term for term in added if added[term] > 0 and term in readable), key=lambda term: -added[term])
    if not best:
        return []
    said = ", ".join(f"“{readable[term]}”" for term in best[:MAX_WORDS])
    return [Evidence(kind="rule", text=f"words that speak for {value}: {said}", ref="words")]


def _against(name: FieldName, value: str, others: Sequence[Alternative], near: Sequence[Near]) -> list[Evidence]:
    """The closest incidents that speak for a runner-up and not for the value."""
    found = []
    for other in others:
        carriers = (
            n.incident for n in near if other.value in (own := labels_of(n.incident, name)) and value not in own
        )
        if dissenter := next(carriers, None):
            text = f"{name} {other.value} in {title(dissenter)}"
            found.append(Evidence(kind="incident", text=text, ref=dissenter.id))
    return found[:MAX_AGAINST]
