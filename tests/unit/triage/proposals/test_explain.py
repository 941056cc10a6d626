"""From a ranking to a proposal: parents for unsure children, and the lighter load between equals."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.calibrate import Block, Curve
from qa_agents.triage.proposals.explain import MAX_ALTERNATIVES, propose
from qa_agents.triage.proposals.fusion import Beta
from qa_agents.triage.proposals.habits import Habits
from qa_agents.triage.proposals.model import FieldModel, Near, Ranked
from qa_agents.triage.proposals.witnesses import Witnesses
from qa_agents.triage.proposals.words import Row, Vocabulary
from qa_agents.triage.schema import FieldName, Proposal

NOW = datetime(2024, 6, 1, tzinfo=UTC)
NOTHING = Vocabulary(np.empty(0, np.uint64), np.empty(0, np.float32))
EMPTY = Row(np.empty(0, np.int32), np.empty(0, np.float32))


def model(*names: str, load: dict[str, int] | None = None, lead: float = 0.3, kept: int = 90) -> FieldModel:
    return FieldModel(
        names=names,
        witnesses=Witnesses((), None, None, Habits(np.ones(len(names)))),
        weights={},
        beta=Beta(),
        curve=Curve(blocks=[Block(low=0.0, kept=kept, n=100)]),
        lead=lead,
        last_used={},
        load=load or {},
        outcomes=100,
        now=NOW,
    )


def proposed(field: FieldName, chances: dict[str, float], near: list[Near] | None = None, **fields: Any) -> Proposal:
    ranked = Ranked(list(chances), np.array(list(chances.values())), [])
    report = Report(id="R", summary="x", created=NOW)
    return propose(field, model(*chances, **fields), ranked, near or [], NOTHING, report, EMPTY, supported=True)


def carrying(name: str, **fields: Any) -> Near:
    return Near(Incident(id=name, summary=f"About {name}", created=NOW - timedelta(days=3), **fields), 0.8, 3.0, True)


def test_an_unsure_child_gives_way_to_its_parent_and_is_shown_beside_it() -> None:
    found = proposed("component", {"Mobile / iOS": 0.42, "Mobile / Android": 0.38, "Mobile": 0.08, "Web": 0.12})
    assert found.value == "Mobile"
    assert found.probability == pytest.approx(0.88)
    assert (found.kept, found.cases) == (None, None)  # nothing was measured for sums
    assert [other.value for other in found.alternatives] == ["Mobile / iOS", "Mobile / Android"]
    assert found.evidence[-1].text == "the parts of Mobile have 88% together, none of them alone enough"


def test_a_sure_child_stays_a_child() -> None:
    assert proposed("component", {"Mobile / iOS": 0.6, "Mobile": 0.3, "Web": 0.1}).value == "Mobile / iOS"


def test_a_parent_that_the_team_does_not_use_is_not_invented() -> None:
    assert proposed("component", {"Mobile / iOS": 0.45, "Mobile / Android": 0.45, "Web": 0.1}).value == "Mobile / iOS"


def test_between_people_as_likely_the_one_with_less_open_is_proposed() -> None:
    found = proposed("assignee", {"ana": 0.45, "bo": 0.44, "cy": 0.11}, load={"ana": 9, "bo": 2})
    assert found.value == "bo"
    assert found.evidence[-1].text == "as likely as ana, and has 2 open incidents, not 9"
    assert found.alternatives[0].value == "ana"


def test_load_does_not_outweigh_likelihood() -> None:
    assert proposed("assignee", {"ana": 0.5, "bo": 0.44}, load={"ana": 9}).value == "ana"


def test_load_says_nothing_about_components() -> None:
    assert proposed("component", {"UI": 0.45, "API": 0.44}, load={"UI": 9}).value == "UI"


def test_an_unlikely_value_is_an_alternative_only() -> None:
    found = proposed("component", {f"C{n}": 0.1 for n in range(9)})
    assert found.value is None
    assert found.against[0].text == "No component is likely enough: C0, the likeliest, has 10%."
    assert len(found.alternatives) == MAX_ALTERNATIVES


@pytest.mark.parametrize(("kept", "value"), [(95, "High"), (85, None)])
def test_a_field_that_hardly_beats_the_usual_value_speaks_only_where_it_is_nearly_sure(
    kept: int, value: str | None
) -> None:
    assert proposed("priority", {"High": 0.9, "Low": 0.1}, lead=0.0, kept=kept).value == value


def test_incidents_that_carry_a_runner_up_speak_against() -> None:
    near = [
        carrying("A", components=["UI"]),
        carrying("B", components=["API"]),
        carrying("C", components=["API", "UI"]),
    ]
    found = proposed("component", {"UI": 0.7, "API": 0.3}, near)
    assert [e.ref for e in found.evidence if e.kind == "incident"] == ["A", "C"]
    assert [(e.ref, e.text) for e in found.against] == [("B", "component API in B: About B")]


def test_nothing_in_use_is_undetermined() -> None:
    assert proposed("component", {}).against[0].text == "No component that is still in use is known."
