import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update

from qa_agents.checkpoint.chain import GENESIS, Auditor, Entry, Finding
from qa_agents.checkpoint.ledger import Ledger, entries, entries_about, first_break, newest, redact, verify
from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.storage import migrations
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, open_database
from qa_agents.storage.tables import ledger as table
from qa_agents.storage.tables import runs
from tests.postgres import ENGINES, fresh_schema

FIELDS = ("seq", "at", "actor", "event", "subject", "payload", "previous_hash", "hash", "salt", "payload_sha256")


@pytest.fixture(params=ENGINES)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = open_database(tmp_path / "workspace" / "qa-agents.db")
        yield database
        database.close()
        return
    with fresh_schema() as url:
        database = open_database(url)
        yield database
        database.close()


def filled(db: Database, count: int = 5) -> None:
    ledger = Ledger(now=lambda: 1_700_000_000.25)
    for number in range(count):
        with db.write() as connection:
            ledger.append(connection, "received", f"R-{number}", actor="ada", note="ünï ✓", number=number)


def rows(db: Database) -> list[dict[str, Any]]:
    with db.read() as connection:
        return [dict(row._mapping) for row in connection.execute(select(table).order_by(table.c.seq))]


def replaced(db: Database, changed: list[dict[str, Any]]) -> None:
    with db.write() as connection:
        connection.execute(delete(table))
        connection.execute(insert(table), changed)


def edit(db: Database, seq: int, **values: Any) -> None:
    with db.write() as connection:
        connection.execute(update(table).where(table.c.seq == seq).values(**values))


def findings(db: Database) -> list[Finding]:
    return verify(db).findings


def kinds(db: Database) -> list[tuple[str, int]]:
    return [(finding.kind, finding.seq) for finding in findings(db)]


def test_an_untouched_chain_holds(db: Database) -> None:
    filled(db)
    assert first_break(entries(db)) is None
    assert [entry.subject for entry in entries(db)] == [f"R-{number}" for number in range(5)]
    result = verify(db)
    assert (result.intact, result.entries, result.head_seq) == (True, 5, 5)


def test_an_empty_ledger_holds(db: Database) -> None:
    assert first_break(entries(db)) is None
    assert verify(db).intact
    assert newest(db, 3) == []


def test_entries_about_one_subject_are_found(db: Database) -> None:
    filled(db)
    assert [entry.payload["number"] for entry in entries(db, "R-3")] == [3]


def test_entries_about_a_report_include_those_of_its_runs(db: Database) -> None:
    filled(db, 1)
    with db.write() as connection:
        connection.execute(
            insert(runs).values(
                run_id="triage-1", kind="triage", source="cli", subject_id="R-0", input_sha256="0" * 64,
                state="failed", options={}, started_at=1.0,
            )
        )  # fmt: skip
        Ledger().append(connection, "failed", "triage-1", error="the disk was full")
    assert [entry.event for entry in entries_about(db, "R-0")] == ["received", "failed"]


def test_the_newest_entries_come_in_order(db: Database) -> None:
    filled(db)
    assert [entry.seq for entry in newest(db, 2)] == [4, 5]


def test_an_edited_entry_is_named(db: Database) -> None:
    filled(db)
    edit(db, 3, actor="mallory")
    assert "Entry 3 (received of R-2) was changed after it was written." in str(first_break(entries(db)))
    assert kinds(db) == [("edited", 3)]


def test_an_edited_entry_with_a_hash_made_anew_is_named(db: Database) -> None:
    from qa_agents.checkpoint.chain import entry_hash

    filled(db)
    forged = [*entries(db)][2].model_copy(update={"actor": "mallory"})
    edit(db, 3, actor="mallory", hash=entry_hash(forged))
    assert kinds(db) == [("edited", 3)]
    assert "rewritten or replaced" in findings(db)[0].says


def test_a_deleted_entry_is_named(db: Database) -> None:
    filled(db)
    with db.write() as connection:
        connection.execute(delete(table).where(table.c.seq == 2))
    assert "Entry 2 is missing" in str(first_break(entries(db)))
    assert kinds(db) == [("deleted", 2)]


def test_deleted_first_entries_are_named(db: Database) -> None:
    filled(db)
    with db.write() as connection:
        connection.execute(delete(table).where(table.c.seq <= 3))
    assert [finding.says for finding in findings(db)] == ["Entries 1 to 3 are missing: entry 4 follows entry 0."]


