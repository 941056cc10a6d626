"""A root-cause hypothesis, put together from what was written when similar incidents were resolved.

Extractive: every sentence quotes one past incident or the report itself and is cited. Where nothing speaks of a cause
or a fix, there is no hypothesis.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.classify import Neighbours, title
from qa_agents.triage.facts.extract import comparable, extract_facts
from qa_agents.triage.questions.missing import is_wish
from qa_agents.triage.relate import FIXED, closeness
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
MIN_CHARS, MAX_CHARS, MIN_WORDS = 25, 240, 6
NOTE_CHARS = 20_000
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


def _phrases(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)


_CODE = re.compile(r"\{(?:code|noformat)(?::[^{}\n]{0,120})?\}|```")
_LINK = re.compile(r"\[([^\[\]|\n]{1,200})\|[^\[\]\n]{1,400}\]|\[([^\[\]\n]{1,200})\]\([^()\n]{1,400}\)")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20})?://\S{0,2000}|\bwww\.\S{1,500}", re.IGNORECASE)
_NOISE = re.compile(
    r"\[~[^\[\]\n]{1,100}\]"  # mentions
    r"|\(?(?:from\s{1,3})?\[[0-9a-f]{7,64}\]\s{0,3}\)?"  # commit references
    r"|\[\s?#\d{1,9}[^\[\]\n]{0,60}\]|\b(?:closes|fixes|refs|see)\s{1,3}#\d{1,9}"  # issue references
    r"|</?[A-Za-z][^<>\n]{0,200}>"  # HTML
    r"|\{/?[a-z]{1,12}(?::[^{}\n]{0,120})?\}|\{\{|\}\}"  # wiki markup
    r"|(?<!\w)[*_`]{1,3}|[*_`]{1,3}(?!\w)",
    re.IGNORECASE,
)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_BULLET = re.compile(r"(?:[-*#•>]{1,3}\s|h[1-6]\.\s|\d{1,3}[.)]\s)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s{1,20}(?=[A-Z\"“(])")
_AREA = re.compile(r"\s{0,9}([^:\n]{2,40}?)\s{0,3}:\s")
_LETTERS = re.compile(r"[^\W\d_]{2,30}")
_WORD = re.compile(r"[^\W\d_]\w{2,40}")
_CAUSE = _phrases(
    *("because", "caused by", "the cause", "cause of", "root cause", "due to", "the reason", "turn(?:s|ed) out"),
    *(r"introduced (?:by|in)", r"regression (?:in|from)", "race condition", r"deadlock\w{0,3}", "null pointer"),
    *(r"leak\w{0,4}", r"overflow\w{0,4}", "off by one", r"misconfigur\w{1,4}", r"mismatch\w{0,2}"),
    r"the (?:real |actual |underlying )?(?:problem|issue|bug|crash|error|fix|failure|culprit) (?:is|was)",
)
_FIX = _phrases(
    *("fixed by", "by design", "as designed", r"breaking changes?"),
    r"(?:fixed|changed|added|removed|moved|replaced|reverted|restored|ensured?|overr(?:ide|ode)|avoid(?:ed|s)?)"
    r" (?:a|an|the|by|so|missing|support|check|handling|\w{4,40}ing)",
)
_NATURE = _phrases(
    r"(?:native|expected|intended|default) (?:\w{1,20} )?behaviou?r",
    r"(?:known|platform|native|framework|api|technical) (?:\w{1,20} )?(?:limitation|restriction|bug|issue)s?",
    *(r"limitations? (?:of|in|on)", r"side[- ]effects?", "to match", "instead of"),
    "(?:deprecated|removed|renamed|refactored) (?:in|since|to|by)",
    r"(?:is|are|was|were) not (?:supported|available|implemented|initiali[sz]ed|released|thread[- ]safe)",
    r"(?:is|are|was|were) not (?:passed|set|realized|handled)",
)
_BOILERPLATE = _phrases(
    *(r"(?:results?|works?|working|behaves?|runs?)(?: \w{1,20}){0,3} as (?:expected|designed)", "second time"),
    *("should (?:now|be (?:resolved|fixed))", "unable to", "will be (?:fixed|done|addressed)", r"re-?assign\w{0,3}"),
    "(?:build|run|execute|kill|click|press|open|tap|launch|create|install) (?:the|and|a|an|node|again|this)",
    *("may (?:have|be|cause)", "might", "possibly", "probably", "seems?", "apparently", "(?:docs?|documentation)"),
    *("(?:also )?(?:can )?confirm", "yet"),
    *(r"clos(?:ing|ed?) (?:this|the|ticket|issue|bug|as|due|since|for|out|it)", "time passed", r"inactiv\w{1,6}"),
    *(r"(?:marking|marked|resolving|resolved) (?:this |it )?as", r"reproduc\w{1,8}", "out of date", r"re-?open\w{0,3}"),
    *("new (?:ticket|issue|bug)", "(?:this|the) (?:ticket|bug report)", r"duplicate\w{0,2}", "won't (?:fix|do)"),
    *(
        r"(?:tested|verif(?:y|ied)|validated|confirmed|checked) (?:the|and|on|with|against|by|using|in|fix)",
        "steps? to",
    ),
    *(
        "pull request",
        "PR",
        "cherry-?picks?",
        r"backport\w{0,3}",
        "in(?:to)? master",
        "last week",
        "dupes?",
        "test cases?",
        "no longer",
    ),
    *(r"expected (?:results?|behaviou?r)", "more info", "not enough", "no (?:errors?|issues?|crash|problems?)"),
    *("please", "thanks?", "sorry", "hello", "hi", "customers?", "your?", "my", "(?:can|could) (?:you|someone)"),
    *(
        r"fix (?:for|in) [A-Z]{2,10}-\d{1,7}",
        "(?:sounds|looks|seems) like",
        "maybe",
        "perhaps",
        "not sure",
        "could be",
        "as I",
        "because of (?:this|that)(?=,)",
    ),
    *("I (?:think|guess|believe|could|was|am|have)", r"as \w{1,40} (?:mentions|mentioned|said|noted|suggested)"),
    r"(?:error|info|warn|debug|trace)(?=\])",
)
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
        sentences.append(f"Like {tied}, the report names {_clean(fact.quote)[:80]}.")
        evidence.append(Evidence(kind="quote", text=fact.quote, ref=f"{fact.field}:{fact.start}-{fact.end}"))
    return Hypothesis(text=LEAD + " ".join(sentences), evidence=evidence)


def note_sentences(note: str) -> Iterator[str]:
    """The note's sentences as plain text: without code, addresses, mentions, markup and control characters."""
    prose = "\n\n".join(_CODE.split(note[:NOTE_CHARS])[::2])
    for paragraph in _paragraphs(prose.splitlines()):
        for sentence in _SENTENCE_END.split(paragraph):
            yield sentence.strip(" \t-–:;,")


