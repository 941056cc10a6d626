import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.triage.ranking import weights as module
from qa_agents.triage.ranking.weights import Odds, dump, leads, load, shipped

from .conftest import ranker_on


def test_a_ranker_survives_its_file() -> None:
    ranker = ranker_on("b", ("a", "b"), links=3)
    again = load(dump(ranker))
    assert again is not None
    assert (again.names, again.about, again.with_vectors.odds) == (ranker.names, {"links": 3}, Odds(2.0, 0.5, -1.0))
    rows = np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)
    assert again.words_only.trees.predict(rows).tolist() == [0.0, 1.0]


def test_the_same_ranker_gives_the_same_bytes() -> None:
    assert dump(ranker_on("a", ("a",))) == dump(ranker_on("a", ("a",)))


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 no archive", dump(ranker_on("a", ("a",)))[:-30]])
def test_damaged_bytes_are_no_ranker(body: bytes) -> None:
    assert load(body) is None


def test_weights_for_other_features_are_no_ranker(monkeypatch: pytest.MonkeyPatch) -> None:
    body = dump(ranker_on("a", ("a",)))
    monkeypatch.setattr(module, "VERSION", "other")
    assert load(body) is None


def test_weights_that_ask_for_more_features_than_they_name_are_no_ranker() -> None:
    ranker = ranker_on("b", ("a", "b"))
    assert load(dump(dataclasses.replace(ranker, names=("a",)))) is None


def test_the_shipped_weights_say_where_they_are_from() -> None:
    ranker = shipped()
    assert ranker is not None
    assert {"data", "fitted_on", "odds_on", "method", "made_by", "id"} <= ranker.about.keys()


def test_the_shipped_weights_are_for_the_features_of_this_release(names: tuple[str, ...]) -> None:
    ranker = shipped()
    assert ranker is not None
    assert ranker.names == names


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_probabilities_keep_the_order_of_the_scores(values: list[float]) -> None:
    scores = np.array(values)
    found = Odds(1.2, 0.7, -1.0).probabilities(scores)
    assert ((found >= 0) & (found <= 1)).all()
    order = np.argsort(scores, kind="stable")
    assert (np.diff(found[order]) >= -1e-12).all()


def test_a_lead_is_measured_against_the_best_of_the_others() -> None:
    assert leads(np.array([1.0, 3.0, 2.5])).tolist() == [-2.0, 0.5, -0.5]
    assert leads(np.array([4.0])).tolist() == [0.0]
    assert Odds(1, 1, 0).probabilities(np.empty(0)).shape == (0,)
