import numpy as np
import pytest

from qa_agents.incidents.pool import Pool, fuse
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.triage.ranking.among import pair_features, vector_features, word_features

from .conftest import MONDAY, past

SIBLINGS = [
    past("S-1", "Implement the picker row on tablets"),
    past("S-2", "Implement the picker column on tablets"),
    past("S-3", "Implement the picker slider on tablets"),
    past("S-4", "Implement the picker switch on tablets"),
]
ROW = Report(id="N", summary="Implement the picker row on tablets, part two", created=MONDAY)


def pool_of(memory: Memory, store: IncidentStore, incidents: list[Incident], report: Report = ROW) -> Pool:
    store.upsert(incidents)
    return memory.pool(memory.gather(report))


def by_id(pool: Pool, values: np.ndarray) -> dict[str, float]:
    return dict(zip((incident.id for incident in pool.incidents), values.tolist(), strict=True))


def vectors_of(pool: Pool) -> dict[str, np.ndarray]:
    return vector_features(pool, fuse(pool.ratio, pool.cosine, pool.log_gap))


def test_siblings_are_told_apart_by_the_word_that_only_one_of_them_holds(memory: Memory, store: IncidentStore) -> None:
    pool = pool_of(memory, store, SIBLINGS)
    found = {name: by_id(pool, values) for name, values in word_features(pool.matches).items()}
    for other in ("S-2", "S-3", "S-4"):
        assert found["told_apart_summary"]["S-1"] > 2 * found["told_apart_summary"][other]
        assert found["rarest_missing"][other] > found["rarest_missing"]["S-1"]
        assert found["summary_missing"][other] == found["summary_missing"]["S-1"] + 1
        assert found["summary_extra"][other] == found["summary_extra"]["S-1"] + 1
        assert found["told_apart_to_best"][other] < found["told_apart_to_best"]["S-1"] == 0


def test_the_rarest_words_of_a_summary_are_looked_for_in_both_fields(memory: Memory, store: IncidentStore) -> None:
    told = [past("W-1", "Voucher", description="no total"), past("W-2", "Total", description="voucher expired")]
    pool = pool_of(
        memory, store, [*told, past("W-3", "Total is late")], Report(id="N", summary="Voucher", created=MONDAY)
    )
    found = word_features(pool.matches)
    assert by_id(pool, found["word_1"]) | {"W-1": 2, "W-2": 1} == by_id(pool, found["word_1"])
    assert np.isnan(found["word_2"]).all()


def test_words_in_the_same_order_count_more_than_the_same_words(memory: Memory, store: IncidentStore) -> None:
    told = [
        past("O-1", "Picker row on tablets"),
        past("O-2", "Row of tablets in a picker"),
        past("O-3", "Calendar row"),
    ]
    pool = pool_of(memory, store, told, Report(id="N", summary="Picker row is cut on tablets", created=MONDAY))
    found = {name: by_id(pool, values) for name, values in pair_features(pool).items()}
    assert found["pairs_shared"]["O-1"] > found["pairs_shared"]["O-2"] == found["pairs_shared"]["O-3"] == 0
    assert 0 < found["near_pairs_shared"]["O-1"] < 1


def test_a_candidate_is_held_against_the_better_ones(memory: Memory, store: IncidentStore) -> None:
    copy = past("S-9", SIBLINGS[1].summary, days=30)
    pool = pool_of(memory, store, [*SIBLINGS, copy, past("S-8", "Calendar week is wrong")])
    found = {name: by_id(pool, values) for name, values in vectors_of(pool).items()}
    assert found["like_better"]["S-1"] == 0
    assert found["like_better"]["S-9"] == pytest.approx(1)
    assert found["like_first"]["S-8"] < found["like_first"]["S-9"] < 1
    assert found["siblings"]["S-9"] >= 1 > found["siblings"]["S-8"]


def test_a_single_candidate_and_one_without_vectors_get_their_rows(
    memory: Memory, words_only: Memory, store: IncidentStore
) -> None:
    alone = pool_of(memory, store, SIBLINGS[:1])
    assert np.isnan(vectors_of(alone)["like_first"]).all()
    assert all(
        len(values) == 1
        for values in {**vectors_of(alone), **pair_features(alone), **word_features(alone.matches)}.values()
    )
    without = vectors_of(words_only.pool(words_only.gather(ROW)))
    assert without.keys() == vectors_of(alone).keys()
    assert all(np.isnan(values).all() for values in without.values())
