"""The plan of a speed measurement, and its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, Field

from evals.provenance import Provenance
from evals.stats import Interval, Spread
from evals.suites.batch import Batch


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    sizes: tuple[int, ...] = (10_000, 30_000, 100_000)
    reports: int = 200
    """Fresh reports triaged one at a time, at each size."""
    peer_every: int = 5
    """Of so many reports one is also given to the peers: a scan of 100,000 texts takes seconds."""
    batch: int = 200
    """Fresh reports of the command line's batch, at each size."""
    repeats: int = 3
    """Imports of the smallest size, and rounds of the embedder."""
    seed: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    """Settings of the command line's process, where they differ."""


class Import(BaseModel):
    """One import into an empty workspace."""

    incidents: int
    seconds: float
    """Reading, checking, storing and indexing words."""
    rate: float
    """Incidents a second."""


class PeerSpeed(BaseModel):
    """A peer beside the system, on the same reports; times in milliseconds."""

    build_seconds: float
    query: Spread
    triage_ratio: Interval
    """Median of the whole triage, divided by the peer's median."""
    search_ratio: Interval
    """Median of the system's search alone, divided by the peer's median."""


class AtSize(BaseModel):
    """Everything measured with a memory of `size` incidents; times in milliseconds where not said otherwise."""

    size: int
    imported: Import
    vectors_seconds: float
    """Storing vectors that were already computed."""
    calibration_seconds: float
    triage: Spread
    triage_cpu: Spread
    """Processor time of the same reports, all threads: what remains of `triage` on a machine that does nothing else."""
    search: Spread
    peers: dict[str, PeerSpeed]
    batch: Batch
    disk_mb: dict[str, float]
    load: float | None
    """Processes that wanted to run, mean over the minute before the last report; this one counts as 1 or a little more."""
    failed: int
    """Reports without a verdict, one at a time and in the batch."""
    notes: list[str] = Field(default_factory=list)


class Speed(BaseModel):
    """The whole measurement."""

    provenance: Provenance
    imports: Spread
    """Incidents a second over every import of this run."""
    embedder: Spread
    """Texts a second, real texts, 32 a round."""
    sizes: list[AtSize]
    growth: float | None
    """The exponent of cost ~ size^x, from the medians of triage; None with one size."""
    seconds: float
    notes: list[str]
