"""What the summary graph works with, composed from a workspace's parts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import select

from qa_agents.results.history import History, history_before
from qa_agents.results.related import Related
from qa_agents.results.requirements import Planned
from qa_agents.results.steps import SummaryParts
from qa_agents.storage.tables import runs

if TYPE_CHECKING:
    from qa_agents.incidents.schema import Report
    from qa_agents.results.schema import Run
    from qa_agents.wiring import Workspace

TELLING = ("error_code", "exception", "top_frame")
SHARED_NAMES = 2
"""A trace and an incident that share so many kinds of identifiers are of one area, whatever else they say."""
SUMMARY_CHARS = 120
NEIGHBOURS = 25
"""How many past incidents are looked at for one cause."""


def summary_parts(workspace: "Workspace") -> SummaryParts:
    """The parts of the summary graph. One history is kept at hand between its nodes, as each of them needs it."""
    from qa_agents.runtime.record import Recorder

    recorder, store = Recorder(workspace.database, workspace.ledger), workspace.run_store
    run = lru_cache(maxsize=2)(store.get)

    @lru_cache(maxsize=1)
    def known(run_id: str, branches: tuple[str, ...] | None, baseline: str | None) -> History:
        return history_before(store, run(run_id), branches=branches, baseline=baseline)

    def history(current: "Run", branches: Sequence[str] | None, baseline: str | None) -> History:
        return known(current.info.run_id, None if branches is None else tuple(branches), baseline)

    return SummaryParts(
        document=workspace.document,
        keep=workspace.keep,
        publish=recorder.publish,
        finish=recorder.finish,
        run=run,
        digest=lambda run_id: store.head(run_id).digest,
        history=history,
        relate=lambda report: related(workspace, report),
        planned=lambda: planned(workspace),
        criticals=lambda: criticals(workspace),
        now=lambda: datetime.now(UTC),
    )


def related(workspace: "Workspace", report: "Report") -> list[Related]:
    """The incidents that a cause relates to, by the rules of triage; none while the memory is empty.

    A trace has little of a report's prose, so that an incident may be far by its text and yet name the very same error and
    frame: one that shares at least two such identifiers is of the same area.
    """
    if not workspace.store.count():
        return []
    from qa_agents.triage.facts.extract import comparable, extract_facts
    from qa_agents.triage.relate import compare, relate
    from qa_agents.triage.steps import facts_of

    as_of, memory = datetime.now(UTC), workspace.memory
    facts = extract_facts(report)
    neighbours = memory.neighbours(memory.search(report, k=NEIGHBOURS, as_of=as_of))
    found = relate(
        report,
        facts,
        neighbours,
        chain=lambda incident_id: memory.chain(incident_id, as_of),
        facts_of=facts_of,
        as_of=as_of,
        incident_of=lambda incident_id: memory.known(incident_id, as_of),
    )
    by_text = [
        Related(
            incident_id=one.incident_id,
            relation=one.kind,
            state=one.state,
            summary=one.summary,
            same=tuple(one.same),
            differs=tuple(one.differs),
        )
        for one in found
    ]
    mine = {name: values for name, values in comparable(facts).items() if name in TELLING}
    claimed = {one.incident_id for one in by_text}
    by_name = []
    for _, incident in neighbours:
        held = compare(mine, facts_of(incident))
        if incident.id not in claimed and len(held.same) >= SHARED_NAMES:
            state = "open" if incident.open_at(as_of) else incident.resolution or "closed"
            shared = Related(
                incident_id=incident.id,
                relation="same-area",
                state=state,
                summary=incident.summary[:SUMMARY_CHARS],
                same=tuple(held.same),
            )
            by_name.append((len(held.same), shared))
    return [*by_text, *(shared for _, shared in sorted(by_name, key=lambda pair: -pair[0]))]


def planned(workspace: "Workspace") -> list[Planned]:
    """The requirements of the newest draft of every plan that have cases, with the ids by which tests may name them."""
    query = select(runs.c.subject_id, runs.c.outcome_sha256).where(
        runs.c.kind == "plan", runs.c.outcome_sha256.is_not(None)
    )
    with workspace.database.read() as connection:
        rows = connection.execute(query.order_by(runs.c.started_at)).all()
        newest = {row.subject_id: row.outcome_sha256 for row in rows}
    if not newest:
        return []
    from qa_agents.plans.schema import TestPlan

    found = []
    for subject, sha256 in newest.items():
        plan = TestPlan.model_validate_json(workspace.document(sha256))
        cases: dict[str, list[str]] = {}
        for case in plan.cases:
            for requirement_id in case.requirement_ids:
                cases.setdefault(requirement_id, []).append(case.id)
        found += [
            Planned(
                plan=subject.removeprefix("plan/"),
                requirement_id=one.id,
                text=one.text[:300],
                ids=tuple(filter(None, (one.id, one.explicit_id, *cases[one.id]))),
            )
            for one in plan.requirements
            if one.id in cases
        ]
    return found


def criticals(workspace: "Workspace") -> tuple[int, int] | None:
    """(open incidents of the highest severity, all incidents); None without incidents."""
    store = workspace.store
    known = store.count()
    if not known:
        return None
    return store.count_open(workspace.rubric.top_words(store.severities())), known
