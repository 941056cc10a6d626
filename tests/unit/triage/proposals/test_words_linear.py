"""Words as features, and the linear model over them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Report
from qa_agents.triage.proposals.linear import Linear, fit_linear, log_softmax, minimise
from qa_agents.triage.proposals.words import MIN_DOCUMENTS, SUMMARY_WEIGHT, Vocabulary, matrix, read_report

WORDS = st.lists(
    st.sampled_from(["refund", "invoice", "booking", "slot", "push", "apk", "ipad"]), min_size=1, max_size=12
)


def read(*texts: str):  # type: ignore[no-untyped-def]
    return [read_report(Report(id=str(n), summary=text, description=text)) for n, text in enumerate(texts)]


def test_a_term_of_too_few_reports_is_no_feature() -> None:
    vocabulary = Vocabulary.of(read(*["refund"] * MIN_DOCUMENTS, *["booking"] * (MIN_DOCUMENTS - 1)))
    assert len(vocabulary.terms) == 1
    assert len(vocabulary.row(read("booking")[0]).columns) == 0


def test_a_past_without_any_repeated_term_gives_empty_rows() -> None:
    vocabulary = Vocabulary.of(read("refund", "booking"))
    assert vocabulary.width == 0
    assert vocabulary.row(read("refund")[0]).columns.size == 0


@given(WORDS)
def test_each_block_has_its_length_whatever_the_report_says(words: list[str]) -> None:
    vocabulary = Vocabulary.of(read(*["refund invoice booking slot push apk ipad"] * 3))
    row = vocabulary.row(read(" ".join(words))[0])
    whole = row.columns < len(vocabulary.terms)
    assert np.linalg.norm(row.weights[whole]) == pytest.approx(1.0, abs=1e-5)
    assert np.linalg.norm(row.weights[~whole]) == pytest.approx(SUMMARY_WEIGHT, abs=1e-5)


@given(WORDS, WORDS)
def test_the_cosine_is_symmetric_and_1_with_itself(left: list[str], right: list[str]) -> None:
    vocabulary = Vocabulary.of(read(*["refund invoice booking slot push apk ipad"] * 3))
    one, other = (vocabulary.row(read(" ".join(words))[0]) for words in (left, right))
    assert one.cosine(other) == pytest.approx(other.cosine(one), abs=1e-6)
    assert one.cosine(one) == pytest.approx(1.0, abs=1e-5)


def test_a_row_alone_is_judged_as_in_the_matrix() -> None:
    texts = ["refund invoice", "booking slot", "refund card", "booking week"] * 5
    vocabulary = Vocabulary.of(read(*texts))
    rows = [vocabulary.row(one) for one in read(*texts)]
    targets = np.array([[1, 0], [0, 1], [1, 0], [0, 1]] * 5, np.float32)
    model = fit_linear(matrix(rows, vocabulary.width), targets, np.ones(20, np.float32), strength=8)
    together = model.of_vectors(matrix(rows, vocabulary.width))
    alone = np.stack([model.of_row(row) for row in rows])
    assert alone == pytest.approx(together, abs=1e-5)
    assert (together.argmax(axis=1) == targets.argmax(axis=1)).all()


def test_a_report_of_two_labels_gives_half_of_its_weight_to_each() -> None:
    features = np.eye(2, dtype=np.float32)
    targets = np.array([[0.5, 0.5], [0.5, 0.5]], np.float32)
    model = fit_linear(features, targets, np.ones(2, np.float32), strength=1)
    assert np.exp(model.of_vectors(features)) == pytest.approx(0.5, abs=1e-3)


def test_contributions_are_what_a_feature_adds_beyond_the_average_label() -> None:
    model = Linear(np.array([[2.0, 0.0]], np.float32), np.zeros(2, np.float32))
    vocabulary = Vocabulary.of(read("refund", "refund", "refund"))
    row = vocabulary.row(read("refund")[0])._replace(columns=np.array([0], np.int32), weights=np.ones(1, np.float32))
    assert model.contributions(row, 0).tolist() == [1.0]
    assert model.contributions(row, 1).tolist() == [-1.0]


@given(st.integers(0, 1_000))
def test_the_optimiser_finds_the_minimum_of_a_quadratic(seed: int) -> None:
    random = np.random.default_rng(seed)
    root = random.normal(size=(4, 4)).astype(np.float32)
    curved = root @ root.T + np.eye(4, dtype=np.float32)
    best = random.normal(size=4).astype(np.float32)

    def objective(at):  # type: ignore[no-untyped-def]
        away = at - best
        return float(away @ curved @ away) + 1.0, 2 * curved @ away

    found = minimise(objective, np.zeros(4, np.float32), 100)
    assert objective(found)[0] == pytest.approx(1.0, abs=1e-2)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=6))
def test_log_probabilities_add_to_one_without_overflow(scores: list[float]) -> None:
    assert np.exp(log_softmax(np.array(scores, np.float64))).sum() == pytest.approx(1.0)