def tells_a_cause(sentence: str) -> bool:
    """Whether the sentence speaks of a cause or a fix in prose; boilerplate, questions and log lines do not."""
    return _states(sentence) and bool(_CAUSE.search(sentence) or _FIX.search(sentence) or _NATURE.search(sentence))


def _states(sentence: str) -> bool:
    letters = sum(character.isalpha() or character.isspace() for character in sentence)
    prose = len(sentence) >= MIN_CHARS and letters >= 0.8 * len(sentence) and len(sentence.split()) >= MIN_WORDS
    return prose and not sentence.endswith("?") and not _BOILERPLATE.search(sentence)


def _best(report: Report, facts: Sequence[Fact], neighbours: Neighbours, ties: dict[str, Fact]) -> list[_Quote]:
    asked, topic = _words(report.text[:NOTE_CHARS]), _words(report.summary[:NOTE_CHARS])
    near = [(c, i) for c, i in neighbours[:NEAREST] if _explained(i) and _is_near(c, i, topic, i.id in ties)]
    mine, quotes = comparable(facts), []
    for candidate, incident in near:
        telling = topic | _words(" ".join(candidate.shared))
        causes = [s for s in note_sentences(incident.resolution_note or "") if tells_a_cause(s)]
        if not causes or _other_system(report.summary, mine, incident):
            continue
        for sentence in causes:
            shared = _words(sentence) & (asked | telling)
            weight = len(shared) + len(shared & telling)
            # The same rare error code or stack frame ties two reports closer than any wording of the note could.
            if incident.id in ties or weight >= MIN_SHARED:
                strength = (2.0 if _CAUSE.search(sentence) else 1.0) * (1.5 if _fixed(incident) else 1.0)
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


def _fixed(incident: Incident) -> bool:
    return (incident.resolution or "").casefold() in FIXED


def _explained(incident: Incident) -> bool:
    resolution = (incident.resolution or "").casefold()
    return bool(resolution and incident.resolution_note and resolution not in UNEXPLAINED)


def _quoted(quote: _Quote) -> str:
    became = "was fixed" if _fixed(quote.incident) else f"was closed as {_clean(quote.incident.resolution or '')[:60]}"
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


def _clean(line: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in line)
    line = _LINK.sub(lambda match: match.group(1) or match.group(2), line)
    line = _NOISE.sub(" ", _ADDRESS.sub("(link)", line))
    return " ".join(_MENTION.sub("", line).split())


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Cleaned lines, joined where a sentence was wrapped; a blank line or a bullet starts anew."""
    so_far: list[str] = []
    for raw in lines:
        bullet = _BULLET.match(raw.lstrip())
        line = _clean(raw.lstrip()[bullet.end() :] if bullet else raw)
        wrapped = so_far and line and not bullet and not so_far[-1].endswith((".", "!", "?", ":"))
        if so_far and not wrapped:
            yield " ".join(so_far)
            so_far = []
        if line:
            so_far.append(line)
    if so_far:
        yield " ".join(so_far)
