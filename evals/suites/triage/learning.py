"""How retrieval learns: the same duplicates looked for with 0, 20, 200 and all of the earlier duplicate links known.

With no link of the team's own, what ships answers; with more, what is fitted on them. All else is as in the replay.
"""

import random
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
from pydantic import BaseModel

from evals.data import as_filed
from evals.provenance import Provenance, provenance
from evals.scorers.ranking import hits_at, rank_of, reciprocal_ranks
from evals.stats import Interval, paired_mean, wilson
from evals.suites.triage.contenders import K
from evals.suites.triage.history import History
from evals.suites.triage.refit import refit
from evals.suites.triage.replay import Counter, Replay, take_over
from evals.suites.triage.result import Curve, Point
from evals.tracker import Tracker
from evals.vectors import KeptVectors, Tell
from qa_agents.errors import InvalidInputError
from qa_agents.incidents.schema import Incident
from qa_agents.settings import Settings
from qa_agents.wiring import Workspace

STEPS = (0, 20, 200, None)
"""Known links; None: all there are."""


class Step(BaseModel):
    """One point of the curve."""

    links: int
    recall: dict[int, Interval]
    mrr: Interval
    ranks: list[int | None]
    fitted: list[str]
    gain: Interval | None = None
    """Recall@10 minus that of the first step, on the same duplicates."""


class Learning(BaseModel):
    """The whole curve."""

    provenance: Provenance
    dataset: str
    queries: int
    steps: list[Step]
    notes: list[str]
    seconds: float

    def curves(self) -> dict[str, list[Curve]]:
        """What is drawn: recall and MRR over the number of known links."""
        recall = [
            Curve(name=f"recall@{cut}", points=[Point(x=s.links, y=s.recall[cut].value) for s in self.steps])
            for cut in (1, 10)
        ]
        return {
            "duplicates found": [
                *recall,
                Curve(name="MRR@20", points=[Point(x=s.links, y=s.mrr.value) for s in self.steps]),
            ]
        }


def read_learning(path: Path) -> Learning:
    """What `python -m evals learning --json` wrote. Raises InvalidInputError when it is something else."""
    try:
        return Learning.model_validate(orjson.loads(path.read_bytes())["learning"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInputError(
            f"{path} holds no learning curve ({reason}).", hint="`learning --json` writes one."
        ) from None


def run_learning(
    tracker: Tracker,
    first: int,
    wanted: Mapping[int, set[str]],
    embedder: KeptVectors,
    work: Path,
    *,
    seed: int = 0,
    tell: Tell = lambda _: None,
) -> Learning:
    """Look for the duplicates at the places of `wanted` once for each step. Raises InvalidInputError without any."""
    if not wanted:
        raise InvalidInputError(f"{tracker.dataset.name} names no duplicate of an earlier report from the start on.")
    origin, began, incidents = provenance(tracker.dataset, seed=seed), time.perf_counter(), tracker.incidents
    known = links_at(incidents, first)
    steps: list[Step] = []
    notes: list[str] = []
    for count in STEPS:
        if count is not None and count > len(known):
            notes.append(f"There are {len(known)} links, fewer than {count}.")
            continue
        chosen = set(known if count is None else random.Random(seed).sample(known, count))
        tell(f"{len(chosen)} known links")
        step = _step(incidents, first, wanted, chosen, embedder, work, notes, tell)
        if steps:
            step.gain = paired_mean(hits_at(step.ranks, 10), hits_at(steps[0].ranks, 10))[0]
        steps.append(step)
    return Learning(
        provenance=origin,
        dataset=tracker.dataset.name,
        queries=len(wanted),
        steps=steps,
        notes=notes,
        seconds=time.perf_counter() - began,
    )


def links_at(incidents: Sequence[Incident], first: int) -> list[str]:
    """Ids of the reports that were known, when the report at place `first` was filed, to duplicate another."""
    now = incidents[first].created
    return [
        incident.id
        for incident in incidents[:first]
        if incident.duplicate_of and incident.resolved is not None and now is not None and incident.resolved <= now
    ]


def _step(
    incidents: Sequence[Incident],
    first: int,
    wanted: Mapping[int, set[str]],
    linked: set[str],
    embedder: KeptVectors,
    work: Path,
    notes: list[str],
    tell: Tell,
) -> Step:
    home, log = work / f"learning-{len(linked)}", Replay()
    with Workspace(Settings(home=home)) as workspace:
        workspace.embedder = embedder
        history, now = History(incidents, "filed", linked), incidents[first].created
        assert now is not None, "a tracker's incidents are dated"
        take_over(workspace, list(history.due(now, first)), log, tell)
        fitted = refit(workspace, now, tell)
        counter, ranks = Counter(workspace), []
        for position in sorted(wanted):
            moment = incidents[position].created or now
            take_over(workspace, list(history.due(moment, position)), log, tell)
            verdict = counter.triaged(as_filed(incidents[position]), position)
            if verdict.error and verdict.error not in notes:
                notes.append(verdict.error)
            ranks.append(rank_of(verdict.found[:K], wanted[position]))
    embedder.save()
    shutil.rmtree(home, ignore_errors=True)
    notes.extend(note for note in log.notes if note not in notes)
    return Step(
        links=len(linked),
        recall={cut: wilson(sum(hits_at(ranks, cut)), len(ranks)) for cut in (1, 5, 10, 20)},
        mrr=paired_mean(reciprocal_ranks(ranks), [0.0] * len(ranks))[0],
        ranks=ranks,
        fitted=fitted,
    )
