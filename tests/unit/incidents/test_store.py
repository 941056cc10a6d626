from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from qa_agents.errors import StorageError
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import Database
from qa_agents.storage.tables import incidents

MONDAY = datetime(2024, 3, 4, 9, tzinfo=UTC)


def incident(id_: str, **fields: Any) -> Incident:
    return Incident.model_validate({"id": id_, "summary": f"summary of {id_}", **fields})


@pytest.fixture
def store(db: Database) -> IncidentStore:
    return IncidentStore(db)


def test_each_input_gets_its_outcome_in_order(store: IncidentStore) -> None:
    assert store.upsert([incident("A"), incident("B")]) == ["imported", "imported"]
    assert store.upsert([incident("A"), incident("C"), incident("B", severity="High")]) == [
        "unchanged",
        "imported",
        "updated",
    ]
    assert store.count() == 3


def test_the_same_rows_twice_change_nothing(store: IncidentStore) -> None:
    rows = [incident("A", created=MONDAY), incident("B", duplicate_of=["A"])]
    store.upsert(rows)
    seq = store.last_seq()
    assert store.upsert(rows) == ["unchanged", "unchanged"]
    assert store.last_seq() == seq


def test_an_older_row_is_stale_and_not_written(store: IncidentStore) -> None:
    store.upsert([incident("A", updated=MONDAY, severity="High")])
    assert store.upsert([incident("A", updated=MONDAY - timedelta(days=1), severity="Low")]) == ["stale"]
    assert store.upsert([incident("A", updated=MONDAY + timedelta(days=1), severity="Low")]) == ["updated"]
    found = store.get("A")
    assert found is not None
    assert found.severity == "Low"


def test_of_one_id_twice_in_a_batch_the_newer_row_stays(store: IncidentStore) -> None:
    newer, older = incident("A", updated=MONDAY, severity="High"), incident("A", updated=MONDAY - timedelta(1))
    assert store.upsert([newer, older, newer]) == ["imported", "stale", "unchanged"]
    found = store.get("A")
    assert found is not None
    assert found.severity == "High"


def test_a_remembered_report_never_overwrites_a_row(store: IncidentStore) -> None:
    store.upsert([incident("A", resolution="Fixed")])
    assert store.upsert([incident("A")], origin="report") == ["unchanged"]
    found = store.get("A")
    assert found is not None
    assert found.resolution == "Fixed"


def test_an_imported_row_overwrites_a_remembered_report(store: IncidentStore) -> None:
    assert store.upsert([incident("A", updated=MONDAY)], origin="report") == ["imported"]
    assert store.upsert([incident("A", resolution="Fixed")]) == ["updated"]
    assert store.stats().origins == {"import": 1}


def test_unknown_keys_survive_the_round_trip(store: IncidentStore) -> None:
    row = incident("A", created=MONDAY, votes=7, schema_version=9, nested={"a": [1, None, "ü"]}, odd="\ud800")
    store.upsert([row])
    assert store.get("A") == row


@given(st.dictionaries(st.text(min_size=1).filter(lambda key: key not in Incident.model_fields and key != "self"),
                       st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)))  # fmt: skip
def test_any_unknown_keys_survive_the_encoding(extra: dict[str, Any]) -> None:
    from qa_agents.incidents.store import _decoded, _row_of

    row = incident("A", **extra)
    assert _decoded(_row_of(row, "import")["body"]) == row


def test_many_ids_are_found_whatever_the_engine_allows_in_one_query(store: IncidentStore) -> None:
    store.upsert([incident(str(i)) for i in range(1_234)])
    assert len(store.get_many(str(i) for i in range(2_000))) == 1_234
    assert store.get_many([]) == {}


def test_changes_come_in_order_and_each_incident_once(store: IncidentStore) -> None:
    store.upsert([incident("A"), incident("B"), incident("C")])
    store.upsert([incident("A", severity="High")])
    first = store.changes(0, 2)
    rest = store.changes(first[-1].seq, 10)
    assert [change.incident.id for change in first + rest] == ["B", "C", "A"]
    assert [change.seq for change in first + rest] == sorted(change.seq for change in first + rest)
    assert rest[-1].seq == store.last_seq()
    assert store.count_changes(first[-1].seq) == 1


def test_a_change_keeps_the_primary_key(store: IncidentStore) -> None:
    store.upsert([incident("A")])
    key = store.pk_of("A")
    store.upsert([incident("A", severity="High")])
    change = store.change_of("A")
    assert change is not None
    assert change.pk == key == store.pk_of("A")
    assert key is not None
    assert store.by_pk([key])[key].severity == "High"
    assert store.pk_of("B") is None
    assert store.change_of("B") is None


