"""The parts of a bug report: steps to reproduce, expected and actual result, found by their headings in many spellings."""

import re
from itertools import pairwise
from typing import Literal, NamedTuple

SectionName = Literal["steps", "expected", "actual"]

MAX_SECTION_CHARS = 1_500
"""A longer section is quoted from its beginning only."""
MAX_STEP_LINES_APART = 2
"""List items with more line breaks than this between them belong to different lists."""


class Section(NamedTuple):
    """One part's content, without its heading: `text[start:end]`."""

    name: SectionName
    start: int
    end: int


def find_sections(text: str) -> list[Section]:
    """The first non-empty steps, expected and actual section each; without a steps heading, a list of instructions.

    Understands plain, Markdown and Jira headings, `Steps:` with the content on the same line, and both on one line.
    """
    marks = [*_marks(text), ("", len(text), len(text))]
    found: dict[SectionName, Section] = {}
    for (name, _, start), (_, following, _) in pairwise(marks):
        if name in ("steps", "expected", "actual") and name not in found:
            section = _content(text, name, start, following)  # type: ignore[arg-type]
            if section:
                found[section.name] = section
    if "steps" not in found and (steps := _instructions(text)):
        found["steps"] = steps
    return sorted(found.values(), key=lambda section: section.start)


_STEPS = (
    r"(?:(?:the )?(?:steps?|procedure|instructions?|way|how)(?: (?:needed|required|taken))? (?:to|for"
    r"|of) (?:re-?produc\w{1,4}|repro|re-?creat\w{1,4}|replicat\w{1,4}|repeat\w{0,3}|trigger\w{0,3}|test\w{0,3})"
    r"|to re-?produce|repro(?:duction)?(?: steps?| instructions?| procedure)?|reproducing|re-?produce|str"
    r"|steps?(?: to (?:reproduction|take))?|test(?:ing)? steps?|what steps (?:will|would|do|did|can)[^\n:?]{0,40}"
    r"|schritte(?: zum reproduzieren)?|pasos(?: para reproducir)?|étapes(?: pour reproduire)?)"
)
_EXPECTED = (
    r"(?:expected(?: (?:results?|behaviou?rs?|outcomes?|outputs?|response))?|expectations?|desired(?: \w{1,12})?"
    r"|(?:what|which) (?:did|do|were|would|should)(?: you| we| i)? (?:\w{1,10} )?expect\w{0,3}[^\n:?]{0,30}"
    r"|what (?:should|was expected to|is expected to|is expected|was expected)[^\n:?]{0,30}|should be"
    r"|erwartet\w{0,3}(?: \w{1,12})?|resultado esperado|résultat attendu)"
)
_ACTUAL = (
    r"(?:actual(?:ly)?(?: (?:results?|behaviou?rs?|outcomes?|outputs?|response))?|observed(?: \w{1,12})?"
    r"|current(?: (?:results?|behaviou?rs?))|(?:test )?results?"
    r"|what (?:actually )?(?:happen(?:s|ed)|went wrong|is happening|do you see|did you see|happens now"
    r"|occurs)[^\n:?]{0,30}|tatsächlich\w{0,3}(?: \w{1,12})?|resultado actual|résultat (?:obtenu|actuel))"
)
_OTHER = (
    r"(?:(?:problem )?description|problem|summary|overview|issue|environment|env|platform|version\w{0,1}"
    r"|device\w{0,1}(?: info)?"
    r"|notes?|additional (?:notes?|info\w{0,8}|context|details?)|more info\w{0,8}|(?:sample|test|example)? ?(?:code"
    r"|case|app)s?"
    r"|work-?arounds?|logs?|console(?: output)?|stack ?trace|trace|output|error(?: message| log)?|attachments?"
    r"|screenshots?"
    r"|impact|severity|frequency|reproducib\w{1,6}|cause|root cause|fix|suggest\w{1,6}|references?|related"
    r"|tested (?:on|with)"
    r"|system info\w{0,8}|configuration|prerequisites?|pre-?conditions?|set-?up|comments?|regression|customer|example"
    r"|hint)"
)
_OPEN = r"^[ \t]{0,8}(?:h[1-6]\.[ \t]{0,3}|\#{1,6}[ \t]{1,3}|>[ \t]?|\d{1,2}[.)][ \t])?[*_+\[(]{0,3}[ \t]?"
_CLOSE = (
    r"(?:[ \t]{0,3}\([^)\n]{0,60}\))?(?:[ \t]{0,2}[*_+\])]{0,3}[ \t]{0,2}(?::|[-=–][ \t>]|[*_+]{1,3}(?=\s|:)"
    r"|\?)[ \t]{0,2}[*_+]{0,3}[-:]?|[ \t*_+\])?]{0,6}(?=\r?$))"
)
_HEADING = re.compile(
    _OPEN
    + rf"(?:(?P<steps>{_STEPS})|(?P<expected>{_EXPECTED})|(?P<actual>{_ACTUAL})|(?P<other>{_OTHER}))"
    + r"(?: (?:the |this |an? )?(?:issue|bug|problem|error|crash|behaviou?r|is|are|was|and [a-z ]{3,20}))?"
    + _CLOSE,
    re.IGNORECASE | re.MULTILINE,
)
_INLINE = re.compile(
    r"(?<=[\s.;,)*_])(?:(?P<expected>[Ee]xpected|EXPECTED)|(?P<actual>[Aa]ctual|ACTUAL"
    r"|[Oo]bserved))(?: (?:[Rr]esults?|[Bb]ehaviou?rs?|[Oo]utcomes?|[Oo]utputs?|RESULTS?))?[*_]{0,2} ?:[*_]{0,2}"
)
_ANY_HEADING = re.compile(
    r"^[ \t]{0,4}(?:h[1-6]\.[^\n]{1,80}|\*{1,2}[A-Za-z][^*\n]{2,60}\*{1,2}:?[ \t]{0,4}\r?$|\#{2,6} [A-Z][^\n]{1,80}"
    r"|[A-Z][A-Za-z /-]{2,30}:[ \t]{0,4}\r?$|-{4,80}[ \t]{0,4}\r?$)",
    re.MULTILINE,
)
_FENCE = re.compile(r"\{(?:code|noformat)(?::[^}\n]{0,60})?\}|^[ \t]{0,8}```", re.MULTILINE)
_ITEM = re.compile(
    r"^[ \t]{0,8}(?:\(?(?:step )?\d{1,2}[.):-]{1,2}|\#{1,2}"
    r"|step \d{1,2})[ \t]{0,4}(?P<word>[A-Za-z'\"“‘]{2,20})[^\n]{0,400}",
    re.IGNORECASE | re.MULTILINE,
)
_DOING = (
    "add allow apply attach build call change check choose clear click close comment compile configure connect copy "
    "create delete deploy disable disconnect download drag drop edit enable enter execute expand export fill follow "
    "focus from get give go hit hold import in include insert inspect install kill launch leave load log login logout "
    "make minimise minimize modify move navigate note now observe on open pan paste perform pinch place play press "
    "pull push put quit read receive reboot refresh reload remove rename repeat replace reset resize restart resume "
    "return rotate run save scroll search see select send set setup sign start stop submit swipe switch tap then "
    "touch try turn type uncomment uninstall unlock unzip update upgrade upload use using verify view visit wait "
    "watch when while with write zoom"
)
_VERBS = frozenset(_DOING.split())


