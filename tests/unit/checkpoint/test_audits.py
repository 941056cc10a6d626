"""Audits of what went through without a person: the sample, the findings and the bound."""

import pytest

from qa_agents.checkpoint.audits import Audits, band_of
from qa_agents.errors import ConflictError, NotFoundError
from qa_agents.storage.engine import Database
from tests.unit.checkpoint.watched import Bench


@pytest.fixture
def bench(db: Database) -> Bench:
    return Bench(db)


def test_nothing_wrong_in_the_audit_is_still_a_bound(bench: Bench) -> None:
    for number in range(120):
        bench.applied(number, 0.97)
    for item in bench.audits.sample():
        bench.audits.record(item.run_id, "confirm", auditor="ada")
    assert str(bench.audits.bounds()[0]) == "0 wrong of 120: at most 2.5 % (95 %)"


def test_the_sample_meets_every_band_and_keeps_its_proportions(bench: Bench) -> None:
    for number in range(200):
        bench.applied(number, 0.99 if number % 4 else 0.91)
    bench.applied(999, None)
    first = bench.audits.applied()[:41]
    assert {item.band for item in first[:3]} == {"0.98–1.00", "0.90–0.95", "none"}
    assert sum(item.band == "0.90–0.95" for item in first) in (9, 10, 11)
    assert [item.run_id for item in first] == [item.run_id for item in Audits(bench.db, bench.ledger).applied()[:41]]


def test_what_a_person_decided_is_not_audited_as_automatic(bench: Bench) -> None:
    bench.decided()
    bench.canaries.decide(bench.answer(bench.canary()))
    assert bench.audits.applied() == []


def test_an_item_is_audited_once_and_only_from_the_sample(bench: Bench) -> None:
    for number in range(10):
        bench.applied(number, 0.99)
    tenth = Audits(bench.db, bench.ledger, rate=0.1)
    (item,) = tenth.sample()
    with pytest.raises(NotFoundError, match="not in the sample"):
        tenth.record(bench.audits.applied()[5].run_id, "confirm", auditor="ada")
    assert tenth.record(item.report_id, "wrong", auditor="ada", note="wrong team").finding == "wrong"
    with pytest.raises(ConflictError, match="already audited: wrong by ada"):
        tenth.record(item.run_id, "confirm", auditor="bob")
    everything = tenth.bounds()[0]
    assert (everything.applied, everything.audited, everything.wrong) == (10, 1, 1)
    assert everything.at_most == 1.0


@pytest.mark.parametrize(
    ("probability", "band"),
    [
        (None, "none"),
        (0.0, "0.00–0.90"),
        (0.9, "0.90–0.95"),
        (0.95, "0.95–0.98"),
        (0.98, "0.98–1.00"),
        (1.0, "0.98–1.00"),
    ],
)
def test_every_probability_has_a_band(probability: float | None, band: str) -> None:
    assert band_of(probability) == band
