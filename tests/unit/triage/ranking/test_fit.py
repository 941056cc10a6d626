import builtins
from typing import Any

import numpy as np
import pytest

from qa_agents.errors import UnavailableError
from qa_agents.incidents.schema import Incident
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import Database
from qa_agents.storage.learned import load_learned
from qa_agents.triage.ranking import fit as module
from qa_agents.triage.ranking.examples import Examples, as_filed, collect, earlier_members, linked_queries
from qa_agents.triage.ranking.fit import MIN_LINKS, fit_from_memory, fit_model, fit_odds, mean_reciprocal_rank, train
from qa_agents.triage.ranking.weights import load

from .conftest import DAY, MONDAY, past

PLACES = ("cart", "voucher", "calendar", "invoice", "login", "search", "map", "printer", "camera", "export")
FAULTS = ("crashes", "stays empty", "flickers", "is slow", "shows twice")


def team(pairs: int) -> list[Incident]:
    """A tracker in which `pairs` reports repeat an earlier one in other words."""
    rows = []
    for i in range(pairs):
        place, fault, days = PLACES[i % len(PLACES)], FAULTS[i // len(PLACES) % len(FAULTS)], 300 - 2 * i
        text = f"{place} {fault} code{i}"
        rows.append(past(f"W-{i}", text, days, component=place, resolved=MONDAY - (days - 1) * DAY, resolution="Fixed"))
        rows.append(past(f"D-{i}", f"the {place} {fault} with code{i} again", days - 1.5, duplicate_of=[f"W-{i}"],
                         resolved=MONDAY - (days - 1.6) * DAY, resolution="Duplicate"))  # fmt: skip
    return rows


def made_up(pools: int, seed: int) -> Examples:
    """Pools in which a larger value is likelier to be right."""
    generator = np.random.default_rng(seed)
    rows = [generator.normal(size=(12, 2)).astype(np.float32) for _ in range(pools)]
    right = [one[:, 0] + generator.normal(size=12) > 1.5 for one in rows]
    return Examples(("a", "b"), rows, right, [MONDAY] * pools)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUNDS", 10)
    monkeypatch.setattr(module, "SEEDS", (1, 2))
    monkeypatch.setattr(module.train, "__kwdefaults__", {"seeds": (1, 2), "rounds": 10})


def test_links_become_what_was_filed_earlier() -> None:
    created = {name: MONDAY + days * DAY for name, days in {"a": 0, "b": 1, "c": 2, "x": 3}.items()}
    links = [("c", "b"), ("b", "a"), ("x", "gone"), ("a", "a")]
    assert earlier_members(links, created) == {"b": frozenset("a"), "c": frozenset("ab")}


def test_only_links_that_were_known_then_are_learned_from(memory: Memory, store: IncidentStore) -> None:
    store.upsert(team(5))
    assert [incident.id for incident, _ in linked_queries(memory, 3)] == ["D-2", "D-3", "D-4"]
    then = MONDAY - 297 * DAY
    assert [incident.id for incident, _ in linked_queries(memory, 9, then)] == ["D-0"]
    assert linked_queries(memory, 9, then)[0][1] == {"W-0"}


def test_a_replayed_report_knows_nothing_of_its_outcome() -> None:
    filed = as_filed(team(1)[1])
    assert not {"duplicate_of", "resolution", "resolved"} & filed.model_dump().keys()
    assert filed.labels == []


def test_examples_hold_which_candidates_were_right(memory: Memory, store: IncidentStore) -> None:
    store.upsert(team(3))
    told: list[tuple[str, int, int]] = []
    found = collect(memory, linked_queries(memory, 9), progress=lambda *step: told.append(step), total=3)
    assert [int(right.sum()) for right in found.right] == [1, 1, 1]
    assert told == [("ranker", 1, 3), ("ranker", 2, 3), ("ranker", 3, 3)]
    assert len(found + found) == 6


def test_too_few_links_teach_nothing(memory: Memory, store: IncidentStore, db: Database) -> None:
    store.upsert(team(MIN_LINKS - 1))
    said = f"{MIN_LINKS - 1} incidents are linked as duplicates of an earlier one; {MIN_LINKS} are needed"
    assert fit_from_memory(memory, db) == {"left_alone": said}
    with db.read() as connection:
        assert load_learned(connection, "ranker") is None


def test_links_teach_an_order_of_the_teams_own(memory: Memory, store: IncidentStore, db: Database) -> None:
    pytest.importorskip("lightgbm")
    store.upsert(team(MIN_LINKS + 5))
    about = fit_from_memory(memory, db)
    assert about is not None
    assert (about["links"], about["odds"], about["fingerprint"]) == (MIN_LINKS + 5, None, memory.fingerprint)
    assert about["weight"] == pytest.approx(25 / 325, abs=1e-3)
    with db.read() as connection:
        learned = load_learned(connection, "ranker")
    assert learned is not None
    assert learned.about == about
    own = load(learned.body)
    assert own is not None
    assert len(own.with_vectors.trees.column) == 20


def test_with_enough_links_the_newest_weigh_the_blend_and_its_odds(
    memory: Memory, store: IncidentStore, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lightgbm")
    monkeypatch.setattr(module, "MIN_HELD", 5)
    monkeypatch.setattr(module, "MIN_LINKS", 5)
    store.upsert(team(30))
    about = fit_from_memory(memory, db)
    assert about is not None
    assert 0 < about["weight"] < 1
    assert about["odds"] is not None
    assert about["odds"][0] > 0


def test_what_cannot_be_loaded_is_said_in_one_sentence(
    memory: Memory, store: IncidentStore, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert(team(MIN_LINKS))
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file\nmore")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnavailableError, match=r"LightGBM cannot be loaded \(libgomp.so.1: [^\n]*\), so no order"):
        fit_from_memory(memory, db)


def test_odds_follow_how_often_a_score_was_right() -> None:
    generator = np.random.default_rng(0)
    scores, right = [], []
    for _ in range(800):
        one = generator.normal(size=8)
        scores.append(one)
        right.append(generator.random(8) < 1 / (1 + np.exp(-(3 * one - 4))))
    odds = fit_odds(scores, right)
    top = np.array([odds.probabilities(one).max() for one in scores])
    hit = np.array([correct[int(np.argmax(one))] for one, correct in zip(scores, right, strict=True)])
    assert top.mean() == pytest.approx(hit.mean(), abs=0.05)
    assert odds.score > 0
    assert odds.lead >= 0


def test_the_curve_rests_on_trees_that_never_saw_the_reports_it_is_fitted_on() -> None:
    examples, held = made_up(40, seed=1), made_up(40, seed=2)
    model = fit_model(examples, held, seeds=(1,), rounds=10)
    before, after = (train(one, seeds=(1,), rounds=10) for one in (examples, examples + held))
    assert np.array_equal(model.trees.value, after.value)
    assert not np.array_equal(before.value, after.value)
    assert model.odds == fit_odds([before.predict(rows) for rows in held.rows], held.right)


def test_scores_that_mislead_get_no_say() -> None:
    scores = [np.array([2.0, 1.0, 0.0])] * 40
    odds = fit_odds(scores, [np.array([False, False, True])] * 40)
    assert odds.score >= 0
    assert odds.lead >= 0


def test_the_reciprocal_rank_counts_what_is_not_there() -> None:
    scores = [np.array([1.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0])]
    right = [np.array([True, False]), np.array([False, True]), np.array([False])]
    assert mean_reciprocal_rank(scores, right) == pytest.approx(0.5)
    assert mean_reciprocal_rank([], []) == 0
