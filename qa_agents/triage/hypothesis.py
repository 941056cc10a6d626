"""A root-cause hypothesis, put together from what was written when similar incidents were resolved.

Extractive: every sentence quotes one past incident or the report itself and is cited. Where nothing speaks of a cause
or a fix, there is no hypothesis.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.classify import Neighbours, title
from qa_agents.triage.facts.extract import comparable, extract_facts
from qa_agents.triage.notes import (
    CAUSE,
    NOTE_CHARS,
    clean,
    fixed,
    note_sentences,
    states,
    tells_a_cause,
    tells_what_was_done,
    usually_tell,
)
from qa_agents.triage.questions.missing import is_wish
from qa_agents.triage.relate import closeness
from qa_agents.triage.schema import Evidence, Fact, Hypothesis

NEAREST = 4
"""Only so many of the nearest incidents may explain. Of 77 hypotheses on real reports that were read one by one
(evals/datasets/hypotheses), farther or less near ones were wrong as often as not."""
MAX_QUOTED = 2
"""Sentences taken from notes; a third may tie the report's own facts to them."""
MIN_DENSE, MIN_LEXICAL = 0.70, 0.50
"""Farther away, an incident explains nothing; shared words count where no vectors do."""
MIN_TOPIC = 2
"""Least number of telling words the two summaries share."""
MIN_SHARED = 1
"""Least number of telling words a sentence shares with the report; a word of the report's summary, or one of the rare
words that retrieval found in both, counts twice."""
COMMON_VALUE = 3
"""A fact that more of the neighbours name ties nothing."""
RUNNER_UP = 0.6
"""A second sentence must score at least this share of the first."""
MAX_CHARS = 240
UNEXPLAINED = frozenset(
    {
        *("cannot reproduce", "can't reproduce", "not reproducible", "works for me", "worksforme", "duplicate", "hold"),
        *("incomplete", "needs more info", "need more info", "stale", "abandoned", "expired", "inactive", "won't do"),
    }
)
"""Resolutions, in lower case, whose notes explain nothing."""
LEAD = "Hypothesis from similar incidents: "
TYING_FACTS = frozenset({"error_code", "exception", "stack_frame", "endpoint"})
"""Facts specific enough to tie a report to an incident. Identifiers are not: sample code is full of shared names."""
MIN_DENSE_TIED = 0.65
"""How near a tied incident must be."""
SAME_SYSTEM = ("os", "platform")
"""Where the two name different ones, what was wrong in the one does not explain the other."""
EVERYDAY = re.compile(
    r"(?:java\.(?:lang|io|util)\.)?(?:(?:Type|Reference|Syntax|Range|Value|Key|Index|Name|Attribute|Runtime|Import|OS|IO)Error"
    r"|(?:NullPointer|Runtime|IllegalArgument|IllegalState|IO|ClassCast|IndexOutOfBounds|FileNotFound)Exception)"
)
"""Exceptions of a language itself: two reports that name one have nothing in common."""


_AREA = re.compile(r"\s{0,9}([^:\n]{2,40}?)\s{0,3}:\s")
_LETTERS = re.compile(r"[^\W\d_]{2,30}")
_WORD = re.compile(r"[^\W\d_]\w{2,40}")
_COMMON = frozenset(
    word
    for line in (
        "about above actual after again against almost already also although always among android another anything",
        "application around back because become becomes been before behavior behaviour being believe below best",
        "better between both build call called calls came cannot case cases cause caused causes certain change",
        "changed changes check clear code come comes completely could create created current currently description",
        "device different does doesn doing done down during each either else enough environment even ever every",
        "everything exactly example expected fact fail failed fails file find fine first fixed following found from",
        "fully further general getting give given goes going good happen happened happening happens have having here",
        "however into ipad iphone issue issues itself just keep kind know known last later least less like likely",
        "linux little long look looking looks made main make makes making many maybe mean means might mode more most",
        "much must need needed needs never next none normal nothing number object often once only open opened other",
        "others otherwise over part place platform please point possible probably problem problems properly quite",
        "rather real really reason related release report result results right same seem seems seen several should",
        "show shown similar simple simply since single some something sometimes still such sure take taken test",
        "tested testing than that their them then there therefore these they thing things think this those though",
        "through time times together true trying turn type under unless until update updated used user users uses",
        "using usually value values various version very want wasn well went were what when where whether which while",
        "will windows with within without work worked working works would wrong your",
    )
    for word in line.split()
)
"""Words that many sentences share whatever they are about."""


class _Quote(NamedTuple):
    score: float
    sentence: str
    incident: Incident


def hypothesise(report: Report, facts: Sequence[Fact], neighbours: Neighbours) -> Hypothesis | None:
    """Say what the resolution notes of similar incidents suggest as the cause, in at most three cited sentences.

    None when no resolved incident near enough, on the same system and about the same thing, speaks of a cause or a fix in
    words the report shares; and for a wish, which has no cause.
    """
    if is_wish(report, facts):
        return None
    ties = _ties(facts, neighbours)
    quotes = _best(report, facts, neighbours, ties)
    if not quotes:
        return None
    sentences = [_quoted(quote) for quote in quotes]
    evidence = [Evidence(kind="incident", text=title(quote.incident), ref=quote.incident.id) for quote in quotes]
    if tied := next((quote.incident.id for quote in quotes if quote.incident.id in ties), None):
        fact = ties[tied]
        sentences.append(f"Like {tied}, the report names {clean(fact.quote)[:80]}.")
        evidence.append(Evidence(kind="quote", text=fact.quote, ref=f"{fact.field}:{fact.start}-{fact.end}"))
    return Hypothesis(text=LEAD + " ".join(sentences), evidence=evidence)


