"""The shapes that are fitted and ranked: one field's model, a neighbour with its vote, the labels in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from qa_agents.incidents.schema import Incident
from qa_agents.triage.calibrate import Curve
from qa_agents.triage.proposals.fusion import Beta, Floats
from qa_agents.triage.proposals.witnesses import Witnesses

MIN_LEAD = 0.05
"""A field must beat "always the most frequent value of late" by this share of the reports."""
FADED_AFTER = timedelta(days=365)
"""A label that nobody has used for so long is not proposed any more."""
LEFT_AFTER = timedelta(days=180)
"""A person who has resolved nothing for so long is taken to have left."""


class Heard(NamedTuple):
    """What was said of one report, and what came of it."""

    said: float
    """The fused probability of the likeliest label, before calibration."""
    hit: bool
    """Whether that label was right."""


@dataclass(frozen=True)
class FieldModel:
    """What was fitted for one field."""

    names: tuple[str, ...]
    witnesses: Witnesses
    weights: Mapping[str, float]
    """How much each witness is believed."""
    beta: Beta
    """From the fused probability of the best label to the measured one."""
    curve: Curve
    """How often the best label was right, by its fused probability, on reports that the witnesses had not seen."""
    lead: float
    """By how much it is right more often than the usual value is: the lower 95 % bound, 1 is always."""
    last_used: Mapping[str, datetime]
    load: Mapping[str, int]
    outcomes: int
    now: datetime
    """The newest thing that was known."""
    at_once: bool = False
    """Whether people label at triage, so that a label is known soon after the filing; otherwise from closing on."""
    window: tuple[Heard, ...] = ()
    """The newest reports since the fit, in the order of their filing."""
    trend: Beta = field(default_factory=Beta)
    """From the probability as fitted to what it was worth in the window."""

    def sure(self, said: float) -> float:
        """The probability that a label is right, from its fused one."""
        return self.trend(self.beta(said))

    @property
    def telling(self) -> bool:
        """Whether it tells more than the usual value does; otherwise it speaks only where it is nearly sure."""
        return self.lead >= MIN_LEAD


class Near(NamedTuple):
    """One neighbour with what its vote rests on."""

    incident: Incident
    closeness: float
    days: float
    same_product: bool


class Ranked(NamedTuple):
    """All labels of one field for one report, the likeliest first."""

    names: list[str]
    probabilities: Floats
    retired: list[str]
    """Labels that were left out: out of use, of a person who left, or not in the tracker's list."""