def _marks(text: str) -> list[tuple[str, int, int]]:
    """Everything that starts or ends a section: (name or "", where it begins, where its content begins), in order."""
    marks = [(str(match.lastgroup), match.start(), match.end()) for match in _HEADING.finditer(text)]
    marks += [(str(match.lastgroup), match.start(), match.end()) for match in _INLINE.finditer(text)]
    marks += [("", match.start(), match.end()) for match in _ANY_HEADING.finditer(text)]
    marks += [("fence", match.start(), match.end()) for match in _FENCE.finditer(text)]
    marks.sort(key=lambda mark: (mark[1], mark[0] == ""))
    kept: list[tuple[str, int, int]] = []
    for mark in marks:
        if not kept or mark[1] >= kept[-1][2]:
            kept.append(mark)
    return kept


def _content(text: str, name: SectionName, start: int, following: int) -> Section | None:
    section = _trimmed(text, name, start, following)
    if section is None and text.startswith(("{", "`"), following):  # nothing but a code block stands under the heading
        section = _trimmed(text, name, following, min(following + MAX_SECTION_CHARS // 3, len(text)))
    return section


def _trimmed(text: str, name: SectionName, start: int, end: int) -> Section | None:
    """The section without blanks around it, cut to MAX_SECTION_CHARS; None when nothing is left."""
    body = text[start : min(end, start + MAX_SECTION_CHARS)]
    if "\x00" in body:  # blanked out by the caller: not to be quoted
        body = body[: body.index("\x00")]
    lead = len(body) - len(body.lstrip(" \t\r\n:*_"))
    kept = body[lead:].rstrip()
    return Section(name, start + lead, start + lead + len(kept)) if any(c.isalnum() for c in kept) else None


def _instructions(text: str) -> Section | None:
    """The first numbered list of at least two items of which half start with what one does."""
    items: list[re.Match[str]] = []
    for item in _ITEM.finditer(text):
        if items and text.count("\n", items[-1].end(), item.start()) > MAX_STEP_LINES_APART:
            if _is_instructions(items):
                break
            items = []
        items.append(item)
    return _trimmed(text, "steps", items[0].start(), items[-1].end()) if _is_instructions(items) else None


def _is_instructions(items: list[re.Match[str]]) -> bool:
    doing = sum(item["word"].lower().strip("'\"“‘") in _VERBS for item in items)
    return len(items) >= 2 and 2 * doing >= len(items)
