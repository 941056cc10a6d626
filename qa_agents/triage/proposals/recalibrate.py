"""Probabilities that follow the outcomes between two fits: what a probability is worth now shows in the newest reports.

A second calibration over a sliding window, on top of the one that was fitted. Only for fields that people label at
triage: where a label is known from the closing on, the newest outcomes are those of reports that were closed quickly, and
they are not like the rest. Chosen on Titanium's 2012 (5,214 reports, fitted twice, words only): it took the calibration
error of components from .045 to .010, of types from .032 to .021, of priorities from .062 to .023, and lowered each log
loss; on 2013 from .017 to .006, .015 to .017 and .043 to .035. On persons it failed there, hence the restriction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qa_agents.incidents.schema import Incident
from qa_agents.triage.calibrate import fit_reliability
from qa_agents.triage.proposals.fusion import Beta, Floats, fit_beta, log_loss
from qa_agents.triage.proposals.history import labels_of
from qa_agents.triage.proposals.model import FieldModel, Heard, Ranked
from qa_agents.triage.schema import FieldName

if TYPE_CHECKING:
    from qa_agents.triage.proposals.fitted import FittedProposals

WINDOW = 600
"""So many of the newest reports tell what a probability is worth; half or twice as many did as well."""
EVERY = 50
"""So many new reports are worth looking at."""
SETTLED = timedelta(days=2)
"""A report's labels count as chosen after so long."""
HELD_OUT = 0.25
"""Share of the window, its newest end, on which a new trend must be at least as good as the one in use."""
MIN_HELD = 25
"""With fewer held-out reports the trend stays as it is."""


def recalibrated(model: FieldModel, news: Sequence[Heard]) -> FieldModel:
    """The model with its window moved on by `news`, the oldest first, none of which its witnesses were fitted on.

    The trend is fitted anew where one fitted on all but the window's newest quarter is at least as good on that quarter,
    by log loss, as the one in use; otherwise it stays.
    """
    window = (*model.window, *news)[-WINDOW:]
    moved = replace(model, window=window)
    said, hit = np.array([one.said for one in window]), np.array([one.hit for one in window], np.bool_)
    fitted, cut = model.beta.of(said) if len(window) else said, int(len(window) * (1 - HELD_OUT))
    if len(window) - cut < MIN_HELD:
        return moved
    if _loss(fit_beta(fitted[:cut], hit[:cut]), fitted[cut:], hit[cut:]) > _loss(model.trend, fitted[cut:], hit[cut:]):
        return moved
    return replace(moved, trend=fit_beta(fitted, hit), curve=fit_reliability(said.tolist(), hit.tolist()))


def followed(
    fitted: FittedProposals,
    reports: Sequence[tuple[Incident, Mapping[FieldName, Ranked]]],
    since: datetime,
    until: datetime,
) -> FittedProposals:
    """What was fitted, its probabilities moved on by the reports filed after `since`, which is after the fit, up to `until`.

    Each incident comes with what was, or would have been, ranked for it when it was filed.
    """
    fields: dict[FieldName, FieldModel] = {}
    for name, model in fitted.fields.items():
        news = []
        for incident, ranked in reports if model.at_once else ():
            right, best = labels_of(incident, name), ranked.get(name)
            if incident.created and since < incident.created <= until and right and best and best.names:
                news.append((incident.created, Heard(float(best.probabilities[0]), best.names[0] in right)))
        ordered = [heard for _, heard in sorted(news, key=lambda one: one[0])]
        fields[name] = recalibrated(model, ordered) if news else model
    return replace(fitted, fields=fields)


def _loss(beta: Beta, said: Floats, hit: NDArray[np.bool_]) -> float:
    return log_loss(beta.of(said), hit)
