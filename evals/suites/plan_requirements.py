"""How well requirements are found: precision and recall against hand labels, one sentence or row a label."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.stats import wilson
from qa_agents.errors import InvalidInputError
from qa_agents.plans.read import read_sources
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.schema import NOT_TESTED, Requirement

LABELS = Path(__file__).resolve().parents[1] / "datasets" / "plans" / "requirements.jsonl"
"""Offsets into the text that was read, the digest of its source, and a short reason; no text."""
STRUCTURE = ("ears", "modality", "negated", "fields")


@dataclass
class Counts:
    """Hits and misses of one corpus; `wrong` names each miss by its offsets and the label's reason."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0
    structure_right: int = 0
    structure: int = 0
    wrong: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Precision and recall with n and 95 % Wilson intervals, for the report."""
        told, true = self.tp + self.fp, self.tp + self.fn
        return {
            "labels": self.tp + self.fp + self.fn + self.tn,
            "precision": _share(self.tp, told),
            "recall": _share(self.tp, true),
            "structure": _share(self.structure_right, self.structure),
            "wrong": self.wrong,
        }


def labels() -> list[dict[str, Any]]:
    """The hand labels."""
    return [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines() if line]


def score(data: Path, rows: Iterable[Mapping[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    """Corpus to its precision and recall; `all, developed on` and `held out` are added.

    `data` is the folder that holds `plans/`. A label counts as found when a requirement that is to be tested covers at least
    half of it. Raises InvalidInputError where a source is not the one that was labelled.
    """
    counts: dict[str, Counts] = defaultdict(Counts)
    by_file: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in labels() if rows is None else rows:
        by_file[(str(row["corpus"]), str(row["file"]))].append(row)
    for (corpus, name), marked in by_file.items():
        (document,) = read_sources([data / "plans" / corpus / name])
        if document.source.sha256 != marked[0]["sha256"]:
            raise InvalidInputError(f"plans/{corpus}/{name} is not the file that was labelled.")
        found = [one for one in find_requirements([document]) if one.kind not in NOT_TESTED]
        for row in marked:
            group = "held out" if row["held_out"] else "all, developed on"
            for key in (corpus, group):
                _count(counts[key], row, _covering(row, found), corpus)
    return {key: counts[key].row() for key in sorted(counts)}


def _covering(row: Mapping[str, Any], found: Sequence[Requirement]) -> list[Requirement]:
    """The requirements that together cover at least half of the label, largest share first."""
    start, end = int(row["start"]), int(row["end"])
    shares = [(min(end, one.end) - max(start, one.start), one) for one in found]
    inside = sorted((pair for pair in shares if pair[0] > 0), key=lambda pair: (-pair[0], pair[1].end - pair[1].start))
    return [one for _, one in inside] if sum(share for share, _ in inside) * 2 >= end - start else []


def _count(counts: Counts, row: Mapping[str, Any], covering: Sequence[Requirement], corpus: str) -> None:
    told, true = bool(covering), bool(row["requirement"])
    name = ("tp" if true else "fp") if told else ("fn" if true else "tn")
    setattr(counts, name, getattr(counts, name) + 1)
    if told != true:
        counts.wrong.append(f"{name} {corpus} {row['start']}-{row['end']}: {row['why']}")
    for key in STRUCTURE:
        if key in row and covering:
            given: Any = getattr(covering[0], key)
            if key == "fields":
                given = [item.name for item in given]
            counts.structure += 1
            counts.structure_right += given == row[key]
            if given != row[key]:
                counts.wrong.append(f"{key} {corpus} {row['start']}-{row['end']}: {given}, labelled {row[key]}")


def _share(hits: int, of: int) -> dict[str, float | int | None]:
    if not of:
        return {"value": None, "n": 0, "low": None, "high": None}
    interval = wilson(hits, of)
    return {"value": interval.value, "n": of, "low": interval.low, "high": interval.high}
