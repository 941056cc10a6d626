"""Pairs that no link connects, read side by side and judged: what precision against incomplete links cannot tell."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import orjson
from pydantic import BaseModel, ConfigDict

from evals.report import table
from evals.stats import Interval, wilson

AUDITS = Path(__file__).resolve().parent / "datasets" / "audits"
NAME = "titanium-unlinked-100"
"""The highest-scored pairs of the fused order."""
LIKELIEST = "titanium-likeliest-60"
"""The likeliest by the learned order, of the reports of 2013 whose nearest incident has a cosine of .80 or more."""


class Judged(BaseModel):
    """One pair and what a reader made of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    report: str
    incident: str
    score: float
    """Of retrieval, at the time of the audit."""
    accepted: bool
    """Whether the system said "the same bug" at the time of the audit."""
    vetoed: bool
    """Whether it would have, but for a difference."""
    accepted_now: bool | None = None
    """Whether it says so with the learned order and the difference check as they are; None: as `accepted`."""
    vetoed_now: bool | None = None
    judgement: Literal["same-bug", "same-area", "different"]
    only_differs_by: Literal["version", "platform"] | None
    """`version` also where the same defect was filed again for another branch."""
    reason: str

    @property
    def still_accepted(self) -> bool:
        """Whether the system as it is says "the same bug"."""
        return self.accepted if self.accepted_now is None else self.accepted_now


def read_audit(name: str = NAME) -> list[Judged]:
    """The judged pairs, the highest score first."""
    lines = (AUDITS / f"{name}.jsonl").read_bytes().splitlines()
    return [Judged.model_validate(orjson.loads(line)) for line in lines]


def precision(pairs: Sequence[Judged]) -> Interval:
    """Share that is the same bug, those that differ by version or branch not counted as such; Wilson."""
    return wilson(sum(p.judgement == "same-bug" and p.only_differs_by is None for p in pairs), len(pairs))


def audit_report(pairs: Sequence[Judged], name: str = NAME) -> str:
    """What was judged, all pairs beside those that the system accepted and those it did not."""
    chosen = "highest-scored" if name == NAME else "likeliest (of reports with a near text)"
    groups = {
        "all": list(pairs),
        "accepted as the same bug": [p for p in pairs if p.accepted],
        "accepted as it is now": [p for p in pairs if p.still_accepted],
        "not accepted": [p for p in pairs if not p.accepted],
        "vetoed by a difference": [p for p in pairs if p.vetoed],
    }
    rows = (
        (
            name,
            str(len(found)),
            str(precision(found)),
            *(str(sum(p.judgement == kind for p in found)) for kind in ("same-bug", "same-area", "different")),
            *(str(sum(p.only_differs_by == kind for p in found)) for kind in ("version", "platform")),
        )
        for name, found in groups.items()
    )
    head = (
        "pairs",
        "n",
        "audited precision (95 % CI)",
        "same bug",
        "same area",
        "different",
        "version only",
        "platform only",
    )
    return (
        f"## Audit of {name}\n\nThe {len(pairs)} {chosen} pairs without a link, read side by side. Precision does not "
        f"count the same defect filed again for another branch (version only).\n\n{table(head, rows)}"
    )
