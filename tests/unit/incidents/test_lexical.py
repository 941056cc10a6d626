import math
import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_agents.incidents import bm25f, lexical
from qa_agents.incidents.lexical import BOILERPLATE, LexicalIndex
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.store import IncidentStore
from qa_agents.incidents.tokens import analyse
from qa_agents.storage.engine import Database, open_database

MONDAY = datetime(2024, 3, 4, 9, tzinfo=UTC)
LATER = MONDAY + timedelta(days=3650)
WORDS = [
    "cart", "invoice", "login", "upload", "crash", "timeout", "calendar", "avatar", "export", "webhook", "refund", "token",
]  # fmt: skip


def incident(id_: str, summary: str, description: str = "", **fields: Any) -> Incident:
    return Incident.model_validate({"id": id_, "summary": summary, "description": description, **fields})


def report(summary: str, description: str = "") -> Report:
    return Report(id="query", summary=summary, description=description)


def corpus(count: int, seed: int = 1) -> list[Incident]:
    rng = random.Random(seed)

    def text(low: int, high: int) -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(low, high)))

    return [
        incident(f"I-{i}", text(1, 6), text(0, 30), created=MONDAY + timedelta(hours=rng.randrange(500)))
        for i in range(count)
    ]


@pytest.fixture
def store(db: Database) -> IncidentStore:
    return IncidentStore(db)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lexical"


def opened(folder: Path, store: IncidentStore) -> LexicalIndex:
    index = LexicalIndex(folder, store)
    index.catch_up()
    return index


def found(index: LexicalIndex, store: IncidentStore, query: Report, k: int = 10, **options: Any) -> list[str]:
    hits = index.search(query, k, options.pop("as_of", LATER), **options)
    by_pk = store.by_pk(hit.pk for hit in hits)
    return [by_pk[hit.pk].id for hit in hits]


def test_the_incident_that_shares_the_rare_word_comes_first(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident("A", "Login crash"), incident("B", "Login avatar E_CONN_42"), incident("C", "Export slow")])
    index = opened(folder, store)
    assert found(index, store, report("login fails with E_CONN_42")) == ["B", "A"]


def test_the_summary_weighs_more_than_the_description(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident("A", "something else", "refund"), incident("B", "refund", "something else")])
    assert found(opened(folder, store), store, report("refund")) == ["B", "A"]


def test_a_copy_has_ratio_one_and_a_stranger_is_not_found(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident("A", "cart crash", "on save"), incident("B", "calendar")])
    hits = opened(folder, store).search(report("cart crash", "on save"), 5, LATER)
    assert [round(hit.ratio, 9) for hit in hits] == [1.0]


def test_only_incidents_from_before_the_moment_are_found(folder: Path, store: IncidentStore) -> None:
    store.upsert(
        [
            incident("before", "cart crash", created=MONDAY - timedelta(seconds=1)),
            incident("then", "cart crash", created=MONDAY),
            incident("undated", "cart crash now"),
        ]
    )
    index = opened(folder, store)
    assert set(found(index, store, report("cart"), as_of=MONDAY)) == {"before", "undated"}
    assert index.candidates_before(MONDAY) == 2
    assert index.candidates_before(LATER) == 3


def test_excluded_incidents_are_not_found(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident("A", "cart"), incident("B", "cart")])
    key = store.pk_of("A")
    assert key is not None
    assert found(opened(folder, store), store, report("cart"), exclude={key}) == ["B"]


def test_nothing_is_found_for_an_empty_query_or_in_an_empty_memory(folder: Path, store: IncidentStore) -> None:
    index = opened(folder, store)
    assert found(index, store, report("cart")) == []
    store.upsert([incident("A", "cart")])
    index.catch_up()
    assert found(index, store, report("")) == []
    assert found(index, store, report("the of and")) == []
    assert found(index, store, report("cart"), k=0) == []


