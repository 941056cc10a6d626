"""What ships in the prompt library is what it says: every entry renders, and what it calls valid or invalid is so."""

import calendar
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from qa_agents.library.generate import generate
from qa_agents.library.load import lint, load
from qa_agents.library.schema import KINDS, PROPERTIES, Input, Kind, Seed
from qa_agents.library.transforms import TRANSFORMS

CITIES = {
    "Berlin": "Europe/Berlin",
    "New York": "America/New_York",
    "Reykjavik": "Atlantic/Reykjavik",
    "Kathmandu": "Asia/Kathmandu",
    "Kiritimati": "Pacific/Kiritimati",
}


def seeds(kind: Kind, slot: str) -> dict[str, Seed]:
    return {seed.id: seed for seed in load(kind).seeds if seed.slot == slot}


def everything(kind: Kind) -> list[Input]:
    return generate(load(kind), 50_000).inputs


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_sound_used_and_rendered_without_a_slot_left_open(kind: Kind) -> None:
    library = load(kind)
    assert lint(library) == []
    inputs = everything(kind)
    assert not [one.text for one in inputs if re.search(r"\{\{|\}\}", one.text + (one.expected or ""))]
    used = {name for one in inputs for name in one.made_from}
    entries = {s.id for s in library.seeds} | {t.id for t in library.templates} | {u.id for u in library.transforms}
    assert entries <= used
    assert {one.property for one in inputs} <= set(PROPERTIES)


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_inputs_are_the_same(kind: Kind) -> None:
    inputs = everything(kind)
    assert len({(one.property, one.text) for one in inputs}) == len(inputs)
    assert len(inputs) >= 250


def test_whatever_has_a_property_says_why_unless_it_is_counterfactual() -> None:
    unexplained = [seed.id for kind in KINDS for seed in load(kind).seeds if not seed.why]
    assert unexplained == []


def mod_97(iban: str) -> int:
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97


def test_ibans_are_valid_exactly_where_they_are_called_so() -> None:
    found = {name: seed for name, seed in seeds("boundary", "identifier").items() if name.startswith("iban")}
    for name, seed in found.items():
        iban = seed.text.replace(" ", "").upper()
        valid = mod_97(iban) == 1 and not iban.startswith("XX") and (len(iban) == 22 or not iban.startswith("DE"))
        assert valid == (seed.property == "accepts"), name
        assert not valid or seed.expected == iban


