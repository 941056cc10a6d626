"""Severity by a visible rubric: factors quoted from the report give a level; the team's past is a second opinion.

`undetermined` is an answer: where the report does not say what the impact is and nothing was fitted, or where the team's
past or the reporter speaks of a level two away, a person decides between the alternatives. Where the report does not say it
and the second opinion was fitted, that is proposed as what it is, the team's habit, and a person is asked. A level of the
rubric that people do not share is brought to the team's own scale (`severity_scale`). A probability is given only where the
fitted opinion gives it. The highest level is only ever proposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.relate import fixed_versions
from qa_agents.triage.schema import HABIT, Alternative, Evidence, Fact, Proposal, Relation, Signals
from qa_agents.triage.severity.factors import UNKNOWN, Factor, level_of_factors, read_factors, with_value
from qa_agents.triage.severity.rubric import RUBRIC_PATH, Rubric, load_rubric
from qa_agents.triage.severity.scale import scaled

if TYPE_CHECKING:  # the statistical model reads reports with this module's rubric
    from qa_agents.triage.severity.model import Opinion

__all__ = ["RUBRIC_PATH", "UNKNOWN", "Factor", "Rubric", "load_rubric", "rate_severity", "read_factors"]

MAX_SHOWN = 3
"""Incidents named for and against, each."""
SEVERE = 2
"""The two highest levels count as severe."""
GIVEN_KEYS = ("severity", "priority")
"""Where an incoming report may carry the reporter's own choice."""

Neighbours = Sequence[tuple[Candidate, Incident]]


def rate_severity(
    report: Report,
    facts: Sequence[Fact],
    signals: Signals,
    neighbours: Neighbours,
    rubric: Rubric,
    vocabulary: Iterable[str] = (),
    *,
    opinion: Opinion | None = None,
    regression: Relation | None = None,
    drift: str | None = None,
) -> Proposal:
    """Propose a severity in the team's own words (`vocabulary`, with those of the neighbours), or leave it undetermined.

    Undetermined when the second opinion or the reporter's own choice lies `rubric.opinion.disagreement` levels or more
    away from what the report evidences. The second opinion is the statistical model's `opinion`, else the median of the
    neighbours' severities. Where the report does not say what the impact is, the model's opinion is proposed, marked HABIT;
    without a model nothing is. A `regression` of something fixed raises the level. `drift`, where the share of severe
    proposals has moved, is told beside a severe one. The probability is the model's, None without one.
    """
    words = {*vocabulary, *(incident.severity or "" for _, incident in neighbours)} - {""}
    factors = read_factors(report, signals, rubric)
    second = _statistical(opinion, rubric, words) if opinion else _neighbourly(neighbours, rubric, words)
    quoted = [_quote(factor.name, factor.value, factor.quote) for factor in factors.values() if factor.quote]
    back = [_returned(regression, neighbours)] if regression else []
    given = _given(report, rubric, words)
    if factors["impact"].value == UNKNOWN:
        habit = _unknown_impact(quoted + back, factors, second, opinion, given, neighbours, rubric, words)
        named = rubric.level_of(habit.value, words) if habit.value else None
        return _with_drift(habit, drift) if named and named <= SEVERE else habit
    level, why = level_of_factors(factors, rubric, regressed=regression is not None)
    evidenced = level
    shift = list(_own_scale(evidenced, factors, opinion, rubric, words)) if not regression else []
    if opinion and shift:
        level = scaled(evidenced, opinion.level, factors, rubric)
    value = rubric.word_for(level, words)
    heard = _heard(neighbours, rubric, words)
    agreeing = [i for i, at in heard if abs(at - level) < rubric.opinion.disagreement]
    differing = [i for i, at in heard if abs(at - level) >= rubric.opinion.disagreement]
    evidence = [
        *quoted,
        *back,
        Evidence(kind="rule", text=f"{why}, so {rubric.word_for(evidenced, words)}.", ref="rubric"),
        *shift,
        *_not_said(factors),
        *([second.shown] if second else []),
        *([_chosen(given)] if given else []),
        *map(_incident, agreeing[:MAX_SHOWN]),
    ]
    read_otherwise = list(_read_otherwise(factors, level, rubric, words, regression is not None))
    against = [evidence for _, evidence in read_otherwise] + [_incident(i) for i in differing[:MAX_SHOWN]]
    if drift and level <= SEVERE:
        against.append(Evidence(kind="rate", text=drift, ref="inflation"))
    others = [
        *([rubric.word_for(evidenced, words)] if shift else []),
        *([rubric.word_for(second.level, words)] if second else []),
        *([given] if given else []),
        *(word for word, _ in read_otherwise),
    ]
    alternatives = [Alternative(value=word) for word in dict.fromkeys((value, *others))]
    objections = list(_objections(evidenced, rubric.word_for(evidenced, words), second, given, rubric, words))
    if objections:
        return Proposal(alternatives=alternatives, evidence=evidence, against=objections + against)
    chance = round(opinion.chance_of(level), 4) if opinion else None
    return Proposal(value=value, probability=chance, alternatives=alternatives[1:], evidence=evidence, against=against)


