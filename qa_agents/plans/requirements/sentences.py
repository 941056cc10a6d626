"""Where sentences begin and end in a stretch of text; spans, so that a quote is a slice and never a copy."""

import re

from qa_agents.plans.read.parsed import word_set

ABBREVIATIONS = word_set(
    "e.g eg i.e ie vs cf approx no nos fig figs sec secs ch art par resp min max incl excl ca "
    "al dr mr mrs ms st "
    "jr sr inc ltd co corp dept est tel ref refs ver vol pp p a.m p.m u.s u.k jan feb mar apr jun jul aug sep sept "
    "oct nov dec "
)
END = re.compile(r"[.!?…]+(?:[\"'”’)\]*_`]{0,6})(?=\s)")
STARTS = re.compile(r"[\"'“‘(\[*_`#<&$@-]{0,6}(?:[A-Z0-9À-ÖØ-Þ\u0370-\uffff]|[a-z]+[A-Z_0-9]|`|<)")
WORD_BEFORE = re.compile(r"([A-Za-z][A-Za-z.]{0,12})\.+[\"'”’)\]*_`]{0,6}\Z")
NUMBER_BEFORE = re.compile(r"(?:^|\n)[ \t]*(?:\(?\d{1,3}|[a-zA-Z])\.\Z")
WHOLE = (
    re.compile(r"`[^`\n]{1,400}`"),
    re.compile(r"(?<![\w\"])\"[^\"\n]{1,200}?\"(?=[\s.,;:!?)]|\Z)|“[^“”\n]{1,200}”"),
)
"""Code and what is quoted: a message of two sentences stays one."""
OPEN_BREAK = re.compile(r"\n[ \t]*\n")


def split(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences, in order, without white space at their ends; a blank line always ends one. Linear time."""
    spans: list[tuple[int, int]] = []
    start = 0
    code = sorted(match.span() for form in WHOLE for match in form.finditer(text))
    at_code = 0
    breaks = sorted(
        [(match.start(), match.end(), True) for match in OPEN_BREAK.finditer(text)]
        + [(match.start(), match.end(), False) for match in END.finditer(text)]
    )
    for begin, end, forced in breaks:
        while at_code < len(code) and code[at_code][1] <= begin:
            at_code += 1
        if begin < start or (at_code < len(code) and code[at_code][0] < begin < code[at_code][1] - 1):
            continue
        if forced:
            _add(spans, text, start, begin)
            start = end
        elif _is_end(text, start, begin, end):
            _add(spans, text, start, end)
            start = end
    _add(spans, text, start, len(text))
    return spans


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))


def _is_end(text: str, start: int, begin: int, end: int) -> bool:
    after = end
    while after < len(text) and after < end + 200 and text[after].isspace():
        after += 1
    if not STARTS.match(text[after : after + 60]):
        return False
    if text[begin] != ".":
        return True
    before = text[max(start, begin - 16) : end]
    word = WORD_BEFORE.search(before)
    if word and (word.group(1).lower().rstrip(".") in ABBREVIATIONS or _is_initial(word.group(1), text, begin, start)):
        return False
    return not NUMBER_BEFORE.search(text[max(start - 1, 0) : begin + 1][-8:] if begin - start < 6 else "")


def _is_initial(word: str, text: str, begin: int, start: int) -> bool:
    """A single capital letter with a point, as in a person's name; not a lone letter that ends a list of letters."""
    return len(word) == 1 and word.isupper() and begin - start > 1 and text[begin - 2] in " (" and word not in "AI"