def in_brief(hypothesis: Hypothesis) -> str:
    """The hypothesis on one line, called what it is once, whether rules or a model worded it."""
    return f"Hypothesis: {hypothesis.text.removeprefix(LEAD)}"


def _best(report: Report, facts: Sequence[Fact], neighbours: Neighbours, ties: dict[str, Fact]) -> list[_Quote]:
    asked, topic = _words(report.text[:NOTE_CHARS]), _words(report.summary[:NOTE_CHARS])
    near = [(c, i) for c, i in neighbours[:NEAREST] if _explained(i) and _is_near(c, i, topic, i.id in ties)]
    mine, quotes = comparable(facts), []
    plain = usually_tell([incident for _, incident in neighbours])
    for candidate, incident in near:
        telling = topic | _words(" ".join(candidate.shared))
        said = states if plain and tells_what_was_done(incident) else tells_a_cause
        causes = [s for s in note_sentences(incident.resolution_note or "") if said(s)]
        if not causes or _other_system(report.summary, mine, incident):
            continue
        for sentence in causes:
            shared = _words(sentence) & (asked | telling)
            weight = len(shared) + len(shared & telling)
            # The same rare error code or stack frame ties two reports closer than any wording of the note could.
            if incident.id in ties or weight >= MIN_SHARED:
                strength = (2.0 if CAUSE.search(sentence) else 1.0) * (1.5 if fixed(incident) else 1.0)
                weight = max(weight, MIN_SHARED)
                quotes.append(_Quote(closeness(candidate) * strength * weight**0.5, sentence, incident))
    quotes.sort(key=lambda quote: -quote.score)
    kept: list[_Quote] = []
    for quote in quotes:
        new = all(quote.incident.id != k.incident.id and quote.sentence != k.sentence for k in kept)
        if new and len(kept) < MAX_QUOTED and quote.score >= RUNNER_UP * quotes[0].score:
            kept.append(quote)
    return kept


def _is_near(candidate: Candidate, incident: Incident, topic: set[str], tied: bool) -> bool:
    """Near by meaning (or words, without vectors), and about the same thing by its summary."""
    if candidate.dense is not None:
        near = candidate.dense >= (MIN_DENSE_TIED if tied else MIN_DENSE)
    else:
        near = tied or (candidate.lexical or 0.0) >= MIN_LEXICAL
    return near and len(topic & _words(incident.summary[:NOTE_CHARS])) >= MIN_TOPIC


def _other_system(summary: str, mine: Mapping[str, set[str]], incident: Incident) -> bool:
    """Whether report and incident name systems, or areas in front of their summaries, and none in common."""
    areas = _area(summary), _area(incident.summary)
    if areas[0] and areas[1] and not areas[0] & areas[1]:
        return True
    text = incident.model_copy(update={"description": incident.description[:NOTE_CHARS]})
    theirs = comparable(extract_facts(text))
    return any(mine.get(name) and theirs.get(name) and not mine[name] & theirs[name] for name in SAME_SYSTEM)


def _area(summary: str) -> set[str]:
    """The words in front of a summary's first colon, without digits: `iOS7: …` is about ios."""
    front = _AREA.match(summary)
    return {word.casefold() for word in _LETTERS.findall(front[1])} if front else set()


def _explained(incident: Incident) -> bool:
    resolution = (incident.resolution or "").casefold()
    return bool(resolution and incident.resolution_note and resolution not in UNEXPLAINED)


def _quoted(quote: _Quote) -> str:
    became = "was fixed" if fixed(quote.incident) else f"was closed as {clean(quote.incident.resolution or '')[:60]}"
    sentence = quote.sentence.rstrip(".")
    if len(sentence) > MAX_CHARS:
        sentence = sentence[:MAX_CHARS].rsplit(" ", 1)[0] + " …"
    return f"{quote.incident.id} {became}, with the note “{sentence}”."


def _ties(facts: Sequence[Fact], neighbours: Neighbours) -> dict[str, Fact]:
    """Incident id to the first fact of the report that this incident names and few other neighbours do."""
    texts = {
        i.id: f"{i.text[:NOTE_CHARS]} {(i.resolution_note or '')[:NOTE_CHARS]}".casefold()
        for c, i in neighbours
        if c.dense is None or c.dense >= MIN_DENSE_TIED
    }
    ties: dict[str, Fact] = {}
    for fact in facts:
        value = fact.value.casefold()
        if fact.name in TYING_FACTS and len(value) >= 4 and not EVERYDAY.fullmatch(fact.value):
            naming = [name for name, text in texts.items() if value in text]
            if len(naming) <= COMMON_VALUE:
                ties = dict.fromkeys(naming, fact) | ties
    return ties


def _words(text: str) -> set[str]:
    words = (word.casefold() for word in _WORD.findall(text))
    return {_singular(word) for word in words if len(word) >= 4 and word not in _COMMON}


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
