"""Checks of what a model wrote against what it was shown: quotes are verbatim, numbers are traceable, nothing is a link."""

import re
from collections.abc import Iterable

MIN_QUOTE = 8
"""Characters; a shorter quote is found anywhere and proves nothing."""
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?![\w])")
_KEY = re.compile(r"\b[A-Z][A-Z0-9]{1,9}-\d+\b")
_LINK = re.compile(r"(?i)(?:[a-z][a-z0-9+.-]{1,15}://|www\.|mailto:|\]\(|<a\s|!\[|\[~|\[[^\]]*\|)")
_BLANKS = re.compile(r"\s+")
_STRAIGHT = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "\u00a0": " "})


def place_of(quote: str, text: str, *, least: int = MIN_QUOTE) -> tuple[int, int] | None:
    """Where a quote stands in a text: `(start, end)`; None where it does not, or is shorter than `least`.

    Blanks, typographic quotes and dashes may differ; every other character is compared as it is, case included.
    """
    wanted = _BLANKS.sub(" ", quote.translate(_STRAIGHT)).strip()
    if len(wanted) < least:
        return None
    pattern = r"\s+".join(re.escape(word) for word in wanted.split(" "))
    found = re.search(pattern, text.translate(_STRAIGHT))  # the table maps one character to one: offsets hold
    return found.span() if found else None


def numbers(text: str) -> set[str]:
    """Every number as it is written, thousands' commas taken out: `4.26.1`, `1204`, `0.5`."""
    return {re.sub(r",(?=\d{3}\b)", "", match.group()) for match in _NUMBER.finditer(text)}


def untraced(text: str, sources: Iterable[str]) -> set[str]:
    """The numbers and the issue keys (`WKB-1280`) of a text that stand in none of the sources.

    A key counts as a whole: that its number stands somewhere does not make it one that was shown.
    """
    shown = list(sources)
    known = set().union(*(numbers(source) for source in shown), *(_KEY.findall(source) for source in shown))
    return (numbers(text) | set(_KEY.findall(text))) - known


def has_link(text: str) -> bool:
    """Whether it holds an address, or the markup of one in Markdown, HTML or Jira's own."""
    return bool(_LINK.search(text))