def reference(incidents: Iterable[Incident], query: Report, moment: datetime) -> dict[str, float]:
    """BM25F written down plainly: the textbook's sums, no arrays."""
    documents = {i.id: _fields(i) for i in incidents if i.created is None or i.created < moment}
    wanted = _fields(query)
    means = [sum(sum(fields[f].values()) for fields in documents.values()) / len(documents) or 1.0 for f in (0, 1)]
    scores = {}
    for id_, fields in documents.items():
        total = 0.0
        for term in wanted[0] | wanted[1]:
            frequency = sum(term in other[0] or term in other[1] for other in documents.values())
            if not frequency:
                continue
            asked = bm25f.SUMMARY_WEIGHT * wanted[0][term] + wanted[1][term]
            weight = (bm25f.K3 + 1) * asked / (bm25f.K3 + asked)
            count = 0.0
            for f, (boost, b) in enumerate([(bm25f.SUMMARY_WEIGHT, bm25f.B_SUMMARY), (1.0, bm25f.B_BODY)]):
                count += boost * fields[f][term] / (1 - b + b * sum(fields[f].values()) / means[f])
            idf = math.log1p((len(documents) - frequency + 0.5) / (frequency + 0.5))
            total += weight * idf * count / (count + bm25f.K1)
        if total > 0:
            scores[id_] = total
    return scores


def _fields(text: Report) -> tuple[Counter[int], Counter[int]]:
    found = analyse(text.summary, text.description)
    terms = found.terms.tolist()
    summary, body = found.tf_summary.tolist(), found.tf_body.tolist()
    return (
        Counter({t: n for t, n in zip(terms, summary, strict=True) if n}),
        Counter({t: n for t, n in zip(terms, body, strict=True) if n}),
    )


texts = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
histories = st.lists(
    st.lists(
        st.tuples(st.integers(0, 9), texts, texts, st.integers(0, 5)).map(
            lambda row: incident(f"I-{row[0]}", row[1] or "calendar", row[2], created=MONDAY + timedelta(days=row[3]))
        ),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, texts, texts, st.integers(1, 7))
def test_whatever_the_history_the_scores_are_the_textbooks(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    history: list[list[Incident]],
    summary: str,
    description: str,
    days: int,
) -> None:
    monkeypatch.setattr(lexical, "TAIL_LIMIT", 3)
    home = tmp_path_factory.mktemp("history")
    database = open_database(home / "qa-agents.db")
    store, moment, query = IncidentStore(database), MONDAY + timedelta(days=days), report(summary, description)
    index = LexicalIndex(home / "lexical", store)
    for batch in history:
        store.upsert(batch)
        index.catch_up()
    now = {change.incident.id: change.incident for change in store.changes(0, 1_000)}
    expected = reference(now.values(), query, moment) if index.candidates_before(moment) else {}
    for opened_index in (index, opened(home / "lexical", store)):
        hits = opened_index.search(query, 100, moment)
        by_pk = store.by_pk(hit.pk for hit in hits)
        assert {by_pk[hit.pk].id: hit.score for hit in hits} == pytest.approx(expected)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    database.close()


def test_what_came_later_does_not_change_what_was_found_then(folder: Path, store: IncidentStore) -> None:
    incidents = sorted(corpus(200), key=lambda i: i.created or MONDAY)
    moment = incidents[100].created
    assert moment is not None
    store.upsert(incidents[:120])
    index = opened(folder, store)
    query = report("cart crash", "upload timeout")
    then = index.search(query, 20, moment)
    store.upsert(incidents[120:])
    index.catch_up()
    assert index.search(query, 20, moment) == then


def test_a_changed_incident_replaces_its_older_text(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident("A", "cart crash"), *corpus(300)])
    index = opened(folder, store)
    store.upsert([incident("A", "webhook zebra")])
    index.catch_up()
    assert found(index, store, report("zebra")) == ["A"]
    assert "A" not in found(index, store, report("cart crash"), k=1_000)
    assert index.candidates_before(LATER) == 301


