"""The measurement of redaction: what it seeds is what it says, and a miss is counted."""

import random

import pytest

from evals.suites import redaction
from evals.suites.redaction import IDENTIFIERS, NAMED, SEEDED, measure, told
from evals.suites.redaction_unseen import LOOKALIKES, PERSONAL, SURROUNDED, TOKENS
from qa_agents.llm.redact import find_sensitive


def test_few_of_each_type_are_hidden_identifiers_stay_and_the_tables_say_how_many() -> None:
    found = measure(16, 3, [("public", ["Nothing here.", "mail ada@example.com"])])
    assert {one.name for one in found.hidden} == {*SEEDED, *NAMED}
    assert {one.name for one in found.issued} == {*TOKENS, *SURROUNDED}
    assert {one.name for one in found.kept} == {*IDENTIFIERS, *LOOKALIKES}
    assert all(one.hits == one.n for one in found.hidden), told(found)
    assert [(one.name, one.hits, one.n) for one in found.public] == [
        ("public: a secret", 0, 2),
        ("public: personal data", 1, 2),
    ]
    assert found.names == {"EMAIL": 1}
    assert "500.0" in told(found)


def test_tokens_of_every_issuer_are_hidden_and_neither_lookalikes_nor_sentences_about_secrets_are() -> None:
    found = measure(16, 5, [])
    assert [one.name for one in found.issued if one.hits < 14] == [], told(found)
    assert [one.name for one in found.kept if one.hits < 15] == [], told(found)
    assert found.prose == []


def test_of_personal_data_only_names_and_postal_addresses_are_not_found() -> None:
    found = measure(16, 5, [])
    assert {one.name for one in found.personal} == set(PERSONAL)
    assert {one.name for one in found.personal if one.hits < 14} == {"name of a person", "postal address"}, told(found)


def test_what_redaction_lets_through_is_counted_and_shown_without_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "redact", lambda text, **_: type("Same", (), {"text": text})())
    found = measure(8, 3, [])
    assert all(one.hits == 0 for one in found.hidden)
    assert all(one.hits == one.n for one in found.kept)
    assert "⟨…⟩" in found.samples[0]


@pytest.mark.parametrize(("name", "pattern"), [("card number (Luhn)", "CARD_NUMBER"), ("IBAN (mod 97)", "IBAN")])
def test_made_up_numbers_have_right_check_digits(name: str, pattern: str) -> None:
    rng = random.Random(11)
    for _ in range(50):
        value = SEEDED[name](rng)
        assert [span.name for span in find_sensitive(f"given: {value}")] == [pattern]
        last = str((int(value[-1]) + 1) % 10)
        assert find_sensitive(f"given: {value[:-1]}{last}") == []
