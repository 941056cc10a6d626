from datetime import datetime
from typing import Any

import numpy as np
import pytest

from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.triage.ranking.examples import as_filed
from qa_agents.triage.ranking.features import features
from qa_agents.triage.ranking.lexical import reciprocal_rank, systems_of, to_best

from .conftest import DAY, MONDAY, past

PAST = [
    past("W-1", "Cart crash on checkout", 40, description="IllegalCartState in CartKeeper.close", component="Cart",
         product="Shop", version="2.1", reporter="ann"),
    past("W-2", "Checkout crashes with a voucher", 20, component="Cart", product="Shop", version="2.0",
         resolved=MONDAY - 5 * DAY, resolution="Fixed"),
    past("W-3", "Calendar shows the wrong week", 10, component="Calendar", product="Planner",
         type="Improvement"),
    past("W-4", "Cart crash again", 8, duplicate_of=["W-1"], resolved=MONDAY - 6 * DAY, resolution="Duplicate"),
]  # fmt: skip


def new(**fields: Any) -> Report:
    given = {"id": "N", "summary": "Cart crash on checkout with voucher", "created": MONDAY, "product": "Shop"}
    return Report.model_validate({**given, "description": "CartKeeper.close raised IllegalCartState", **fields})


def table(memory: Memory, report: Report, as_of: datetime | None = None) -> dict[str, dict[str, float]]:
    pool = memory.pool(memory.gather(report, as_of=as_of))
    names, matrix = features(pool)
    return {
        incident.id: dict(zip(names, row, strict=True))
        for incident, row in zip(pool.incidents, matrix.tolist(), strict=True)
    }


def same(one: dict[str, dict[str, float]], other: dict[str, dict[str, float]]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(np.array([*one[key].values()]), np.array([*other[key].values()]), equal_nan=True) for key in one
    )


def test_what_is_known_of_a_pair_stands_in_its_row(memory: Memory, store: IncidentStore) -> None:
    store.upsert(PAST)
    found = table(memory, new(version="2.1.0", reporter="ann"))
    assert found["W-1"]["summary_summary"] > found["W-3"]["summary_summary"]
    assert (found["W-1"]["same_version"], found["W-2"]["same_version"], found["W-2"]["version_step"]) == (1, 0, 1)
    assert np.isnan(found["W-3"]["same_version"])
    assert (found["W-1"]["same_product"], found["W-3"]["same_product"]) == (1, 0)
    assert (found["W-1"]["same_reporter"], found["W-1"]["open"], found["W-2"]["open"]) == (1, 1, 0)
    assert (found["W-2"]["fixed"], found["W-4"]["is_duplicate"], found["W-1"]["has_duplicates"]) == (1, 1, 1)
    assert found["W-1"]["cluster_size"] == found["W-4"]["cluster_size"] == 2
    assert found["W-1"]["since_repeated"] == pytest.approx(np.log1p(8))
    assert np.isnan(found["W-2"]["since_repeated"])
    assert (found["W-1"]["reports_of_reporter"], found["W-2"]["reports_of_reporter"]) == (1, 0)
    assert [found["W-3"][name] for name in ("is_bug", "is_wish", "is_task")] == [0, 1, 0]
    assert found["W-1"]["rare_shared"] > found["W-2"]["rare_shared"]
    assert found["W-1"]["component_vote"] > found["W-3"]["component_vote"]


def test_what_became_of_the_report_changes_nothing(memory: Memory, store: IncidentStore) -> None:
    store.upsert(PAST)
    later = Incident.model_validate(
        {**new().model_dump(), "resolution": "Duplicate", "resolved": MONDAY + DAY, "duplicate_of": ["W-1"],
         "status": "Closed", "n_comments": 9, "resolution_note": "same as W-1", "component": "Cart",
         "labels": ["triaged"]}
    )  # fmt: skip
    before = table(memory, new())
    assert same(before, table(memory, as_filed(later)))
    store.upsert([later])
    assert same(before, table(memory, as_filed(later)))


def test_what_happened_later_changes_nothing(memory: Memory, store: IncidentStore) -> None:
    store.upsert(PAST)
    before = table(memory, new())
    reopened = [
        PAST[0].model_copy(update={"resolved": MONDAY + DAY, "resolution": "Fixed", "resolution_note": "cart"}),
        PAST[2].model_copy(update={"resolved": MONDAY + DAY, "resolution": "Duplicate", "duplicate_of": ["W-1"]}),
        past("W-9", "Cart crash on checkout with voucher", -3, duplicate_of=["W-1"], resolved=MONDAY + 4 * DAY),
    ]
    store.upsert(reopened)
    assert same(before, table(memory, new()))


def test_without_vectors_what_needs_them_is_unknown(words_only: Memory, store: IncidentStore) -> None:
    store.upsert(PAST)
    found = table(words_only, new())["W-1"]
    unknown = {name for name, value in found.items() if np.isnan(value)}
    assert {"cosine", "cosine_to_best", "cosine_over_hub", "summary_cosine"} <= unknown
    assert "bm25_ratio" not in unknown
    assert np.isfinite(found["fused"])


@pytest.mark.parametrize("report", [new(summary="", description=""), new(summary="zzz qqq"), new(summary="…")])
def test_a_report_that_says_little_gets_its_rows_or_none(memory: Memory, store: IncidentStore, report: Report) -> None:
    store.upsert(PAST)
    pool = memory.pool(memory.gather(report))
    assert features(pool)[1].shape[0] == len(pool.incidents)


def test_an_empty_memory_gives_no_rows(memory: Memory) -> None:
    assert features(memory.pool(memory.gather(new())))[1].shape[0] == 0


def test_ranks_and_distances_leave_the_unknown_unknown() -> None:
    values = np.array([0.2, np.nan, 0.9, 0.9])
    assert np.allclose(reciprocal_rank(values), [1 / 3, np.nan, 1, 1], equal_nan=True)
    assert np.allclose(to_best(values), [-0.7, np.nan, 0, 0], equal_nan=True)
    assert np.isnan(to_best(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("text", "systems"),
    [("iOS: cart is empty on iPhone", {"ios"}), ("[Android/Windows] crash", {"android", "windows"}), ("cart", set())],
)
def test_systems_are_read_from_a_summary(text: str, systems: set[str]) -> None:
    assert systems_of(text) == systems
