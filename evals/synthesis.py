"""More reports than there are: real ones with some words exchanged, so that a memory of any size looks real."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from qa_agents.incidents.schema import Incident

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
LAST = datetime(2025, 1, 1, tzinfo=UTC)
"""Between these the incidents were filed; fresh reports come after."""
CHANGED_LINES = 0.5
"""Share of lines that are touched at all: templates and logs repeat, people's own sentences do not."""
CHANGED_WORDS = 0.3
"""Share of words exchanged or dropped in such a line."""
CHANGED_NUMBERS = 0.3
"""Share of words with digits that get others: what makes a vocabulary grow."""
DUPLICATES = 0.05
"""Share of incidents linked as a duplicate of an earlier one."""
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Made:
    """One made incident as a JSON-ready row, and the index of the real one it was made from."""

    row: dict[str, Any]
    base: int


def make(
    base: Sequence[Incident], count: int, *, seed: int, prefix: str = "MADE", avoid: Iterable[str] = ()
) -> Iterator[Made]:
    """`count` incidents made from `base`, in time order, ids `prefix-1`…; equal arguments give equal rows.

    Summaries are distinct from one another, from those of `base` and from `avoid`, so that one can be told by its
    summary.
    """
    rng = random.Random(seed)
    rows = [incident.model_dump(mode="json", exclude_defaults=True) for incident in base]
    words = sorted({word for incident in islice(base, 5_000) for word in incident.text.split() if word.isalpha()})
    used = {incident.summary.strip() for incident in base}.union(avoid)
    step = (LAST - FIRST) / max(count, 1)
    for number in range(1, count + 1):
        index = rng.randrange(len(base))
        row = _renewed(rows[index], FIRST + step * (number - 1), base[index])
        row["id"] = f"{prefix}-{number}"
        row["summary"] = _summary(base[index].summary, rng, words, used)
        row["description"] = reworded(base[index].description, rng, words)
        if number > 1 and rng.random() < DUPLICATES:
            row["duplicate_of"] = [f"{prefix}-{rng.randrange(1, number)}"]
        yield Made(row, index)


def fresh(base: Sequence[Incident], count: int, *, seed: int, avoid: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
    """`count` reports that come in now: later than every made incident, without outcome; ids `NEW{seed}-1`…"""
    for number, made in enumerate(make(base, count, seed=seed, prefix=f"NEW{seed}", avoid=avoid), start=1):
        kept = ("id", "summary", "description", "product", "version", "platform", "reporter")
        row = {name: made.row[name] for name in kept if name in made.row}
        yield {**row, "created": (LAST + timedelta(minutes=number)).isoformat()}


def reworded(text: str, rng: random.Random, words: Sequence[str]) -> str:
    """The text with some lines' words exchanged, dropped or renumbered; layout and length stay about the same."""
    return "\n".join(_line(line, rng, words) if rng.random() < CHANGED_LINES else line for line in text.split("\n"))


def _line(line: str, rng: random.Random, words: Sequence[str]) -> str:
    return " ".join(word for old in line.split(" ") if (word := _word(old, rng, words)) is not None)


def _word(word: str, rng: random.Random, words: Sequence[str]) -> str | None:
    if _DIGIT.search(word):
        if rng.random() < CHANGED_NUMBERS:
            return _DIGIT.sub(lambda _: str(rng.randrange(10)), word)
        return word
    if not word.isalpha() or rng.random() >= CHANGED_WORDS:
        return word
    return rng.choice(words) if rng.random() < 0.7 else None


def _summary(summary: str, rng: random.Random, words: Sequence[str], used: set[str]) -> str:
    changed = " ".join(_line(summary, rng, words).split()) or rng.choice(words)
    while changed in used:
        changed = f"{changed} {rng.choice(words)}"
    used.add(changed)
    return changed


def _renewed(row: dict[str, Any], created: datetime, base: Incident) -> dict[str, Any]:
    """The row with its dates moved, and without links to incidents that are not there."""
    kept = {name: value for name, value in row.items() if name not in ("updated", "resolved", "duplicate_of")}
    kept["created"] = created.isoformat()
    if base.resolved and base.created:
        kept["resolved"] = min(created + (base.resolved - base.created), LAST).isoformat()
    return kept
