"""A cause of failures, put to the team's memory: is it a known bug, or one that was fixed and is back?"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from qa_agents.incidents.schema import Report

if TYPE_CHECKING:
    from qa_agents.results.cluster import Cause

SHOWN = 3
MAX_CHARS = 4_000


class Related(BaseModel):
    """A past incident that a cause may have to do with."""

    model_config = ConfigDict(frozen=True)

    incident_id: str
    relation: Literal["duplicate-of-open", "regression-of-fixed", "already-fixed", "same-area"]
    state: str = ""
    """open, or what became of it."""
    summary: str = ""
    same: tuple[str, ...] = ()
    """What the two share, in words."""
    differs: tuple[str, ...] = ()


Relate = Callable[[Report], Sequence[Related]]
"""A report to the incidents it relates to, the strongest claim first."""


def as_report(cause: "Cause", version: str | None = None) -> Report:
    """The cause in the shape in which the memory is asked. Its words are data of the run, cut at MAX_CHARS."""
    tests = "\n".join(cause.tests[:10])
    description = f"{cause.message}\n\n{cause.details}"[:MAX_CHARS]
    return Report(
        id=f"cause-{cause.signature or cause.id}",
        summary=cause.title,
        description=f"{description}\n\n{tests}",
        version=version,
    )


def relate_causes(causes: Sequence["Cause"], relate: Relate, limit: int = 20) -> "list[Cause]":
    """The causes with the incidents they relate to; of many causes only the first `limit` are asked about.

    Flaking tests are asked about too: a flake may be a known one.
    """
    return [
        cause.model_copy(update={"related": tuple(relate(as_report(cause))[:SHOWN])}) if place < limit else cause
        for place, cause in enumerate(causes)
    ]
