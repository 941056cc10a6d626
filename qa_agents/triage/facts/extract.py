"""What a report says of itself - versions, systems, errors, frames, steps - each with the words that say it.

Pure pattern matching over the report's text, no model: every fact is a verbatim quote with offsets. Text that looks like
a secret is never quoted. All patterns are bounded, so that hostile text costs linear time.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from qa_agents.incidents.schema import Report
from qa_agents.llm.redact import find_secrets
from qa_agents.triage.facts import lexicon
from qa_agents.triage.facts.frames import find_frames, top_app_frames
from qa_agents.triage.facts.phrases import blank_out, is_negated, sentence_around
from qa_agents.triage.facts.sections import find_sections
from qa_agents.triage.schema import Fact, FactName

MAX_PER_NAME = 12
MAX_VALUE_CHARS = 300

Field = Literal["summary", "description"]
FIELDS: tuple[Field, ...] = ("summary", "description")


class _Found(NamedTuple):
    name: FactName
    start: int
    end: int
    value: str


def extract_facts(report: Report, limit_chars: int = 200_000) -> list[Fact]:
    """The report's facts: at most MAX_PER_NAME of each name, one per value, the first occurrence wins.

    For every fact, `getattr(report, fact.field)[fact.start : fact.end] == fact.quote`. Stack frames come innermost first,
    all else in the order of the text, the summary before the description. Only `limit_chars` characters of each are read.
    """
    facts: list[Fact] = []
    counts: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for field in FIELDS:
        text = getattr(report, field)[:limit_chars]
        readable = blank_out(text, ((span.start, span.end) for span in find_secrets(text)))
        for name, start, end, value in _find(readable):
            quote, value = readable[start:end], " ".join(value.split())[:MAX_VALUE_CHARS]
            if counts[name] < MAX_PER_NAME and (name, value) not in seen and "\x00" not in quote:
                seen.add((name, value))
                counts[name] += 1
                facts.append(Fact(name=name, value=value, quote=quote, field=field, start=start, end=end))
    return facts


def comparable(facts: Sequence[Fact]) -> dict[str, set[str]]:
    """The values by which two reports can be told apart, per dimension; a dimension the text leaves open is absent.

    `version` (numbers with pre-release mark), `build`, `os` (families; a device names its OS), `os_version`, `platform`
    (browsers and runtimes without versions), `error_code`, `endpoint` (path without method), `exception` (class without
    package), `top_frame` (the innermost application frames: two reports of one crash seldom cut the trace alike).
    """
    values: dict[str, set[str]] = {}
    for fact in facts:
        for dimension, value in _dimensions(fact):
            values.setdefault(dimension, set()).add(value)
    return values


def _dimensions(fact: Fact) -> Iterator[tuple[str, str]]:
    """What the fact contributes to the comparison; nothing for what tells no two bugs apart."""
    name, value = fact.name, fact.value
    if name == "version":
        yield "build" if value.startswith(("build ", "commit ")) else "version", value
    elif name == "os":
        family = value.split()[0]
        yield "os", family
        if family != value:
            yield "os_version", value
    elif name == "platform":
        product = value.split()[0]
        if product in lexicon.DEVICE_OS:
            yield "os", lexicon.DEVICE_OS[product]
        else:
            yield "platform", product
    elif name == "error_code" and not value.startswith(("exit ", "kern_")):
        yield "error_code", lexicon.SAME_CODE.get(value, value)
    elif name == "endpoint":
        yield "endpoint", value.split()[-1].lower()
    elif name == "exception":
        yield "exception", value.rpartition(".")[2].lower()
    elif name == "stack_frame":
        yield "top_frame", value


def _find(readable: str) -> Iterator[_Found]:
    """Every fact of one text; what one kind of pattern has claimed is blanked out for the next."""
    for section in find_sections(readable):
        yield _Found(section.name, section.start, section.end, readable[section.start : section.end])
    yield from _impacts(readable)
    frames = find_frames(readable)
    for frame in top_app_frames(frames):
        yield _Found("stack_frame", frame.start, frame.end, frame.function)
    body = blank_out(readable, ((frame.start, frame.end) for frame in frames))
    for detect in (_endpoints, _systems, _platforms, _errors, _exceptions, _versions, _identifiers):
        found = list(detect(body))
        yield from found
        body = blank_out(body, ((one.start, one.end) for one in found))
        if detect is _endpoints:
            body = blank_out(body, (match.span() for match in lexicon.URL.scan(body)))


def _found(name: FactName, match: re.Match[str], value: str) -> _Found:
    return _Found(name, match.start(), match.end(), value.strip())


def _systems(text: str) -> Iterator[_Found]:
    for match in lexicon.OS.scan(text):
        name, version = match["name"].replace(" ", "").replace("-", ""), match["v1"] or match["v2"] or ""
        family = lexicon.OS_FAMILY.get(name, name)
        if family != "windows" or version or (match["sure"] and text[match.start()] == "W"):  # not the plural of window
            yield _found("os", match, f"{family} {version}")


def _platforms(text: str) -> Iterator[_Found]:
    for match in lexicon.PLATFORM.scan(text):
        name = match["name"].lower()
        name = lexicon.PLATFORM_NAME.get(name, name.replace(" ", "-"))
        if match["version"] or name in lexicon.BROWSERS or " " in match["name"]:
            yield _found("platform", match, f"{name} {match['version'] or ''}")
    for match in lexicon.DEVICE.scan(text):
        model = (match["model"] or "").lower().strip(" -")
        yield _found("platform", match, f"{match['name'].lower().replace(' ', '-')} {model}")


def _versions(text: str) -> Iterator[_Found]:
    for match in lexicon.DOTTED.scan(text):
        before = text[max(0, match.start() - 32) : match.start()]
        if _is_version(match["number"], bool(match["v"] or match["suffix"]), before):
            mark = lexicon.PRE_RELEASE.search(match["suffix"] or "")
            yield _found("version", match, match["number"] + (f"-{mark[0]}" if mark else ""))
    for match in lexicon.SINGLE.scan(text):
        if not lexicon.OTHER_BEFORE.search(text[max(0, match.start() - 32) : match.start()]):
            yield _found("version", match, match["number"])
    for match in lexicon.BUILD.scan(text):
        yield _found("version", match, f"build {match['number']}")
    for match in lexicon.COMMIT.scan(text):
        if any(char.isdigit() for char in match["sha"]):
            yield _found("version", match, f"commit {match['sha']}")


def _is_version(number: str, marked: bool, before: str) -> bool:
    """Three parts are a version unless they are a date or another product's; two need a word or a mark that says so."""
    parts = number.split(".")
    if any(len(part) > 1 and part.startswith("0") for part in parts[:2]) or lexicon.OTHER_BEFORE.search(before):
        return False
    if not marked and lexicon.LISTED_BEFORE.search(before):
        return False
    if len(parts) == 3 and len(parts[2]) == 4 and parts[2].startswith(("19", "20")) and int(parts[1]) <= 31:
        return False
    return len(parts) >= 3 or marked or bool(lexicon.VERSION_BEFORE.search(before))