def test_a_deletion_that_is_hidden_by_new_numbers_is_named_once(db: Database) -> None:
    filled(db, 8)
    replaced(db, [{**row, "seq": row["seq"] - (row["seq"] > 3)} for row in rows(db) if row["seq"] != 3])
    assert kinds(db) == [("deleted", 3)]
    assert "written as entry 4" in findings(db)[0].says


def test_swapped_entries_are_named(db: Database) -> None:
    filled(db)
    swap = {2: 3, 3: 2}
    replaced(db, [{**row, "seq": swap.get(row["seq"], row["seq"])} for row in rows(db)])
    assert first_break(entries(db)) is not None
    assert ("reordered", 2) in kinds(db)


def test_a_copied_entry_at_the_end_is_named(db: Database) -> None:
    filled(db)
    with db.write() as connection:
        connection.execute(insert(table).values(**{**rows(db)[-1], "seq": 6}))
    assert "Entry 6" in str(first_break(entries(db)))
    assert kinds(db) == [("inserted", 6)]


def test_a_forged_entry_in_the_middle_is_named(db: Database) -> None:
    from qa_agents.checkpoint.chain import entry_hash

    filled(db)
    before, *_ = [entry for entry in entries(db) if entry.seq == 2]
    forged = before.model_copy(update={"seq": 3, "actor": "mallory", "previous_hash": before.hash})
    forged = forged.model_copy(update={"hash": entry_hash(forged)})
    moved = [{**row, "seq": row["seq"] + (row["seq"] > 2)} for row in rows(db)]
    replaced(db, [*moved, forged.model_dump()])
    assert kinds(db) == [("inserted", 4)]
    assert "entry 3 came in between later" in findings(db)[0].says


def test_a_clock_that_went_back_is_a_finding_of_its_own_and_no_break(db: Database) -> None:
    moments = iter((100.0, 200.0, 199.5, 50.0, 51.0))
    ledger = Ledger(now=lambda: next(moments))
    for number in range(5):
        with db.write() as connection:
            ledger.append(connection, "received", f"R-{number}")
    assert kinds(db) == [("clock", 4)]
    assert "between entries 3 and 4" in findings(db)[0].says
    assert first_break(entries(db)) is None


@pytest.mark.parametrize("payload", ["{", '{"a": 1, "a": 2}', "[1]", "null", "NaN", '"text"', "[" * 5000])
def test_a_damaged_payload_is_a_finding_and_no_traceback(tmp_path: Path, payload: str) -> None:
    db = open_database(tmp_path / "qa-agents.db")
    filled(db)
    with db.write() as connection:
        connection.execute(text("UPDATE ledger SET payload = :p WHERE seq = 3"), {"p": payload})
    assert ("edited", 3) in kinds(db)
    assert "Entry 3" in findings(db)[0].says
    db.close()


def test_a_damaged_row_stops_reading_with_one_sentence(tmp_path: Path) -> None:
    db = open_database(tmp_path / "qa-agents.db")
    filled(db)
    with db.write() as connection:
        connection.execute(text("UPDATE ledger SET payload = '{' WHERE seq = 3"))
    with pytest.raises(InvalidInputError, match="Entry 3 of the ledger cannot be read"):
        list(entries(db))
    db.close()


def test_thousands_of_damaged_entries_are_counted_in_bounded_memory(db: Database) -> None:
    filled(db, 120)
    with db.write() as connection:
        connection.execute(update(table).values(actor="mallory"))
    result = verify(db)
    assert len(result.findings) == 50
    assert result.more == 70


def test_the_chain_can_be_followed_from_a_trusted_entry_on(db: Database) -> None:
    filled(db)
    trusted = rows(db)[2]["hash"]
    edit(db, 1, actor="mallory")
    result = verify(db, since=3, trusted=trusted)
    assert (result.intact, result.entries, result.head_seq) == (True, 2, 5)
    assert not verify(db, since=3, trusted="0" * 64).intact
    assert verify(db, since=5, trusted=rows(db)[4]["hash"]).intact
    assert [finding.kind for finding in verify(db, since=9, trusted=trusted).findings] == ["truncated"]


def test_an_entry_stands_or_falls_with_its_transaction(db: Database) -> None:
    def failing() -> None:
        with db.write() as connection:
            Ledger().append(connection, "received", "R-1")
            raise RuntimeError("the work it records failed")

    with pytest.raises(RuntimeError):
        failing()
    assert list(entries(db)) == []


def test_characters_that_cannot_be_stored_lose_no_record(db: Database) -> None:
    with db.write() as connection:
        Ledger().append(connection, "failed", "R-\ud800", actor="a\udfff", error="x\ud800y", more=[{"k\udc00": 1}])
    (entry,) = entries(db)
    assert entry.subject == "R-\ufffd"
    assert entry.payload["error"] == "x\ufffdy"
    assert verify(db).intact


