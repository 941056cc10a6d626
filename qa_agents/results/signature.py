"""What a failure says without what changes from run to run, so that two failures of one cause look alike.

Ids, paths, times, addresses, ports and numbers become placeholders; words, exception types and names of files stay. Pure and
bounded: only the first LINES lines and CHARS characters of a text are looked at, and no pattern backtracks over them.
"""

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from qa_agents.results.schema import TestResult

CHARS = 400
"""So much of a message makes the signature: what differs later is detail."""
LINES = 40
LONG = 300
"""A longer message is often the whole trace, put where the message belongs."""
TRACE_CHARS = 20_000
FRAMES = 30

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)")
_KEPT = r"(?<!http )(?<!status )(?<!status code )(?<!status: )(?<!errno )(?<!sqlstate )(?<!exit code )"
"""Before these, a number is the failure's name: HTTP 404 and HTTP 500 have different causes."""
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.ASCII | re.IGNORECASE), put)
    for pattern, put in (
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:z|[+-]\d\d:?\d\d)?", "<time>"),
        (r"\b(?:mon|tue|wed|thu|fri|sat|sun),? \d{1,2} [a-z]{3} \d{4}(?: \d\d:\d\d(?::\d\d)?)?", "<time>"),
        (r"\b\d{4}[-/.]\d\d[-/.]\d\d\b|\b\d{1,2}/\d{1,2}/\d{4}\b", "<date>"),
        (r"\b\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?\b", "<time>"),
        (r"\b[a-z][a-z0-9+.-]{1,11}://[^\s\"'<>)\]]{1,300}", "<url>"),
        (r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.[a-z]{2,24}\b", "<email>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b", "<address>"),
        (r"\b(?:localhost|[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}):\d{2,5}\b(?!:)", "<address>"),
        (r"\[[0-9a-f:]{3,39}\](?::\d{1,5})?|\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b", "<address>"),
        (r"\b0x[0-9a-f]{1,32}\b|@[0-9a-f]{5,16}\b", "<pointer>"),
        (r"(?<![\w.])(?:[a-z]:)?(?:[\\/][\w.@+~ -]{1,80}?){1,20}[\\/](?=[\w.@+~-])", "<path>/"),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", "<hex>"),
        (_KEPT + r"[+-]?\b\d[\d_,]{0,30}(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?(?:ns|us|µs|ms|s|kb|mb|gb|%)?\b", "<n>"),
        (r"\b[a-z]{0,20}\d{1,9}[a-z]{1,20}\d\w{0,20}\b", "<id>"),
        (r"\b(?=\w{0,40}\d)(?=\w{0,40}[a-z])(?=\w{0,40}[g-z])\w{0,3}\d\w{4,40}\b", "<id>"),
        (_KEPT + r"(?<!\d)\d+", "<n>"),
        (r"(?:<n>[\s,;]{0,3}){2,}", "<n> "),
    )
)
_TYPE = re.compile(
    r"^\s*(?:E\s+)?((?:[A-Za-z_]\w{0,60}[.$]){0,8}"
    r"[A-Z]\w{0,80}(?:Error|Exception|Failure|Failed|Warning|Timeout|Exit))\b"
)
_RAISED = re.compile(r"^E {2,}\S", re.MULTILINE)
_FRAMES: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r'^\s*File "([^"\n]{1,300})", line (\d{1,7})(?:, in ([^\n]{1,120}))?',
        r"^\s*at (?:async )?(?:[\w$.<>]{1,200}[ (]{1,2})\(?([^()\s:]{1,200}\.\w{1,6}):(\d{1,7})",
        r"^([\w./\\@+-]{1,250}\.\w{1,6}):(\d{1,7}): ",
        r"^\s*([\w./\\@+-]{1,250}\.(?:go|rs|rb|php|cs|c|cc|cpp|ts|js|py|java|kt)):(\d{1,7})",
        r"^\s*in ([^:\n]{1,250}\.cs):line (\d{1,7})",
    )
)

_CAUSED = re.compile(r"^\s*(?:Caused by:|\[cause\]:) ", re.MULTILINE)
_CHAINED = re.compile(
    r"^(?:The above exception was the direct cause of|During handling of the above exception)", re.MULTILINE
)


