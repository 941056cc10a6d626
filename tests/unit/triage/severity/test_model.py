"""The statistical second opinion: fitted by time, calibrated, kept without pickle, silent with too few labels."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from qa_agents.errors import StorageError
from qa_agents.incidents.lexical import LexicalIndex
from qa_agents.incidents.schema import Incident, Report
from qa_agents.incidents.search import Memory
from qa_agents.incidents.store import IncidentStore
from qa_agents.storage.engine import Database
from qa_agents.triage.severity.features import read
from qa_agents.triage.severity.fit import MIN_LABELLED, Labelled, fit, macro_f1
from qa_agents.triage.severity.model import SeverityModel, fit_from_memory, load_opinion
from qa_agents.triage.severity.rubric import load_rubric
from qa_agents.triage.severity.scale import MIN_LABELS, Scale, fit_scale, rubric_level

RUBRIC = load_rubric()
START = datetime(2024, 1, 1, tzinfo=UTC)
SAID = {
    0: ("Checkout double charge", "Critical"),
    1: ("Calendar import stops", "High"),
    2: ("Voucher label overlaps", "Low"),
}
LEVELS = {0: 0, 1: 1, 2: 3}


def incident(n: int) -> Incident:
    kind = int(np.random.default_rng(n).integers(3))
    summary, severity = SAID[kind]
    return Incident(
        id=f"WKB-{n}",
        summary=f"{summary} {n % 7}",
        created=START + timedelta(hours=n),
        severity=severity,
        reporter=f"r{kind}",
        resolution="Fixed",
        resolved=START + timedelta(hours=n + 5),
    )


def cases(n: int) -> list[Labelled]:
    found = []
    for place in range(n):
        one = incident(place)
        level = next(LEVELS[kind] for kind, (_, word) in SAID.items() if word == one.severity)
        found.append(Labelled(START + timedelta(hours=place), read(one, RUBRIC), [], level))
    return found


@pytest.fixture(scope="module")
def model() -> SeverityModel:
    fitted = fit(cases(500), 4, "print")
    assert fitted is not None
    return fitted


def test_too_few_labels_give_no_model() -> None:
    assert fit(cases(MIN_LABELLED - 1), 4, "print") is None


def test_one_level_alone_gives_no_model() -> None:
    assert fit([case._replace(level=2) for case in cases(400)], 4, "print") is None


def test_probabilities_add_to_one_and_follow_the_words(model: SeverityModel) -> None:
    for case in cases(30):
        opinion = model.of(case.reading, [], case.created.timestamp())
        assert sum(opinion.probabilities) == pytest.approx(1)
        assert opinion.likeliest == case.level + 1


def test_neighbours_votes_move_the_opinion_towards_them(model: SeverityModel) -> None:
    unseen = read(Report(id="R", summary="Something else entirely"), RUBRIC)
    moment = (START + timedelta(days=60)).timestamp()
    plain = model.of(unseen, [], moment).probabilities
    assert len(plain) == 4
    assert model.of(unseen, [], moment, [(moment - 60.0, 0)] * 9).probabilities[0] > plain[0]


def test_a_reporters_later_reports_are_not_looked_at(model: SeverityModel) -> None:
    unseen, moment = read(Report(id="R", summary="Something else"), RUBRIC), START.timestamp()
    later = [(moment + 5.0, 0)] * 9
    assert model.of(unseen, [], moment, later).probabilities == model.of(unseen, [], moment, []).probabilities


def test_a_kept_model_says_the_same(model: SeverityModel) -> None:
    again = SeverityModel.from_bytes(model.to_bytes())
    case = cases(5)[-1]
    moment = case.created.timestamp()
    assert again.of(case.reading, [], moment).probabilities == pytest.approx(
        model.of(case.reading, [], moment).probabilities, abs=1e-4
    )


@pytest.mark.parametrize("body", [b"", b"PK", b"not a model"])
def test_damaged_bytes_are_refused_in_one_sentence(body: bytes) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        SeverityModel.from_bytes(body)


def test_macro_f1_counts_every_level_alike_and_silence_as_wrong() -> None:
    assert macro_f1([0, 1], [0, 1]) == 1
    assert macro_f1([0, 0, 0, 1], [0, 0, 0, None]) == pytest.approx(0.5)


def test_it_is_fitted_on_the_memory_and_voided_by_another_index(db: Database, tmp_path: object) -> None:
    store = IncidentStore(db)
    memory = Memory(store, LexicalIndex(tmp_path / "lexical", store))  # type: ignore[operator]
    assert fit_from_memory(memory, db) is None
    store.upsert([incident(n) for n in range(400)])
    about = fit_from_memory(memory, db)
    assert about is not None
    assert about["n"] == 400
    opine = load_opinion(db, store, RUBRIC, memory.fingerprint)
    assert opine is not None
    report = Report(id="R", summary="Checkout double charge", reporter="r0")
    assert opine(report, [], ["Critical", "High", "Low"], START + timedelta(days=30)).likeliest == 1
    assert load_opinion(db, store, RUBRIC, "another index") is None


def test_what_people_called_the_rubrics_levels_is_counted_and_kept() -> None:
    fitted = fit(cases(500), 4, "print", rubric=RUBRIC)
    assert fitted is not None
    stated = [case for case in cases(500) if rubric_level(case.reading.factors, RUBRIC)]
    assert sum(map(sum, fitted.scale.counts)) == len(stated) > 0
    again = SeverityModel.from_bytes(fitted.to_bytes())
    assert again.scale == fitted.scale
    assert again.of(cases(1)[0].reading, [], START.timestamp()).scale == fitted.scale


def test_a_level_binds_until_enough_labels_say_otherwise() -> None:
    few, many = (fit_scale([(3, 2)] * n, 4) for n in (MIN_LABELS - 1, MIN_LABELS))
    assert few.binding(3)
    assert not many.binding(3)
    assert many.binding(2)
    assert Scale().binding(1)