# --- erasing -------------------------------------------------------------------------------------------------------------


def test_an_erased_payload_is_gone_and_the_chain_still_holds(db: Database) -> None:
    filled(db)
    done = redact(db, subject="R-2", actor="dpo", reason="erasure request 17")
    assert done.erased == [3]
    result = verify(db)
    assert (result.intact, result.erased, result.entries) == (True, 1, 6)
    erased, last = rows(db)[2], [*entries(db)][-1]
    assert (erased["payload"], erased["salt"]) == (None, None)
    assert (last.event, last.subject, last.actor) == ("redacted", "R-2", "dpo")
    assert last.payload == {"seqs": [3], "reason": "erasure request 17"}
    assert first_break(entries(db)) is None


def test_numbered_entries_can_be_erased_but_never_the_erasure_itself(db: Database) -> None:
    filled(db)
    assert redact(db, seqs=[1, 4, 99], actor="dpo", reason="r").erased == [1, 4]
    with pytest.raises(NotFoundError, match="no payload to erase"):
        redact(db, seqs=[1, 4, 6], actor="dpo", reason="again")
    with pytest.raises(InvalidInputError, match="needs a reason"):
        redact(db, seqs=[2], actor="dpo", reason=" ")
    assert verify(db).intact


def test_a_payload_removed_by_hand_is_tampering(db: Database) -> None:
    filled(db)
    edit(db, 3, payload=None, salt=None)
    assert [finding.says for finding in findings(db)] == [
        "The payload of entry 3 was removed, and no later entry says that it was erased."
    ]


def test_an_erasure_does_not_cover_what_comes_later(db: Database) -> None:
    filled(db)
    redact(db, seqs=[1], actor="dpo", reason="r")
    with db.write() as connection:
        Ledger().append(connection, "redacted", "x", seqs=[8], reason="in advance")
        Ledger().append(connection, "received", "R-9", secret=1)
    edit(db, 8, payload=None, salt=None)
    assert kinds(db) == [("edited", 8)]


def test_an_erased_entry_can_still_not_be_edited(db: Database) -> None:
    filled(db)
    redact(db, seqs=[3], actor="dpo", reason="r")
    edit(db, 3, actor="mallory")
    assert ("edited", 3) in kinds(db)


def test_erased_words_are_not_left_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "qa-agents.db"
    db = open_database(path)
    for number in range(40):
        with db.write() as connection:
            Ledger().append(connection, "received", f"R-{number}", name=f"Xanthippe-{number:03}-Zweistein" * 8)
    redact(db, subject="R-7", actor="dpo", reason="asked for it")
    stored = b"".join(part.read_bytes() for part in tmp_path.iterdir())
    assert b"Xanthippe-006-Zweistein" in stored
    assert b"Xanthippe-007-Zweistein" not in stored
    assert verify(db).intact
    db.close()


def test_the_same_payload_has_another_digest_every_time(db: Database) -> None:
    ledger = Ledger(now=lambda: 1.0)
    for _ in range(2):
        with db.write() as connection:
            ledger.append(connection, "received", "R-1", vote="yes")
    one, other = entries(db)
    assert one.payload == other.payload
    assert one.payload_sha256 != other.payload_sha256


# --- entries of old ------------------------------------------------------------------------------------------------------


def old_rows(count: int) -> list[dict[str, Any]]:
    """Entries as schema 1 and 2 wrote them: the hash covers the payload itself."""
    made: list[dict[str, Any]] = []
    for seq in range(1, count + 1):
        previous = made[-1]["hash"] if made else GENESIS
        body = {
            "seq": seq, "at": 1_700_000_000.5 + seq, "actor": "ada", "event": "received", "subject": f"R-{seq}",
            "payload": {"note": "ünï", "n": seq}, "previous_hash": previous,
        }  # fmt: skip
        made.append({**body, "hash": digest_of(body)})
    return made


def old_database(path: Path, count: int = 3) -> Database:
    """A workspace as schema 2 left it, opened by this release."""
    db = open_database(path)
    with db.write() as connection:
        for name in ("salt", "payload_sha256"):
            connection.execute(text(f"ALTER TABLE ledger DROP COLUMN {name}"))
        connection.execute(text("DELETE FROM schema_version WHERE version > 2"))
        for row in old_rows(count):
            values = {**row, "payload": json.dumps(row["payload"])}
            connection.execute(
                text(f"INSERT INTO ledger ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})"),
                values,
            )
    db.close()
    return open_database(path)