class Frame(NamedTuple):
    """One place of a stack trace."""

    file: str
    line: int


class Signature(NamedTuple):
    """What identifies a kind of failure."""

    key: str
    """16 hex digits; equal for failures that say the same."""
    type: str
    """Exception or assertion type, "" where the text names none."""
    text: str
    """The normalised words, at most CHARS characters; "" when the failure says nothing."""


class Origin(NamedTuple):
    """Where a failure comes from: the exception at the bottom of its chain, and the place that raised it."""

    type: str
    text: str
    """Its normalised words, without the type."""
    frame: Frame | None


NOTHING = Signature("", "", "")
"""The signature of a failure without words: such failures are not called alike."""


def normalise(text: str) -> str:
    """The text on one line with placeholders for what varies, at most CHARS characters."""
    line = " ".join(_ANSI.sub("", text[: 4 * CHARS]).split())
    for pattern, put in _RULES:
        line = pattern.sub(put, line)
    return " ".join(line.split())[:CHARS]


def signature_of(result: TestResult) -> Signature:
    """The signature of a failed or broken result: from its message, else from the telling line of its details."""
    return signature(result.message, result.details)


@lru_cache(maxsize=20_000)
def signature(message: str, details: str = "") -> Signature:
    """The signature of what a failure says. NOTHING when it says nothing."""
    said = telling(message, details)
    if not said:
        return NOTHING
    words = normalise("\n".join(said.splitlines()[:3]))
    kind = _type(said) or _type(_telling(details))
    if not words and not kind:
        return NOTHING
    digest = hashlib.sha256(f"{kind}\0{words.casefold()}".encode("utf-8", "replace")).hexdigest()[:16]
    return Signature(digest, kind, words)


def telling(message: str, details: str) -> str:
    """What a failure says in its own words: the message, or, where that is a whole trace or nothing, the telling lines of it."""
    own, trace = _ANSI.sub("", message).strip(), _ANSI.sub("", details[-TRACE_CHARS:])
    if own and len(own) <= LONG and not _RAISED.search(own):
        return own
    raised = next((text for text in (own, trace) if _RAISED.search(text)), "")
    return _telling(raised) if raised else own or _telling(trace)


def frames(details: str) -> list[Frame]:
    """The places a trace names, in its order, each once; at most FRAMES. Paths as written, with forward slashes."""
    text = details[-TRACE_CHARS:]
    found = sorted(
        (match.start(), match[1].replace("\\", "/"), int(match[2]))
        for pattern in _FRAMES
        for match in pattern.finditer(text)
    )
    return list(dict.fromkeys(Frame(file, line) for _, file, line in found))[:FRAMES]


def origin(details: str) -> Origin:
    """The innermost exception of a trace and its innermost place; of chained exceptions, the one that began it.

    Java and JavaScript name it last and its place first, Python names it first and its place last. Places within Java's own
    modules (`java.base/…`) are passed over: what is telling is who called them.
    """
    text = details[-TRACE_CHARS:]
    if found := list(_CAUSED.finditer(text)):
        text = text[found[-1].end() :]
        said = text.split("\n", 1)[0].strip()
    else:
        text = _CHAINED.split(text, maxsplit=1)[0]
        said = _telling(text)
    places = frames(text)
    place = (places[0] if _FRAMES[1].search(text) else places[-1]) if places else None
    own = said[match.end() :].lstrip(": ") if (match := _TYPE.match(said)) else said
    return Origin(_type(said), normalise(own), place)


def _type(said: str) -> str:
    for line in said.splitlines()[:3]:
        if match := _TYPE.match(line):
            return re.split(r"[.$]", match[1])[-1]
    return ""


def _telling(details: str) -> str:
    """The line of a trace that says what went wrong: pytest's `E` lines, an exception's own line, else the last line."""
    if not details:
        return ""
    text = details[-TRACE_CHARS:]
    if match := _RAISED.search(text):
        return "\n".join(line[1:].strip() for line in text[match.start() :].splitlines()[:2] if line.startswith("E"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    typed = next((line for line in reversed(lines[-LINES:]) if _TYPE.match(line)), "")
    return typed or (lines[0] if lines and _TYPE.match(lines[0]) else lines[-1] if lines else "")
