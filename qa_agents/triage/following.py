"""Between two fits: the probabilities of proposals follow the outcomes that arrive, kept beside what was fitted.

Each report that was filed and labelled since is ranked again as it was filed, which says what was, or would have been,
proposed; the probabilities are then moved on (`proposals/recalibrate.py`). The models themselves stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from qa_agents.incidents.schema import Incident
from qa_agents.incidents.search import Memory
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import Learned, keep_learned, load_learned
from qa_agents.triage.calibrate import Curve
from qa_agents.triage.proposals.fitted import FittedProposals
from qa_agents.triage.proposals.fusion import Beta
from qa_agents.triage.proposals.model import FieldModel, Heard, Ranked
from qa_agents.triage.ranking.examples import as_filed
from qa_agents.triage.schema import FieldName

PROPOSALS, WINDOW = "proposals", "proposals-window"
"""Under these names the models and what followed them are kept."""

Progress = Callable[[str, int, int], None]


def follow(memory: Memory, database: Database, progress: Progress = lambda *_: None) -> int | None:
    """Move the probabilities on by the reports filed since the fit, or since the last time; on how many of them.

    None where nothing usable is fitted, or where too few reports are new to tell anything.
    """
    from qa_agents.triage.proposals.recalibrate import EVERY, SETTLED, followed
    from qa_agents.triage.proposals.recalibrate import WINDOW as MOST

    with database.read() as connection:
        kept, window = load_learned(connection, PROPOSALS), load_learned(connection, WINDOW)
    newest = memory.store.newest_filed()
    if kept is None or newest is None or kept.about["fingerprint"] != memory.fingerprint:
        return None
    before = window.about["until"] if window and window.about["of"] == kept.sha256 else kept.about.get("known_until")
    since, until = datetime.fromisoformat(before) if before else newest, newest - SETTLED
    news = memory.store.filed_between(since, until, MOST) if since < until else []
    if len(news) < EVERY:
        return None
    fitted, ranked = moved(FittedProposals.from_bytes(kept.body), window, kept.sha256), []
    if not any(model.at_once for model in fitted.fields.values()):
        return None
    for done, incident in enumerate(news):
        progress("following outcomes", done, len(news))
        ranked.append((incident, _ranked(fitted, memory, incident)))
    body = _packed(followed(fitted, ranked, since, until))
    with database.write() as connection:
        keep_learned(connection, WINDOW, body, of=kept.sha256, until=until.isoformat(), n=len(news))
    return len(news)


def moved(fitted: FittedProposals, window: Learned | None, sha256: str) -> FittedProposals:
    """The models with what followed them; as they are where that belongs to others than the ones with this hash."""
    if window is None or window.about.get("of") != sha256:
        return fitted
    told: dict[str, dict[str, Any]] = orjson.loads(window.body)
    fields = {name: _moved(model, told[name]) if name in told else model for name, model in fitted.fields.items()}
    return replace(fitted, fields=fields)


def _ranked(fitted: FittedProposals, memory: Memory, incident: Incident) -> dict[FieldName, Ranked]:
    assert incident.created is not None, "filed_between gives dated incidents only"
    report = as_filed(incident)
    found = memory.search(report, as_of=incident.created)
    return fitted.rank_all(fitted.case(report, memory.neighbours(found), memory.vector_of(report), incident.created))


def _packed(fitted: FittedProposals) -> bytes:
    return orjson.dumps(
        {
            name: {
                "trend": list(model.trend),
                "curve": model.curve.model_dump(mode="json"),
                "window": [[round(said, 6), int(hit)] for said, hit in model.window],
            }
            for name, model in fitted.fields.items()
        }
    )


def _moved(model: FieldModel, told: dict[str, Any]) -> FieldModel:
    return replace(
        model,
        trend=Beta(*told["trend"]),
        curve=Curve.model_validate(told["curve"]),
        window=tuple(Heard(float(said), bool(hit)) for said, hit in told["window"]),
    )