def test_an_upsert_in_a_transaction_that_fails_leaves_nothing(store: IncidentStore, db: Database) -> None:
    def write_and_fail() -> None:
        with db.write() as connection:
            store.upsert_in(connection, [incident("A")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert store.count() == 0
    assert store.last_seq() == 0


def test_links_follow_the_incident(store: IncidentStore) -> None:
    store.upsert([incident("A"), incident("B", duplicate_of=["A", "A", "B"]), incident("C", duplicate_of=["A"])])
    assert store.duplicates_of(["A", "B"]) == {"A": ["B", "C"], "B": []}
    store.upsert([incident("C", duplicate_of=["B"])])
    assert store.duplicates_of(["A", "B"]) == {"A": ["B"], "B": ["C"]}


def closed(id_: str, *targets: str, days: int = 0) -> Incident:
    return incident(id_, created=MONDAY, resolved=MONDAY + timedelta(days), duplicate_of=list(targets))


def test_a_chain_of_duplicates_is_followed_to_its_end(store: IncidentStore) -> None:
    store.upsert([closed("C", "B"), closed("B", "A"), incident("A", created=MONDAY)])
    assert store.resolve_canonical("C", MONDAY) == ["C", "B", "A"]
    assert store.resolve_canonical("A", MONDAY) == ["A"]
    assert store.resolve_canonical("unknown", MONDAY) == ["unknown"]


def test_a_link_that_was_not_yet_revealed_is_not_followed(store: IncidentStore) -> None:
    store.upsert([closed("C", "B", days=1), closed("B", "A", days=9), incident("A", created=MONDAY)])
    assert store.resolve_canonical("C", MONDAY) == ["C"]
    assert store.resolve_canonical("C", MONDAY + timedelta(days=2)) == ["C", "B"]


def test_a_chain_ends_where_it_would_close_or_leave_the_memory(store: IncidentStore) -> None:
    store.upsert([closed("A", "B"), closed("B", "A"), closed("C", "gone"), closed("D", "D")])
    assert store.resolve_canonical("A", MONDAY) == ["A", "B"]
    assert store.resolve_canonical("C", MONDAY) == ["C"]
    assert store.resolve_canonical("D", MONDAY) == ["D"]


def test_a_link_to_an_incident_that_did_not_exist_yet_is_not_followed(store: IncidentStore) -> None:
    store.upsert([closed("A", "B"), incident("B", created=MONDAY + timedelta(days=5))])
    assert store.resolve_canonical("A", MONDAY) == ["A"]


def test_stats_tell_what_the_memory_holds(store: IncidentStore) -> None:
    store.upsert(
        [
            incident("A", created=MONDAY, component="Cart", severity="High", type="Bug", status="Open"),
            incident("B", created=MONDAY + timedelta(days=1), component="Cart", resolution="Fixed", resolved=MONDAY,
                     resolution_note="A null was passed."),
            incident("C", status="Closed", resolution="Duplicate", duplicate_of=["A"]),
        ]
    )  # fmt: skip
    store.upsert([incident("D")], origin="report")
    stats = store.stats(now=MONDAY + timedelta(days=2))
    assert (stats.size, stats.open, stats.duplicates, stats.with_note) == (4, 2, 1, 1)
    assert (stats.first, stats.last) == (MONDAY, MONDAY + timedelta(days=1))
    assert stats.component == {"Cart": 2}
    assert stats.severity == {"High": 1}
    assert stats.type == {"Bug": 1}
    assert stats.resolution == {"Fixed": 1, "Duplicate": 1}
    assert stats.origins == {"import": 3, "report": 1}


def test_an_empty_memory_has_stats_and_no_identity(store: IncidentStore) -> None:
    assert store.stats().size == 0
    assert store.stats().first is None
    assert store.identity() == ""
    assert store.last_seq() == 0
    assert store.changes(0, 5) == []


def test_the_identity_stays_and_differs_between_memories(store: IncidentStore, db: Database) -> None:
    store.upsert([incident("A")])
    store.upsert([incident("B")])
    assert len(store.identity()) == 32
    assert IncidentStore(db).identity() == store.identity()


def test_the_newest_decided_are_the_ones_whose_outcome_is_known(store: IncidentStore) -> None:
    day = timedelta(days=1)
    store.upsert(
        [
            incident("old", created=MONDAY, resolved=MONDAY + day),
            incident("open", created=MONDAY + day),
            incident("new", created=MONDAY + 2 * day, resolution="Fixed"),
            incident("undated", resolution="Fixed"),
        ]
    )
    store.upsert([incident("remembered", created=MONDAY, resolution="Fixed")], origin="report")
    assert [found.id for found in store.newest_decided(5)] == ["new", "old"]
    assert [found.id for found in store.newest_decided(1)] == ["new"]


@pytest.mark.parametrize(
    "body", [{"schema_version": 99, "incident": {"id": "A", "summary": "x"}}, {"schema_version": 1}, {}]
)
def test_a_body_this_release_cannot_read_is_said_so(store: IncidentStore, db: Database, body: dict[str, Any]) -> None:
    store.upsert([incident("A")])
    with db.write() as connection:
        connection.execute(update(incidents).values(body=body))
    with pytest.raises(StorageError):
        store.get("A")


def test_the_stored_body_is_versioned(store: IncidentStore, db: Database) -> None:
    store.upsert([incident("A")])
    with db.read() as connection:
        body = connection.execute(text("SELECT body FROM incidents")).scalar_one()
    assert body.startswith('{"schema_version": 1,')


def test_a_persons_label_outlives_the_import_of_the_same_row(db: Database) -> None:
    store = IncidentStore(db)
    row = Incident(id="A-1", summary="It crashes", component="Billing")
    store.upsert([row])
    store.upsert([row.model_copy(update={"component": "Payments", "components": ["Payments"]})], origin="review")
    assert store.upsert([row]) == ["unchanged"]
    labelled = store.get("A-1")
    assert labelled is not None
    assert labelled.component == "Payments"
    assert store.upsert([row.model_copy(update={"severity": "High"})]) == ["updated"]


def test_what_the_tracker_told_of_between_two_moments_is_found_newest_first(store: IncidentStore) -> None:
    days = [MONDAY + timedelta(days=n) for n in range(5)]
    store.upsert([incident(f"A-{n}", created=day) for n, day in enumerate(days)] + [incident("B")])
    store.upsert([incident("R", created=days[2])], origin="report")
    assert [one.id for one in store.filed_between(days[0], days[3], 10)] == ["A-3", "A-2", "A-1"]
    assert [one.id for one in store.filed_between(days[0], days[3], 2)] == ["A-3", "A-2"]
    assert store.newest_filed() == days[4]


def test_a_memory_without_dates_has_no_newest(store: IncidentStore) -> None:
    store.upsert([incident("B")])
    assert store.newest_filed() is None
