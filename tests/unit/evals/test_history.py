"""The memory is told nothing before its time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from evals.suites.triage.history import History, LabelsKnown
from qa_agents.incidents.schema import Incident

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def incident(name: str, filed: int, closed: int | None) -> Incident:
    return Incident.model_validate(
        {
            "id": name,
            "summary": f"Lamp {name} flickers",
            "created": START + filed * DAY,
            "component": "Lamps",
            "severity": "High",
            "assignee": "rosa",
            "status": "Closed" if closed is not None else "Open",
            "resolution": "Fixed" if closed is not None else None,
            "resolved": None if closed is None else START + closed * DAY,
            "resolution_note": "The ballast was loose.",
            "duplicate_of": ["other"],
            "labels": ["later"],
            "dup_cluster": "secret",
            "n_comments": 4,
        }
    )


def test_a_report_is_first_known_as_filed_with_the_labels_people_chose() -> None:
    first = next(History([incident("a", 0, 9)], "filed").due(START + DAY, 1))
    assert (first.component, first.severity, first.summary) == ("Lamps", "High", "Lamp a flickers")
    assert (first.assignee, first.status, first.resolution, first.resolved, first.resolution_note) == (None,) * 5
    assert (first.duplicate_of, first.labels, first.model_extra) == ([], [], {})


def test_when_labels_wait_for_the_closing_nothing_but_the_report_is_known_before() -> None:
    history = History([incident("a", 0, 9)], "resolved")
    first = next(history.due(START + DAY, 1))
    assert (first.component, first.components, first.severity, first.priority, first.type) == (
        None,
        [],
        None,
        None,
        None,
    )
    later = next(history.due(START + 9 * DAY, 1))
    assert (later.component, later.assignee, later.duplicate_of) == ("Lamps", "rosa", ["other"])


def test_the_answer_itself_never_reaches_the_memory() -> None:
    closed = next(History([incident("a", 0, 1)], "filed").due(START + 5 * DAY, 1))
    assert closed.resolution == "Fixed"
    assert not {"dup_cluster", "n_comments"} & (closed.model_extra or {}).keys()


@given(
    st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 30)), min_size=1, max_size=12),
    st.lists(st.integers(0, 70), max_size=8),
    st.sampled_from(["filed", "resolved"]),
)
def test_whatever_the_order_nothing_is_told_early_and_everything_in_the_end(
    cases: list[tuple[int, int | None]], days: list[int], labels: LabelsKnown
) -> None:
    dated = sorted(((filed, None if took is None else filed + took) for filed, took in cases), key=lambda case: case[0])
    incidents = [incident(str(n), filed, closed) for n, (filed, closed) in enumerate(dated)]
    history, known = History(incidents, labels), {}
    for day in [*sorted(days), 100]:
        now = START + day * DAY
        before = sum(i.created is not None and i.created <= now for i in incidents)
        for told in history.due(now, before):
            known[told.id] = told
            assert told.created is not None
            assert told.created <= now
            assert told.resolved is None or told.resolved <= now
    assert {name: told.resolved for name, told in known.items()} == {i.id: i.resolved for i in incidents}