def _errors(text: str) -> Iterator[_Found]:
    for match in lexicon.HTTP.scan(text):
        status = match["strong"] or match["weak"] or match["named"]
        if match["strong"] or status in lexicon.HTTP_STATUSES:
            yield _found("error_code", match, f"http {status}")
    for prefix, shape in lexicon.ERROR_CODES:
        for match in shape.scan(text):
            code = match[match.lastgroup or 0].lower()
            yield _found("error_code", match, f"{prefix} {code.replace('code=', '').replace(chr(34), '')}")


def _exceptions(text: str) -> Iterator[_Found]:
    for match in lexicon.EXCEPTION.scan(text):
        if match.group().rpartition(".")[2] not in lexicon.NO_EXCEPTION:
            yield _found("exception", match, match.group())
    for match in lexicon.OTHER_EXCEPTION.scan(text):
        yield _found("exception", match, match.group())


def _endpoints(text: str) -> Iterator[_Found]:
    for shape in (lexicon.REQUEST, lexicon.API_PATH):
        for match in shape.scan(text):
            path = match["path"].split("?")[0].split("#")[0].rstrip("/.,;:")
            if path and not path.endswith((".html", ".htm")):
                parts = ("{id}" if lexicon.PATH_ID.match(part) else part for part in path.split("/"))
                yield _found("endpoint", match, f"{match.groupdict().get('method') or ''} {'/'.join(parts)}")
        text = blank_out(text, (match.span() for match in shape.scan(text)))


def _identifiers(text: str) -> Iterator[_Found]:
    for match in lexicon.DOTTED_NAME.scan(text):
        name = match.group()
        last = name.rpartition(".")[2]
        camel = any(a.islower() and b.isupper() for a, b in pairwise(name))
        if last.lower() not in lexicon.NO_IDENTIFIER and (camel or "_" in name or name.count(".") >= 2):
            yield _found("identifier", match, name)
    for match in lexicon.CONSTANT.scan(text):
        yield _found("identifier", match, match.group())


def _impacts(text: str) -> Iterator[_Found]:
    for match in lexicon.IMPACT.scan(text):
        if not is_negated(text, *match.span()):
            yield _Found("impact", *sentence_around(text, *match.span()), match.group())