def test_one_incident_more_writes_no_file(folder: Path, store: IncidentStore) -> None:
    store.upsert(corpus(500))
    index = opened(folder, store)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    store.upsert([incident("new", "zebra")])
    assert index.catch_up() == 1
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert found(index, store, report("zebra")) == ["new"]


def test_files_stay_few_however_incidents_come(
    folder: Path, store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "TAIL_LIMIT", 4)
    index = LexicalIndex(folder, store)
    incidents = corpus(400)
    for start in range(0, 400, 4):
        store.upsert(incidents[start : start + 4])
        index.catch_up()
    assert len(list(folder.glob("*.seg"))) <= 5
    assert index.candidates_before(LATER) == 400


def test_a_reopened_index_reads_only_what_was_not_written(
    folder: Path, store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert(corpus(300))
    opened(folder, store)
    store.upsert([incident("new", "zebra")])
    asked = []
    changes = store.changes
    monkeypatch.setattr(store, "changes", lambda seq, limit: asked.append(seq) or changes(seq, limit))
    again = LexicalIndex(folder, store)
    assert again.catch_up() == 1
    assert min(asked) == 300
    assert found(again, store, report("zebra")) == ["new"]


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(bytes(body))


@pytest.mark.parametrize("name", ["manifest.json", "*.seg"])
@pytest.mark.parametrize("damage", [garbage, cut, flip, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_index_is_rebuilt_from_the_store(folder: Path, store: IncidentStore, name: str, damage: Any) -> None:
    store.upsert(corpus(300))
    expected = opened(folder, store).search(report("cart crash"), 10, LATER)
    damage(next(folder.glob(name)))
    assert opened(folder, store).search(report("cart crash"), 10, LATER) == expected
    assert LexicalIndex(folder, store).catch_up() == 0


def test_an_index_whose_folder_vanishes_while_it_is_open_is_written_again(folder: Path, store: IncidentStore) -> None:
    import shutil

    store.upsert(corpus(300))
    index = opened(folder, store)
    shutil.rmtree(folder)
    store.upsert([incident(f"new-{i}", "zebra") for i in range(200)])
    index.catch_up()
    again = LexicalIndex(folder, store)
    assert again.catch_up() == 0
    assert again.candidates_before(LATER) == index.candidates_before(LATER) == 500


def test_an_index_of_another_tokenizer_is_rebuilt(
    folder: Path, store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert(corpus(300))
    opened(folder, store)
    monkeypatch.setattr(lexical, "TOKENIZER_VERSION", "next")
    assert LexicalIndex(folder, store).catch_up() == 300


def test_an_index_of_another_memory_is_rebuilt(folder: Path, store: IncidentStore, tmp_path: Path) -> None:
    store.upsert(corpus(300))
    opened(folder, store)
    other_database = open_database(tmp_path / "other" / "qa-agents.db")
    other = IncidentStore(other_database)
    other.upsert(corpus(400, seed=2))
    index = opened(folder, other)
    assert index.candidates_before(LATER) == 400
    assert len(found(index, other, report("cart"), k=1_000)) > 0
    other_database.close()


def test_a_crash_before_the_manifest_leaves_the_old_index(
    folder: Path, store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert(corpus(300))
    opened(folder, store)
    store.upsert(corpus(700, seed=3))

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(lexical, "_write_manifest", die)
        with pytest.raises(Killed):
            opened(folder, store)
    assert len(list(folder.glob("*.seg"))) == 2
    index = opened(folder, store)
    assert index.candidates_before(LATER) == 700
    assert LexicalIndex(folder, store).catch_up() == 0
    assert len(list(folder.glob("*.seg"))) == len(lexical._read_manifest(folder).segments)  # type: ignore[union-attr]


def test_a_folder_that_cannot_be_written_leaves_the_index_in_memory(folder: Path, store: IncidentStore) -> None:
    folder.write_text("in the way")
    store.upsert(corpus(300))
    index = opened(folder, store)
    assert index.candidates_before(LATER) == 300
    assert index.catch_up() == 0


def test_two_holders_of_one_index_see_the_same(
    folder: Path, store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "TAIL_LIMIT", 5)
    one, other, incidents = LexicalIndex(folder, store), LexicalIndex(folder, store), corpus(120)
    query = report("cart crash", "upload")
    for start in range(0, 120, 4):
        store.upsert(incidents[start : start + 4])
        (one if start % 8 else other).catch_up()
    one.catch_up()
    other.catch_up()
    assert one.search(query, 20, LATER) == other.search(query, 20, LATER)
    assert one.search(query, 20, LATER) == opened(folder, store).search(query, 20, LATER)


def test_progress_counts_up_to_the_total(folder: Path, store: IncidentStore) -> None:
    store.upsert(corpus(250))
    seen: list[tuple[str, int, int]] = []
    LexicalIndex(folder, store).catch_up(lambda *step: seen.append(step))
    assert seen == [("words", 250, 250)]


TEMPLATE = "Please describe your environment, version 1.2.3"


def test_a_template_line_many_reports_hold_is_not_compared(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident(f"I-{i}", f"{WORDS[i % 12]} broken", TEMPLATE) for i in range(BOILERPLATE)])
    index = opened(folder, store)
    asked = report("zebra", f"PLEASE describe your  environment, version 9.9.9\nzebra in the cart\n{TEMPLATE}")
    assert index.without_boilerplate(asked, LATER).description == "zebra in the cart"
    assert len(found(index, store, asked, k=100)) == sum(WORDS[i % 12] == "cart" for i in range(BOILERPLATE))


def test_a_line_too_few_reports_hold_is_compared(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident(f"I-{i}", "broken", TEMPLATE) for i in range(BOILERPLATE - 1)])
    index = opened(folder, store)
    assert index.without_boilerplate(report("zebra", TEMPLATE), LATER).description == TEMPLATE


def test_one_incident_that_changes_often_does_not_make_its_lines_boilerplate(
    folder: Path, store: IncidentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "TAIL_LIMIT", 4)
    index = LexicalIndex(folder, store)
    for i in range(3 * BOILERPLATE):
        store.upsert([incident("A", "broken", f"{TEMPLATE}\nzebra {i}"), incident(f"I-{i}", "cart")])
        index.catch_up()
    assert index.without_boilerplate(report("x", TEMPLATE), LATER).description == TEMPLATE


def test_a_template_of_later_reports_was_none_then(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident(f"I-{i}", "broken", TEMPLATE, created=MONDAY) for i in range(2 * BOILERPLATE)])
    index = opened(folder, store)
    assert index.without_boilerplate(report("x", TEMPLATE), MONDAY).description == TEMPLATE
    assert index.without_boilerplate(report("x", TEMPLATE), LATER).description == ""


def test_shared_words_are_readable_and_the_rarest_come_first(folder: Path, store: IncidentStore) -> None:
    store.upsert([incident("A", "Crashes when Cart.addItem fails", "cart"), *corpus(50)])
    index = opened(folder, store)
    other = store.get("A")
    assert other is not None
    words = index.shared_terms(report("crashed", "the cart: Cart.addItem"), other, LATER)
    assert words[0] == "cart.additem"
    assert set(words) == {"cart.additem", "crashed"}
    assert index.shared_terms(report("zebra"), other, LATER) == []


def test_a_log_of_a_megabyte_is_indexed_and_found(folder: Path, store: IncidentStore) -> None:
    log = "\n".join(f"2024-01-01 10:00:{i % 60:02d} worker-{i} lost its lease" for i in range(20_000))
    store.upsert([incident("log", "Workers die", log), *corpus(30)])
    index = opened(folder, store)
    assert found(index, store, report("workers die", log))[0] == "log"
    assert found(index, store, report("cart"))[0] != "log"
