"""Kept and replayed vectors: nothing is computed twice, nothing fresh is made up."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from evals.vectors import KeptVectors, Replayed, moved
from qa_agents.errors import InvalidInputError
from qa_agents.incidents.minilm import Vectors


class Counting:
    """Unit vectors from the text's length; counts what it was asked for."""

    def __init__(self, fingerprint: str = "counting") -> None:
        self.fingerprint, self.dimension, self.asked = fingerprint, 4, 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += len(texts)
        rows = np.array([[len(text), 1, 0, 0] for text in texts], np.float32).reshape(len(texts), 4)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_a_text_is_computed_once_and_kept_between_runs(tmp_path: Path) -> None:
    first, path = Counting(), tmp_path / "runs" / "vectors.npz"
    kept = KeptVectors(first, path)
    expected = kept.embed(["a", "bb", "a"])
    kept.embed(["bb"])
    kept.save()
    assert first.asked == 2
    second = Counting()
    again = KeptVectors(second, path)
    assert np.array_equal(again.embed(["a", "bb", "a"]), expected)
    assert second.asked == 0


def test_no_texts_give_no_vectors() -> None:
    assert KeptVectors(Counting(), None).embed([]).shape == (0, 4)


def test_another_embedders_vectors_are_refused(tmp_path: Path) -> None:
    kept = KeptVectors(Counting("one"), tmp_path / "vectors.npz")
    kept.embed(["a"])
    kept.save()
    with pytest.raises(InvalidInputError, match="are from one, not other"):
        KeptVectors(Counting("other"), tmp_path / "vectors.npz")


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "vectors.npz").write_bytes(b"not at all")
    with pytest.raises(InvalidInputError, match="holds no vectors"):
        KeptVectors(Counting(), tmp_path / "vectors.npz")


def test_made_incidents_are_replayed_and_fresh_reports_embedded() -> None:
    real = Counting()
    replayed = Replayed(real, np.eye(4, dtype=np.float32), {"made": 2})
    vectors = replayed.embed(["made\nwith a description", "fresh\nmade"])
    assert real.asked == replayed.replayed == 1
    assert vectors[0].argmax() == 2
    assert np.array_equal(vectors[1], Counting().embed(["fresh\nmade"])[0])
    assert replayed.fingerprint == real.fingerprint


def test_a_moved_vector_stays_near_has_length_1_and_is_the_same_each_time() -> None:
    vector = np.zeros(384, np.float32)
    vector[0] = 1
    others = [moved(vector, f"text {i}") for i in range(50)]
    assert np.linalg.norm(others, axis=1) == pytest.approx(np.ones(50), abs=1e-5)
    assert np.mean([other[0] for other in others]) == pytest.approx(1 / np.sqrt(1.16), abs=0.01)
    assert np.array_equal(moved(vector, "text 1"), others[1])
    assert not np.array_equal(others[0], others[1])