def test_entries_of_the_previous_schema_still_verify_and_new_ones_follow_them(tmp_path: Path) -> None:
    db = old_database(tmp_path / "qa-agents.db")
    with db.read() as connection:
        assert migrations.stored_version(connection) == migrations.CURRENT
    filled(db, 2)
    assert [entry.payload_sha256 is None for entry in entries(db)] == [True, True, True, False, False]
    result = verify(db)
    assert [finding.kind for finding in result.findings] == ["clock"]  # `filled` writes an earlier moment
    edit(db, 2, payload={"note": "other"})
    assert ("edited", 2) in kinds(db)
    db.close()


def test_an_old_entry_is_left_when_its_report_is_erased_and_said_to_be(tmp_path: Path) -> None:
    db = old_database(tmp_path / "qa-agents.db")
    with pytest.raises(NotFoundError, match="before payloads could be erased"):
        redact(db, subject="R-1", actor="dpo", reason="r")
    filled(db, 2)
    done = redact(db, subject="R-1", actor="dpo", reason="r")
    assert (done.erased, done.unerasable) == ([5], [1])
    db.close()


def test_neither_kind_of_entry_passes_for_the_other(tmp_path: Path) -> None:
    db = old_database(tmp_path / "qa-agents.db")
    filled(db, 2)
    for seq, values in ((2, {"salt": "0" * 32}), (2, {"payload_sha256": "0" * 64}), (5, {"payload_sha256": None})):
        before = rows(db)
        edit(db, seq, **values)
        assert ("edited", seq) in kinds(db)
        replaced(db, before)
    db.close()


# --- any edit at all -----------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts, max_size=3),
    max_leaves=5,
)
NEW_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "seq": st.integers(-3, 40),
    "at": st.floats(0, 2e9),
    "actor": st.text(max_size=8),
    "event": st.sampled_from(("received", "decided", "redacted", "anchored")),
    "subject": st.text(max_size=8),
    "payload": st.dictionaries(st.text(max_size=4), json_values, max_size=4),
    "previous_hash": st.text("0123456789abcdef", min_size=64, max_size=64),
    "hash": st.text("0123456789abcdef", min_size=64, max_size=64),
    "salt": st.none() | st.text("0123456789abcdef", min_size=32, max_size=32),
    "payload_sha256": st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
}


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_single_edit_of_any_stored_field_of_any_entry_is_caught(data: st.DataObject, tmp_path_factory: Any) -> None:
    chain = _CHAIN or _CHAIN.extend(_chain(tmp_path_factory.mktemp("chain"))) or _CHAIN
    position = data.draw(st.integers(0, len(chain) - 1))
    field = data.draw(st.sampled_from(FIELDS))
    value = data.draw(NEW_VALUES[field])
    changed = copy.deepcopy(chain)
    if digest_of(changed[position].model_dump()[field]) == digest_of(value):
        return
    changed[position] = changed[position].model_copy(update={field: value})
    auditor = Auditor()
    for entry in sorted(changed, key=lambda one: one.seq):
        auditor.follow(entry)
    last_hash_only = position == len(chain) - 1 and field == "hash"
    result = auditor.finish()
    assert result.findings, f"{field} of entry {position + 1} -> {value!r}"
    assert last_hash_only or all(finding.says for finding in result.findings)


_CHAIN: list[Entry] = []


def _chain(folder: Path) -> list[Entry]:
    """Old entries, new ones, an erased one and the entry that says so."""
    db = old_database(folder / "qa-agents.db")
    filled(db, 6)
    redact(db, seqs=[6], actor="dpo", reason="r")
    found = list(entries(db))
    db.close()
    return found


def test_a_long_ledger_is_followed_without_keeping_it() -> None:
    import tracemalloc

    from qa_agents.checkpoint.chain import entry_hash, payload_digest

    auditor, previous = Auditor(), GENESIS
    payload = {"n": 1}
    digest = payload_digest(payload, "0" * 32)
    tracemalloc.start()
    for seq in range(1, 20_001):
        entry = Entry.model_construct(
            seq=seq, at=1.0, actor="a", event="received", subject="R", payload=payload, salt="0" * 32,
            payload_sha256=digest, previous_hash=previous, hash="",
        )  # fmt: skip
        entry = entry.model_copy(update={"hash": entry_hash(entry)})
        previous = entry.hash
        auditor.follow(entry)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert auditor.finish().intact
    assert peak < 1_000_000