def luhn(number: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(n - 9 * (n > 9) for n in doubled) % 10 == 0


def test_card_numbers_and_isbns_have_the_check_digits_they_are_said_to_have() -> None:
    found = seeds("boundary", "identifier")
    assert luhn(found["card-luhn"].text)
    assert not luhn(found["card-wrong"].text)
    weighed = {
        name: sum(int(d) * (1 + 2 * (n % 2)) for n, d in enumerate(found[name].text)) for name in ("isbn", "isbn-wrong")
    }
    assert weighed["isbn"] % 10 == 0
    assert weighed["isbn-wrong"] % 10 != 0


def test_days_written_as_iso_8601_exist_exactly_where_they_are_called_valid() -> None:
    for seed in seeds("boundary", "day").values():
        if not re.fullmatch(r"\d{4}-(\d\d-\d\d|W\d\d-\d|\d{3})", seed.text):
            continue
        if re.fullmatch(r"\d{4}-\d{3}", seed.text):
            year, number = int(seed.text[:4]), int(seed.text[5:])
            there = number <= 365 + calendar.isleap(year)
            day = date(year, 1, 1) + timedelta(days=number - 1)
        else:
            try:
                day, there = date.fromisoformat(seed.text), True
            except ValueError:
                there = False
        assert there == (seed.property == "accepts"), seed.id
        assert not there or seed.expected == day.isoformat()


def test_moments_in_a_city_exist_once_never_or_twice_as_they_are_said_to() -> None:
    found = [seed for seed in seeds("boundary", "moment").values() if " in " in seed.text]
    assert len(found) >= 5
    for seed in found:
        written, city = seed.text.split(" in ")
        zone = ZoneInfo(CITIES[city])
        first, second = (datetime.fromisoformat(written).replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        exists = first.astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None) == first.replace(tzinfo=None)
        twice = exists and first.utcoffset() != second.utcoffset()
        assert seed.property == ("rejects" if not exists else "asks" if twice else "accepts"), seed.id
        assert not (exists and not twice) or datetime.fromisoformat(seed.expected or "") == first


def test_digits_of_other_scripts_have_the_value_that_is_expected() -> None:
    found = seeds("boundary", "amount")
    for name in ("amount-arabic", "amount-fullwidth"):
        digits = "".join(str(unicodedata.digit(c)) for c in found[name].text if unicodedata.digit(c, None) is not None)
        assert digits == re.sub(r"\D", "", found[name].expected or "")


def test_local_parts_of_mail_addresses_are_as_long_as_they_are_said_to_be() -> None:
    found = seeds("boundary", "identifier")
    assert [len(found[name].text.split("@")[0]) for name in ("mail-64", "mail-65")] == [64, 65]


def test_what_is_planted_names_a_word_that_the_answer_must_not_hold() -> None:
    inputs = everything("injection")
    assert all(one.property == "no-obey" and one.expected and one.expected.startswith("canary-") for one in inputs)
    readable = [one for one in inputs if one.tags["transform"] == "none" or not TRANSFORMS[one.tags["transform"]].whole]
    assert all(one.expected in one.text for one in readable if one.expected)


def test_members_of_a_counterfactual_group_differ_in_their_varied_words_only() -> None:
    groups: dict[str, list[Input]] = {}
    for one in everything("bias"):
        assert one.group
        groups.setdefault(one.group, []).append(one)
    for members in groups.values():
        assert len(members) >= 3
        assert len({member.made_from[0] for member in members}) == 1
        assert len({tuple(sorted(m.tags.items())) for m in members}) == len(members)
    crossed = [g for g in groups.values() if g[0].tags.get("kind") == "intersectional"]
    assert len(crossed) >= 5


TOTALS = {
    "thirds": 3 * Decimal("33.33"),
    "thirds-rounded": 3 * Decimal("33.33"),
    "tenths": Decimal("0.10") + Decimal("0.20"),
    "refund": Decimal("20.00") + Decimal("15.50") - Decimal("15.50"),
    "yen": 3 * Decimal(333),
    "discount-twice": Decimal(100) * Decimal("0.9") * Decimal("0.9"),
    "discount-added": Decimal(100) * Decimal("0.9") * Decimal("0.9"),
    "shares": 3 * Decimal("0.333") * Decimal(1000),
}
"""What each receipt comes to, reckoned exactly."""


@pytest.mark.parametrize("name", TOTALS)
def test_a_receipt_is_right_exactly_where_its_total_is_what_its_items_come_to(name: str) -> None:
    seed = seeds("boundary", "basket")[f"basket-{name}"]
    stated = Decimal(
        re.findall(r"[\d,]*\d(?:\.\d+)?(?= (?:EUR|JPY) (?:together|to pay)$)", seed.text)[-1].replace(",", "")
    )
    assert (seed.property == "accepts") == (stated == TOTALS[name])
    assert seed.property in ("accepts", "rejects")
    if seed.expected:
        assert Decimal(seed.expected.split()[0]) == TOTALS[name]


def test_what_is_asked_about_a_receipt_has_two_answers() -> None:
    line, whole = round(Decimal("0.35") * Decimal("1.19"), 2) * 3, round(3 * Decimal("0.35") * Decimal("1.19"), 2)
    assert (line, whole) == (Decimal("1.26"), Decimal("1.25"))
    assert {seed.property for seed in seeds("boundary", "basket").values()} == {"accepts", "rejects", "asks"}


def test_days_that_are_numbers_to_a_machine_are_the_days_that_their_reasons_name() -> None:
    found = seeds("boundary", "day")
    assert date(1899, 12, 30) + timedelta(days=int(found["day-serial"].text)) == date(2026, 5, 1)
    moment = datetime.fromtimestamp(int(found["day-unix"].text), tz=UTC)
    assert moment.date() == date(2026, 5, 1)
    assert moment.astimezone(ZoneInfo("America/New_York")).date() == date(2026, 4, 30)


def test_published_numbers_have_the_check_digits_of_real_ones() -> None:
    from qa_agents.llm.redact import find_sensitive

    kinds = {seed.id: {span.name for span in find_sensitive(seed.text)} for seed in load("adversarial").seeds}
    assert kinds["card-number"] == {"CARD_NUMBER"}
    assert kinds["whose-account"] == {"IBAN"}
    assert kinds["found-key"] == {"AWS_ACCESS_KEY"}
