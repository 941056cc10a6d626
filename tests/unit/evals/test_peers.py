"""The plain alternatives say what their textbook says, and see nothing of the future."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from evals.peers.fields import linear, majority, neighbours_vote, reporters_choice, vote_among
from evals.peers.texts import DenseCosine, Near, PlainBM25, PlainHybrid, TextPeer, TfidfCosine, nearest, tfidf
from qa_agents.incidents.schema import Incident
from qa_agents.testing.embedder import HashingEmbedder

START = datetime(2024, 1, 1, tzinfo=UTC)
TEXTS = [
    "The hall lamp flickers at dusk",
    "Gate does not open for the tram",
    "Hall lamp flickers and hums at night",
    "Gate opens for nobody",
    "The lamp in the hall flickers at dusk",
]
MOMENTS = [START + n * timedelta(days=1) for n in range(len(TEXTS))]
LABELS = ["Lamps", "Gates", "Lamps", "Gates", "Lamps"]


def incidents(**extra: object) -> list[Incident]:
    return [
        Incident.model_validate({"id": str(n), "summary": text, "created": MOMENTS[n], **extra})
        for n, text in enumerate(TEXTS)
    ]


def near(peer: TextPeer, first: int) -> list[Near]:
    found = [(nearest(peer.scores(n), 9), peer.scores(n)) for n in range(first, len(TEXTS))]
    return [(places, scores[places]) for places, scores in found]


def at_filing(n: int) -> datetime:
    return MOMENTS[n]


def textbook_bm25(query: str, position: int) -> list[float]:
    """Okapi BM25 word by word, with rank_bm25's floor."""
    texts = [text.lower().split() for text in TEXTS]
    mean = sum(map(len, texts)) / len(texts)
    idf = {}
    for word in {word for text in texts for word in text}:
        holding = sum(word in text for text in texts)
        idf[word] = math.log(len(texts) - holding + 0.5) - math.log(holding + 0.5)
    floor = 0.25 * sum(idf.values()) / len(idf)
    scores = []
    for text in texts[:position]:
        counts = Counter(text)
        part = 1.5 * (1 - 0.75 + 0.75 * len(text) / mean)
        scores.append(
            sum(
                (idf[w] if idf[w] >= 0 else floor) * counts[w] * 2.5 / (counts[w] + part) for w in query.lower().split()
            )
        )
    return scores


def test_bm25_gives_the_scores_of_the_textbook() -> None:
    assert PlainBM25(incidents()).scores(4) == pytest.approx(textbook_bm25(TEXTS[4], 4), rel=1e-5)


@pytest.mark.parametrize("peer", [PlainBM25(incidents()), TfidfCosine(incidents())])
def test_a_peer_scores_the_earlier_reports_only(peer: PlainBM25 | TfidfCosine) -> None:
    assert [peer.scores(n).size for n in range(5)] == [0, 1, 2, 3, 4]
    assert nearest(peer.scores(4), 1).tolist() == [0]


def test_the_hybrid_adds_reciprocal_ranks() -> None:
    bm25, dense = PlainBM25(incidents()), DenseCosine(incidents(), HashingEmbedder())
    fused = PlainHybrid(bm25, dense).scores(3)
    expected = np.zeros(3)
    for peer in (bm25, dense):
        for rank, place in enumerate(nearest(peer.scores(3), 100), start=1):
            expected[place] += 1 / (60 + rank)
    assert fused == pytest.approx(expected, rel=1e-5)


def test_a_history_without_words_scores_nothing() -> None:
    silent = [Incident.model_validate({"id": str(n), "summary": "…"}) for n in range(3)]
    assert PlainBM25(silent).scores(2).tolist() == TfidfCosine(silent).scores(2).tolist() == [0.0, 0.0]


def test_the_majority_is_that_of_what_was_known_by_then() -> None:
    guesses = majority(LABELS, at_filing, MOMENTS, 1)
    assert [guess.ranked[0] for guess in guesses] == ["Lamps", "Lamps", "Lamps", "Lamps"]
    assert guesses[0].probability == 1.0
    assert guesses[3].probability == pytest.approx(0.5)


def test_a_label_that_is_known_only_later_helps_nobody() -> None:
    never = majority(LABELS, lambda n: None, MOMENTS, 1)
    assert [guess.ranked for guess in never] == [[], [], [], []]
    late = neighbours_vote(PlainBM25(incidents()), LABELS, lambda n: MOMENTS[-1] + timedelta(days=9), MOMENTS, 1)
    assert [guess.ranked for guess in late] == [[], [], [], []]


def test_the_vote_goes_by_similarity() -> None:
    guesses = vote_among(near(TfidfCosine(incidents()), 2), LABELS, at_filing, MOMENTS, 2)
    assert [guess.ranked[0] for guess in guesses] == ["Lamps", "Gates", "Lamps"]


def test_the_linear_model_is_taught_what_was_known_at_its_mark() -> None:
    texts = [TEXTS[n % 4] + f" number {n}" for n in range(40)]
    many = [Incident.model_validate({"id": str(n), "summary": text}) for n, text in enumerate(texts)]
    moments = [START + n * timedelta(days=1) for n in range(40)]
    labels = [LABELS[n % 4] for n in range(40)]
    guesses = linear(tfidf(many), labels, lambda n: moments[n], moments, 30, [moments[30]])
    assert [guess.ranked[0] for guess in guesses] == labels[30:]
    nothing = linear(tfidf(many), labels, lambda n: None, moments, 30, [moments[30]])
    assert not any(guess.answered for guess in nothing)


def test_the_reporters_choice_is_there_only_where_the_data_hold_it() -> None:
    assert reporters_choice(incidents(), "severity", 2) is None
    said = reporters_choice(incidents(severity_filed="High"), "severity", 2)
    assert said is not None
    assert [guess.ranked for guess in said] == [["High"]] * 3
    nested = reporters_choice(incidents(filed={"severity": "Low"}), "severity", 4)
    assert nested is not None
    assert nested[0].ranked == ["Low"]
