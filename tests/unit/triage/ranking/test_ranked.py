import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qa_agents.incidents.lexical import LexicalIndex
from qa_agents.incidents.schema import Report
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import keep_learned, load_learned
from qa_agents.triage.ranking import current as module
from qa_agents.triage.ranking.current import CurrentOrder, order_of
from qa_agents.triage.ranking.features import VERSION
from qa_agents.triage.ranking.ranked import Order, RankedMemory
from qa_agents.triage.ranking.weights import Odds, Ranker, dump

from .conftest import MONDAY, past, ranker_on

REPORT = Report(id="N", summary="cart crash", created=MONDAY, reporter="ann")
PAST = [past("W-1", "cart crash"), past("W-2", "cart crash on a phone in the shop", reporter="ann")]


def ranked(store: IncidentStore, folder: Path, order: Order | None) -> RankedMemory:
    return RankedMemory(store, LexicalIndex(folder, store), order=lambda: order)


def test_the_learned_order_decides_and_gives_probabilities(
    store: IncidentStore, tmp_path: Path, names: tuple[str, ...]
) -> None:
    store.upsert(PAST)
    order = Order("shipped x", ranker_on("same_reporter", names, 0.5))
    found = ranked(store, tmp_path / "lexical", order).search(REPORT, k=2)
    assert [one.incident_id for one in found.candidates] == ["W-2", "W-1"]
    assert [one.score for one in found.candidates] == [one.probability for one in found.candidates]
    assert 0 < (found.candidates[1].probability or 0) < (found.candidates[0].probability or 0) < 1
    assert found.index["ranker"] == "shipped x"
    assert found.memory_size == 3  # with the one that told the names


def test_without_weights_the_fused_order_is_used_and_said(store: IncidentStore, tmp_path: Path) -> None:
    store.upsert(PAST)
    memory = ranked(store, tmp_path / "lexical", None)
    found = memory.search(REPORT)
    plain = Memory.search(memory, REPORT)
    assert found.candidates == plain.candidates
    assert [one.probability for one in found.candidates] == [None, None]
    assert "learned order was not used (its file is missing" in found.notes[-1]
    assert "ranker" not in found.index


def test_weights_for_other_features_are_not_used(store: IncidentStore, tmp_path: Path) -> None:
    store.upsert(PAST)
    found = ranked(store, tmp_path / "lexical", Order("shipped", ranker_on("a", ("a",)))).search(REPORT)
    assert found.candidates[0].probability is None
    assert "fitted on other features" in found.notes[-1]


@pytest.mark.slow
def test_ordering_loads_no_library_that_fits() -> None:
    """Prediction is numpy alone."""
    code = (
        "import sys; from qa_agents.triage.ranking import current, ranked, weights; weights.shipped(); "
        "print([name for name in ('lightgbm', 'sklearn', 'scipy', 'pandas') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_the_blend_is_convex(memory: Memory, store: IncidentStore, names: tuple[str, ...]) -> None:
    store.upsert(PAST)
    pool = memory.pool(memory.gather(REPORT))
    by_reporter, by_product = ranker_on("same_reporter", names, 0.5), ranker_on("summary_summary", names, 0.9)
    alone = Order("", by_reporter).scores(pool), Order("", by_product).scores(pool)
    found = Order("", by_reporter, by_product, 0.25).scores(pool)
    assert found == pytest.approx(0.75 * alone[0] + 0.25 * alone[1])
    assert Order("", by_reporter, by_product, 0.0).scores(pool) == pytest.approx(alone[0])


def test_own_odds_replace_the_shipped_ones(memory: Memory, store: IncidentStore, names: tuple[str, ...]) -> None:
    store.upsert(PAST)
    pool = memory.pool(memory.gather(REPORT))
    order = Order("", ranker_on("same_reporter", names, 0.5), odds=Odds(0.0, 0.0, 0.0))
    assert order.probabilities(pool).tolist() == [0.5] * len(pool.incidents)


@pytest.fixture
def base(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Ranker:
    ranker = ranker_on("same_reporter", names, 0.5, id="abc")
    monkeypatch.setattr(module, "shipped", lambda: ranker)
    return ranker


ABOUT = {"fingerprint": "f", "features": VERSION, "weight": 0.4, "odds": [1.0, 0.5, -2.0]}


def test_what_the_team_taught_is_blended_in_at_once(db: Database, base: Ranker) -> None:
    current = CurrentOrder(db, lambda: "f")
    first = current()
    assert first is not None
    assert (first.name, first.own) == ("shipped abc", None)
    with db.write() as connection:
        keep_learned(connection, "ranker", dump(base), **ABOUT)
    second = current()
    assert second is not None
    assert second.own is not None
    assert (second.weight, second.odds) == (0.4, Odds(1.0, 0.5, -2.0))
    assert second.name.startswith("shipped abc, own ")
    assert current() is second


@pytest.mark.parametrize(
    "about",
    [
        ABOUT | {"fingerprint": "another embedder"},
        ABOUT | {"features": "0"},
        ABOUT | {"weight": 1.5},
        ABOUT | {"weight": None},
    ],
)
def test_what_was_fitted_on_something_else_is_not_used(db: Database, base: Ranker, about: dict[str, object]) -> None:
    with db.write() as connection:
        keep_learned(connection, "ranker", dump(base), **about)
        learned = load_learned(connection, "ranker")
    assert order_of(base, learned, "f").own is None


def test_damaged_bytes_are_not_used(db: Database, base: Ranker) -> None:
    with db.write() as connection:
        keep_learned(connection, "ranker", b"damaged", **ABOUT)
        learned = load_learned(connection, "ranker")
    assert order_of(base, learned, "f").own is None


def test_without_shipped_weights_there_is_no_order(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "shipped", lambda: None)
    assert CurrentOrder(db, lambda: "f")() is None


def test_search_as_of_a_moment_looks_no_further(store: IncidentStore, tmp_path: Path, names: tuple[str, ...]) -> None:
    store.upsert(PAST)
    order = Order("shipped", ranker_on("same_reporter", names))
    found = ranked(store, tmp_path / "lexical", order).search(REPORT, as_of=datetime(2000, 1, 1, tzinfo=UTC))
    assert found.candidates == []
