"""What a resolution note says: its sentences in plain text, and whether they tell a cause or what was done."""

import re
from collections.abc import Iterable, Iterator, Sequence

from qa_agents.incidents.schema import Incident
from qa_agents.triage.relate import FIXED

MIN_CHARS, MIN_WORDS = 25, 6
NOTE_CHARS = 20_000
MIN_NOTES = 3
"""With fewer notes nothing is known of how a team writes them."""


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
CAUSE = _phrases(
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
_TALK = _phrases(
    *(
        "I",
        "I'm",
        "I've",
        "we",
        "we're",
        "us",
        "our",
        "me",
        "guys",
        "hey",
        "folks",
        "tickets?",
        "jira",
        "pull",
        "branch",
    ),
    *(r"merg(?:e|ed|ing)", r"commit(?:s|ted)?", r"review(?:s|ed|ing)?", "approved", "pending", "QE", "SDK", "build"),
    *("verified", "tested", "passed", "works", "working", "attached", "sample", "sprint", "backlog", "release notes?"),
    *(r"clos(?:e|ed|ing)", r"mark(?:ed|ing)", r"resolv(?:ed|ing)", "environment", "fixed as part", "milestone", "tag"),
)
"""What people write to each other about an incident, instead of what was wrong with it."""


def note_sentences(note: str) -> Iterator[str]:
    """The note's sentences as plain text: without code, addresses, mentions, markup and control characters."""
    prose = "\n\n".join(_CODE.split(note[:NOTE_CHARS])[::2])
    for paragraph in _paragraphs(prose.splitlines()):
        for sentence in _SENTENCE_END.split(paragraph):
            yield sentence.strip(" \t-–:;,")


def tells_a_cause(sentence: str) -> bool:
    """Whether the sentence speaks of a cause or a fix in prose; boilerplate, questions and log lines do not."""
    return states(sentence) and bool(CAUSE.search(sentence) or _FIX.search(sentence) or _NATURE.search(sentence))


def states(sentence: str) -> bool:
    """Whether the sentence is prose that says something: no boilerplate, question or log line."""
    letters = sum(character.isalpha() or character.isspace() for character in sentence)
    prose = len(sentence) >= MIN_CHARS and letters >= 0.8 * len(sentence) and len(sentence.split()) >= MIN_WORDS
    return prose and not sentence.endswith("?") and not _BOILERPLATE.search(sentence)


def tells_what_was_done(incident: Incident) -> bool:
    """Whether the note of a fixed incident states what was wrong or changed throughout: no talk, no link, no doubt."""
    if not fixed(incident) or "://" in (note := incident.resolution_note or ""):
        return False
    sentences = [sentence for sentence in note_sentences(note) if sentence]
    chat = any(_TALK.search(one) or _BOILERPLATE.search(one) or one.endswith("?") for one in sentences)
    return not chat and any(map(states, sentences))


def usually_tell(incidents: Sequence[Incident]) -> bool:
    """Whether at least half of the fixed incidents' notes, of MIN_NOTES or more, tell what was done.

    Where a team writes its notes so, each may be taken at its word; where notes are comments, most are not about a cause.
    """
    noted = [tells_what_was_done(one) for one in incidents if fixed(one) and one.resolution_note]
    return len(noted) >= MIN_NOTES and 2 * sum(noted) >= len(noted)


def fixed(incident: Incident) -> bool:
    """Whether the incident was mended."""
    return (incident.resolution or "").casefold() in FIXED


def clean(line: str) -> str:
    """The line as plain text."""
    line = "".join(c if c.isprintable() else " " for c in line)
    line = _LINK.sub(lambda match: match.group(1) or match.group(2), line)
    line = _NOISE.sub(" ", _ADDRESS.sub("(link)", line))
    return " ".join(_MENTION.sub("", line).split())


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    """Cleaned lines, joined where a sentence was wrapped; a blank line or a bullet starts anew."""
    so_far: list[str] = []
    for raw in lines:
        bullet = _BULLET.match(raw.lstrip())
        line = clean(raw.lstrip()[bullet.end() :] if bullet else raw)
        wrapped = so_far and line and not bullet and not so_far[-1].endswith((".", "!", "?", ":"))
        if so_far and not wrapped:
            yield " ".join(so_far)
            so_far = []
        if line:
            so_far.append(line)
    if so_far:
        yield " ".join(so_far)