def _own_scale(
    level: int, factors: Mapping[str, Factor], opinion: Opinion | None, rubric: Rubric, words: set[str]
) -> Iterator[Evidence]:
    """Why the team's own scale decides instead of the rubric's level, where it does."""
    if opinion is None or opinion.scale.binding(level):
        return
    if (moved := scaled(level, opinion.level, factors, rubric)) != level:
        names = [rubric.word_for(at, words) for at in range(1, len(rubric.levels) + 1)]
        past, how = opinion.scale.told(level, names), "more" if moved < level else "less"
        text = f"On this tracker, {past}; the like of this one lie one level {how} severe, so {names[moved - 1]}."
        yield Evidence(kind="rate", text=text, ref="rubric/scale")


def _with_drift(proposal: Proposal, drift: str | None) -> Proposal:
    if not drift:
        return proposal
    told = Evidence(kind="rate", text=drift, ref="inflation")
    return proposal.model_copy(update={"against": [*proposal.against, told]})


class _Second:
    """The second opinion: a level, how it is told, and whether it contradicts."""

    def __init__(self, level: int, told: str, shown: Evidence, opinion: Opinion | None = None) -> None:
        self.level, self.told, self.shown, self._opinion = level, told, shown, opinion

    def contradicts(self, level: int, levels: int) -> bool:
        """Whether the team's past says, more likely than not, that `level` is `levels` or more away."""
        if self._opinion is None:
            return abs(self.level - level) >= levels
        return self._opinion.chance_within(level, levels) < 0.5


def _statistical(opinion: Opinion, rubric: Rubric, words: set[str]) -> _Second:
    word, basis = rubric.word_for(opinion.likeliest, words), opinion.held_out
    told = f"reports worded, filed and surrounded like this one say {word}"
    text = f"Second opinion: {told} (right in {basis.kept} of {basis.n} past cases read this surely)."
    return _Second(opinion.likeliest, told, Evidence(kind="rate", text=text, ref="severity-model"), opinion)


