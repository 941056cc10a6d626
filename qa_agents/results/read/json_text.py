"""JSON and JSON Lines that may be damaged: what stands before the damage is kept."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from qa_agents.results.read.reading import Reading
from qa_agents.results.read.values import CUT

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_CHECK_EVERY = 10_000


class Row(NamedTuple):
    """One line of a JSON Lines file that holds a value."""

    line: int
    value: Any


def parsed(text: str) -> Any:
    """The JSON value in `text`; NaN and infinities become null. Raises ValueError for what is no JSON, or is too deep."""
    try:
        return json.loads(text, parse_constant=lambda _name: None)
    except RecursionError:
        raise ValueError("too deeply nested") from None


def rescued(text: str, reading: Reading) -> Any:
    """As much of a cut-off document as is complete, None where nothing is; objects that the text ends in have the key CUT."""
    closers: list[str] = []
    best: tuple[int, tuple[str, ...]] | None = None
    position = 0
    for count, token in enumerate(_TOKEN.finditer(text)):
        if not count % _CHECK_EVERY:
            reading.check_time()
        if token.start() != position and text[position : token.start()].strip():
            break  # an unfinished string
        sign, position = token[0], token.end()
        if sign in "{[":
            closers.append("}" if sign == "{" else "]")
            if len(closers) > reading.limits.depth:
                break
        elif sign in "}]":
            if not closers or closers.pop() != sign:
                break
            best = token.end(), tuple(closers)
        elif sign == "," and closers:
            best = token.start(), tuple(closers)
    if best is None or not best[1]:
        return None
    end, opened = best
    mark = f",{json.dumps(CUT)}:true}}"
    closed = text[:end] + "".join(mark if sign == "}" else "]" for sign in reversed(opened))
    try:
        return parsed(closed)
    except ValueError:
        return None


def rows(text: str, reading: Reading) -> Iterator[Row]:
    """The value of each line that is JSON; others are counted in the notes. A damaged last line is said to be cut off."""
    lines = text.split("\n")
    last = max((at for at, line in enumerate(lines) if line.strip()), default=-1)
    for at, line in enumerate(lines):
        if not at % _CHECK_EVERY:
            reading.check_time()
        if not line.strip():
            continue
        try:
            yield Row(at + 1, parsed(line))
        except ValueError:
            if at == last and at and not text.endswith("\n"):
                reading.damage = f"It ends in the middle of line {at + 1:,}; that line was not read."
            else:
                reading.tally(
                    f"Line {at + 1:,} is no JSON and was left out.", "{n} lines are no JSON and were left out."
                )
