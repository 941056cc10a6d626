"""Coverage in XML: Cobertura, JaCoCo, Clover, OpenCover. Each reader gives one `Coverage`."""

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from qa_agents.results.read.formats.shapes import XmlFormat
from qa_agents.results.read.reading import Reading, number_of, whole_of
from qa_agents.results.read.xml import Part, children, local
from qa_agents.results.schema import Coverage

_CONDITIONS = re.compile(r"\((\d{1,9})/(\d{1,9})\)")
_DISAGREE = 0.005


def read_cobertura(parts: Iterator[Part], reading: Reading) -> Iterator[Coverage]:
    """Lines counted once per file and number; branches from `condition-coverage`. A class lists its lines; where it does not,
    its methods do."""
    hits: dict[tuple[str, int], bool] = {}
    branches: dict[tuple[str, int], tuple[int, int]] = {}
    declared: float | None = None
    for part in parts:
        if part.tag == "coverage" and part.kind == "open":
            declared = number_of(part.element.get("line-rate"))
            reading.saw_moment(number_of(part.element.get("timestamp")))
        if part.kind != "whole" or part.tag != "class":
            continue
        file = part.element.get("filename") or part.element.get("name") or ""
        own = [line for lines in children(part.element, "lines") for line in lines]
        for line in own or part.element.iter():
            if local(line) != "line" or (at := whole_of(line.get("number"))) is None:
                continue
            key = file, at
            hits[key] = hits.get(key, False) or (number_of(line.get("hits")) or 0) > 0
            if found := _CONDITIONS.search(line.get("condition-coverage", "")):
                covered, total = int(found[1]), int(found[2])
                known = branches.get(key, (0, 0))
                branches[key] = max(known[0], min(covered, total)), max(known[1], total)
    coverage = Coverage(
        lines_covered=sum(hits.values()),
        lines_total=len(hits),
        branches_covered=sum(covered for covered, _ in branches.values()) if branches else None,
        branches_total=sum(total for _, total in branches.values()) if branches else None,
    )
    if declared is not None and hits and abs((coverage.line_rate or 0.0) - declared) > _DISAGREE:
        reading.note(f"It declares a line rate of {declared:.4g}; its lines come to {coverage.line_rate:.4g}.")
    elif declared is not None and not hits:
        reading.note(f"It declares a line rate of {declared:.4g} and lists no line.")
    yield coverage


def read_jacoco(parts: Iterator[Part], reading: Reading) -> Iterator[Coverage]:
    """The report's own counters; where it has none, those of its packages added up."""
    levels: dict[int, dict[str, tuple[int, int]]] = {}
    for part in parts:
        if part.tag == "sessioninfo" and part.kind == "open":
            reading.saw_moment(number_of(part.element.get("start")))
        if part.kind != "close" or part.tag != "counter" or not part.above:
            continue
        if local(part.above[-1]) not in ("report", "group", "package"):
            continue
        kind = part.element.get("type", "")
        covered, missed = whole_of(part.element.get("covered")) or 0, whole_of(part.element.get("missed")) or 0
        level = levels.setdefault(len(part.above), {})
        known = level.get(kind, (0, 0))
        level[kind] = known[0] + max(covered, 0), known[1] + max(missed, 0)
    best = levels[min(levels)] if levels else {}
    if not best:
        reading.note("It holds no counter.")
    lines, branches = best.get("LINE", (0, 0)), best.get("BRANCH")
    yield Coverage(
        lines_covered=lines[0],
        lines_total=sum(lines),
        branches_covered=branches[0] if branches else None,
        branches_total=sum(branches) if branches else None,
    )


def read_clover(parts: Iterator[Part], reading: Reading) -> Iterator[Coverage]:
    """Statements, which is what Clover counts in the place of lines, and conditionals, of the whole project."""
    found: Element | None = None
    for part in parts:
        if part.tag == "coverage" and part.kind == "open":
            reading.saw_moment(number_of(part.element.get("generated")))
        is_project = bool(part.above) and local(part.above[-1]) == "project"
        if part.kind == "open" and part.tag == "metrics" and is_project and found is None:
            found = part.element
    if found is None:
        reading.note("It holds no metrics of the project.")
        yield Coverage()
        return
    reading.note("Clover counts statements; they stand for lines here.")
    yield _counted(found, "coveredstatements", "statements", "coveredconditionals", "conditionals")


def read_opencover(parts: Iterator[Part], reading: Reading) -> Iterator[Coverage]:
    """Sequence points, which is what OpenCover counts in the place of lines, and branch points, of the whole session."""
    found: Element | None = None
    for part in parts:
        if part.kind == "open" and part.tag == "Summary" and len(part.above) == 1:
            found = part.element
    if found is None:
        reading.note("It holds no summary.")
        yield Coverage()
        return
    reading.note("OpenCover counts sequence points; they stand for lines here.")
    yield _counted(found, "visitedSequencePoints", "numSequencePoints", "visitedBranchPoints", "numBranchPoints")


def _counted(element: Element, *names: str) -> Coverage:
    covered, total, some, all_of = (max(whole_of(element.get(name)) or 0, 0) for name in names)
    return Coverage(
        lines_covered=min(covered, total),
        lines_total=total,
        branches_covered=min(some, all_of) if all_of else None,
        branches_total=all_of or None,
    )


def _is_clover(root: str, attributes: Mapping[str, str]) -> bool:
    return root == "coverage" and ("clover" in attributes or "generated" in attributes)


def _is_cobertura(root: str, attributes: Mapping[str, str]) -> bool:
    return root == "coverage" and not _is_clover(root, attributes)


def _is_jacoco(root: str, attributes: Mapping[str, str]) -> bool:
    return root == "report" and "name" in attributes


def _is_opencover(root: str, _attributes: Mapping[str, str]) -> bool:
    return root == "CoverageSession"


COBERTURA = XmlFormat("Cobertura XML", _is_cobertura, read_cobertura, whole=frozenset({"class"}))
JACOCO = XmlFormat("JaCoCo XML", _is_jacoco, read_jacoco)
CLOVER = XmlFormat("Clover XML", _is_clover, read_clover)
OPENCOVER = XmlFormat("OpenCover XML", _is_opencover, read_opencover)
