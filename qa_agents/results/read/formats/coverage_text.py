"""Coverage in text: LCOV's tracefile (geninfo(1)) and Go's cover profile (golang.org/x/tools/cover)."""

import re
from collections.abc import Iterator

from qa_agents.results.read.formats.shapes import TextFormat
from qa_agents.results.read.reading import Reading
from qa_agents.results.schema import Coverage

_DATA = re.compile(r"DA:(\d{1,9}),(-?\d{1,20})")
_BRANCH = re.compile(r"BRDA:(\d{1,9}),([^,]{1,40}),([^,]{1,200}),(-|\d{1,20})")
_BLOCK = re.compile(r"(.+):(\d+\.\d+,\d+\.\d+) (\d{1,9}) (\d{1,20})")


def read_lcov(text: str, reading: Reading) -> Iterator[Coverage]:
    """Lines and branches, each counted once per source file."""
    lines: dict[tuple[str, str], bool] = {}
    branches: dict[tuple[str, str], bool] = {}
    file, is_open = "", False
    for at, line in enumerate(text.splitlines()):
        if not at % 5_000:
            reading.check_time()
        if line.startswith("SF:"):
            file, is_open = line[3:].strip(), True
        elif line.startswith("end_of_record"):
            is_open = False
        elif found := _DATA.match(line):
            key = file, found[1]
            lines[key] = lines.get(key, False) or int(found[2]) > 0
        elif found := _BRANCH.match(line):
            key = file, ",".join(found.groups()[:3])
            branches[key] = branches.get(key, False) or found[4] not in ("-", "0")
    if is_open:
        reading.damage = f"It ends inside the record of {reading.line(file, 100)}."
    yield Coverage(
        lines_covered=sum(lines.values()),
        lines_total=len(lines),
        branches_covered=sum(branches.values()) if branches else None,
        branches_total=len(branches) if branches else None,
    )


def read_go_profile(text: str, reading: Reading) -> Iterator[Coverage]:
    """Statements, which is what Go counts in the place of lines; a block that is listed twice counts once."""
    blocks: dict[tuple[str, str], tuple[int, bool]] = {}
    for line in text.splitlines():
        if found := _BLOCK.fullmatch(line.strip()):
            key = found[1], found[2]
            known = blocks.get(key, (0, False))
            blocks[key] = int(found[3]), known[1] or int(found[4]) > 0
        elif line.strip() and not line.startswith("mode:"):
            reading.tally("One line is no block and was left out.", "{n} lines are no blocks and were left out.")
    reading.note("Go counts statements; they stand for lines here.")
    yield Coverage(
        lines_covered=sum(statements for statements, is_covered in blocks.values() if is_covered),
        lines_total=sum(statements for statements, _ in blocks.values()),
    )


def _is_lcov(text: str) -> bool:
    return (
        re.search(r"^SF:.", text, re.MULTILINE) is not None
        and re.search(r"^(?:DA:\d|LF:\d|FN[FH]?:|end_of_record)", text, re.MULTILINE) is not None
    )


def _is_go_profile(text: str) -> bool:
    return re.match(r"mode: (?:set|count|atomic)\s", text) is not None


LCOV = TextFormat("LCOV", _is_lcov, read_lcov)
GO_PROFILE = TextFormat("Go coverage profile", _is_go_profile, read_go_profile)