def _neighbourly(neighbours: Neighbours, rubric: Rubric, words: set[str]) -> _Second | None:
    heard = _heard(neighbours, rubric, words)
    if len(heard) < rubric.opinion.needed:
        return None
    level = sorted(at for _, at in heard)[(len(heard) - 1) // 2]  # the lower, more severe, median
    told = f"{len(heard)} similar incidents say {rubric.word_for(level, words)}"
    return _Second(level, told, Evidence(kind="rule", text=f"Second opinion: {told}.", ref="rubric/opinion"))


def _heard(neighbours: Neighbours, rubric: Rubric, words: set[str]) -> list[tuple[Incident, int]]:
    rated = [incident for _, incident in neighbours if incident.severity][: rubric.opinion.neighbours]
    return [(i, level) for i in rated if (level := rubric.level_of(i.severity or "", words)) is not None]


def _unknown_impact(
    evidence: list[Evidence],
    factors: Mapping[str, Factor],
    second: _Second | None,
    opinion: Opinion | None,
    given: str | None,
    neighbours: Neighbours,
    rubric: Rubric,
    words: set[str],
) -> Proposal:
    said = [*([rubric.word_for(second.level, words)] if second else []), *([given] if given else [])]
    near = [i for i, level in _heard(neighbours, rubric, words) if second and level == second.level]
    evidence = [
        *evidence,
        *([second.shown] if second else []),
        *([_chosen(given)] if given else []),
        *map(_incident, near[:MAX_SHOWN]),
    ]
    if opinion is None:
        open_question = Evidence(kind="rule", text="The report does not say what the impact is.", ref="rubric/impact")
        alternatives = [Alternative(value=word) for word in dict.fromkeys(said)]
        return Proposal(alternatives=alternatives, evidence=evidence, against=[open_question])
    return _habit(evidence, factors, opinion, said, given, rubric, words)


def _habit(
    evidence: list[Evidence],
    factors: Mapping[str, Factor],
    opinion: Opinion,
    said: list[str],
    given: str | None,
    rubric: Rubric,
    words: set[str],
) -> Proposal:
    """The fitted opinion as the value, told as what it is; undetermined where the reporter chose a level far away."""
    value = rubric.word_for(opinion.level, words)
    unknown = ", ".join(name for name, factor in factors.items() if factor.value == UNKNOWN)
    text = f"The report does not say what the impact is; unknown: {unknown}."
    against = [Evidence(kind="rule", text=text, ref="rubric/impact")]
    chosen = rubric.level_of(given, words) if given else None
    alternatives = [Alternative(value=word) for word in dict.fromkeys((value, *said))]
    if chosen is not None and abs(chosen - opinion.level) >= rubric.opinion.disagreement:
        text = f"Like reports were called {value}, the reporter chose {given}."
        return Proposal(
            alternatives=alternatives,
            evidence=evidence,
            against=[Evidence(kind="rule", text=text, ref="rubric/reporter"), *against],
        )
    habit = f"{value} is the team's habit with like reports; the report itself evidences no impact."
    basis = opinion.held_out if opinion.level == opinion.likeliest else None
    return Proposal(
        value=value,
        probability=round(opinion.chance_of(opinion.level), 4),
        kept=basis.kept if basis else None,
        cases=basis.n if basis else None,
        alternatives=alternatives[1:],
        evidence=[Evidence(kind="rule", text=habit, ref=HABIT), *evidence],
        against=against,
    )


def _objections(
    level: int, value: str, second: _Second | None, given: str | None, rubric: Rubric, words: set[str]
) -> Iterator[Evidence]:
    """Why a person must choose although the rubric names a level."""
    if second and second.contradicts(level, rubric.opinion.disagreement):
        text = f"The report's factors say {value}, {second.told}."
        yield Evidence(kind="rule", text=text, ref="rubric/opinion")
    chosen = rubric.level_of(given, words) if given else None
    if chosen is not None and abs(chosen - level) >= rubric.opinion.disagreement:
        text = f"The report's factors say {value}, the reporter chose {given}."
        yield Evidence(kind="rule", text=text, ref="rubric/reporter")


def _read_otherwise(
    factors: Mapping[str, Factor], level: int, rubric: Rubric, words: set[str], regressed: bool
) -> Iterator[tuple[str, Evidence]]:
    """What the report states too and what would lead to another level: the word for it, and the quote."""
    for factor in factors.values():
        for value, quote in factor.also:
            other, _ = level_of_factors(with_value(factors, factor.name, value), rubric, regressed)
            if other != level:
                word = rubric.word_for(other, words)
                text = f"{factor.name} {value} is stated too, and would make it {word}: “{quote.quote}”"
                yield word, Evidence(kind="quote", text=text, ref=f"{quote.field}:{quote.start}-{quote.end}")
                break


def _not_said(factors: Mapping[str, Factor]) -> Iterator[Evidence]:
    if unknown := [factor.name for factor in factors.values() if factor.value == UNKNOWN]:
        text = f"Not said, so counted as neither better nor worse: {', '.join(unknown)}."
        yield Evidence(kind="rule", text=text, ref="rubric/unknown")


def _given(report: Report, rubric: Rubric, words: set[str]) -> str | None:
    """The severity the reporter chose at filing, in the team's own spelling; None when none or no such word is known."""
    known = {word.casefold(): word for word in words}
    for key in GIVEN_KEYS:
        chosen = (report.model_extra or {}).get(key)
        if isinstance(chosen, str) and rubric.level_of(word := known.get(chosen.casefold(), chosen), words) is not None:
            return word
    return None


def _chosen(given: str) -> Evidence:
    return Evidence(kind="rule", text=f"The reporter chose {given} when filing.", ref="reporter")


def _returned(regression: Relation, neighbours: Neighbours) -> Evidence:
    fixed = next((i for _, i in neighbours if i.id == regression.incident_id), None)
    versions = fixed_versions(fixed) if fixed else []
    where = f" in {', '.join(versions[:3])}" if versions else ""
    text = f"{regression.incident_id} was fixed{where} and seems to be back: {regression.summary[:120]}"
    return Evidence(kind="incident", text=text, ref=regression.incident_id)


def _quote(name: str, value: str, quote: Fact) -> Evidence:
    return Evidence(
        kind="quote", text=f"{name} {value}: “{quote.quote}”", ref=f"{quote.field}:{quote.start}-{quote.end}"
    )


def _incident(incident: Incident) -> Evidence:
    return Evidence(
        kind="incident", text=f"{incident.id} was {incident.severity}: {incident.summary[:120]}", ref=incident.id
    )
