"""The escalation score: how much speaks for a person's look. Monotone: what is added to a report can only raise it.

Each part is a number from 0 to 1 with a weight, and each alone may suffice (noisy-or: Pearl, "Probabilistic reasoning in
intelligent systems", 1988). The score orders reports; it is not a probability. The missed-critical bound holds whatever
its quality.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from qa_agents.incidents.schema import Candidate, Incident, Report
from qa_agents.triage.classify import vote_weight
from qa_agents.triage.schema import Relation, Signals
from qa_agents.triage.severity.factors import UNKNOWN, level_of_factors, read_factors
from qa_agents.triage.severity.rubric import Rubric

VERSION = "1"
"""Changes with anything below: a calibration made on other scores is void."""
DIGITS = 9
HEARD = 20
"""Only so many of the nearest incidents speak."""
PRIOR = 1.0
"""Weight of imagined neighbours with the memory's own share of critical incidents: keeps one look-alike from deciding."""


class Concern(NamedTuple):
    """What speaks for a look, each from 0 (nothing) to 1."""

    signal: float = 0.0
    """1 when the text speaks of security, privacy, data loss, money, law, or addresses its reader."""
    impact: float = 0.0
    """How high the rubric rates what the report says: 1 the highest level, 0 the lowest or unknown."""
    undetermined: float = 0.0
    """1 when the report does not say what the impact is."""
    neighbours: float = 0.0
    """The similarity-weighted share of the nearest incidents that were critical."""
    regression: float = 0.0
    """1 when something that was fixed seems to be back."""
    unfamiliar: float = 0.0
    """1 minus the similarity of the nearest incident."""


WEIGHTS = Concern(signal=1.0, impact=0.35, undetermined=0.15, neighbours=0.9, regression=0.2, unfamiliar=0.1)
"""How far each part can raise the score alone."""


def escalation_score(concern: Concern) -> float:
    """The score from 0 to 1; no part, raised, ever lowers it. Rounded, so that equal reports have equal scores everywhere."""
    calm = 1.0
    for part, weight in zip(concern, WEIGHTS, strict=True):
        calm *= 1.0 - weight * min(1.0, max(0.0, part))
    return round(1.0 - calm, DIGITS)


def read_concern(
    report: Report,
    signals: Signals,
    relations: Sequence[Relation],
    neighbours: Sequence[tuple[Candidate, Incident]],
    *,
    rubric: Rubric,
    critical: Collection[str],
    base_rate: float = 0.0,
) -> Concern:
    """The parts of a report's score. `critical` are the team's words for what must not be missed, `base_rate` their share.

    Nothing in it was fitted on outcomes: a fitted severity has seen the reports that the bound is calibrated on.
    """
    factors = read_factors(report, signals, rubric)
    known = factors["impact"].value != UNKNOWN
    level = level_of_factors(factors, rubric)[0] if known else len(rubric.levels)
    return Concern(
        signal=float(alarming(signals)),
        impact=(len(rubric.levels) - level) / max(1, len(rubric.levels) - 1),
        undetermined=float(not known),
        neighbours=_critical_share(neighbours, critical, base_rate),
        regression=float(any(relation.kind == "regression-of-fixed" for relation in relations)),
        unfamiliar=1.0 - nearness([candidate for candidate, _ in neighbours]),
    )


def alarming(signals: Signals) -> bool:
    """Whether the text alone calls for a person, whatever else is known."""
    return any(
        (
            signals.security, signals.privacy, signals.data_loss, signals.money, signals.legal, signals.injection,
            signals.hidden, signals.secrets,
        )
    )  # fmt: skip


def nearness(candidates: Sequence[Candidate]) -> float:
    """How near the nearest candidate is, 0 to 1: by meaning where vectors were compared, else by words; 0 without any."""
    dense = [candidate.dense for candidate in candidates if candidate.dense is not None]
    words = [candidate.lexical for candidate in candidates if candidate.lexical is not None]
    return min(1.0, max(0.0, max(dense or words, default=0.0)))


def is_critical(incident: Incident, critical: Collection[str]) -> bool:
    """Whether people rated this incident with one of the critical words, as severity or as priority."""
    words = {word.casefold() for word in critical}
    return any(value is not None and value.casefold() in words for value in (incident.severity, incident.priority))


def _critical_share(
    neighbours: Sequence[tuple[Candidate, Incident]], critical: Collection[str], base_rate: float
) -> float:
    rated = [(c, i) for c, i in neighbours if i.severity or i.priority][:HEARD]
    weights = [vote_weight(candidate) for candidate, _ in rated]
    share = sum(w for w, (_, incident) in zip(weights, rated, strict=True) if is_critical(incident, critical))
    return (share + PRIOR * base_rate) / (sum(weights) + PRIOR)
