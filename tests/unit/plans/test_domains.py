from pathlib import Path

import pytest

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.plans import checks, domains
from qa_agents.plans.schema import Risk
from tests.unit.plans.samples import plan, requirement

PAYMENT = requirement("A payment is charged when the booking is confirmed.")
LOGO = requirement("The logo is blue.")
NAMES = [
    "ai-features", "autonomous-vehicles", "e-commerce", "education", "finance", "government", "healthcare", "industrial",
    "insurance",
]  # fmt: skip


def test_nine_packs_ship() -> None:
    assert domains.pack_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_pack_is_whole_and_its_cases_pass_the_checks(name: str) -> None:
    pack = domains.load_pack(name)
    assert pack.name == name
    assert len({area.id for area in pack.areas}) == len(pack.areas)
    assert pack.sign_offs
    assert all(area.checks for area in pack.areas)
    texts = [requirement(f"The {area.triggers[0].rstrip('*')} is shown in {area.id}.") for area in pack.areas]
    questions, risks, cases, sign_offs = domains.apply([pack], texts)
    assert {case.pack for case in cases} == {name}
    assert sign_offs
    assert {risk.requirement_id for risk in risks} <= {text.id for text in texts}
    combined = domains.combined([], risks)
    assert checks.check(plan(texts, cases=cases, questions=questions, risks=combined)) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_of_a_pack_names_its_standard(name: str) -> None:
    pack = domains.load_pack(name)
    for area in pack.areas:
        for case in domains.apply([pack], [requirement(f"The {area.triggers[0].rstrip('*')} is shown.")])[2]:
            assert any(check.standard in case.basis_rule for one in pack.areas for check in one.checks)


def test_an_area_that_no_requirement_touches_adds_nothing() -> None:
    questions, risks, cases, _ = domains.apply([domains.load_pack("finance")], [LOGO])
    assert (risks, cases) == ([], [])
    assert all(not question.requirement_ids for question in questions)


def test_a_pack_adds_to_the_requirement_it_fits_and_marks_what_is_its_own() -> None:
    questions, risks, cases, sign_offs = domains.apply([domains.load_pack("finance")], [LOGO, PAYMENT])
    assert {case.requirement_ids[0] for case in cases} == {PAYMENT.id}
    assert {one.pack for one in [*questions, *sign_offs]} == {"finance"}
    assert any("PSD2" in reason for one in risks for reason in one.reasons)


def test_a_question_that_the_text_answers_is_not_asked() -> None:
    pack = domains.load_pack("finance")
    answered = requirement("Every payment needs strong customer authentication.")
    asked = {question.text for question in domains.apply([pack], [PAYMENT])[0]}
    still = {question.text for question in domains.apply([pack], [PAYMENT, answered])[0]}
    assert len(asked - still) == 1


def test_words_are_matched_whole() -> None:
    pack = domains.load_pack("finance")
    assert domains.apply([pack], [requirement("The company repays attention.")])[2] == []


def test_an_unknown_pack_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match="healthcare"):
        domains.load_pack("astrology")
    with pytest.raises(NotFoundError):
        domains.load_pack("../finance")


def test_a_team_can_bring_a_pack_of_its_own_and_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\ntitle = "Own"\n[[areas]]\nid = "slots"\nname = "slots"\ntriggers = ["slot*"]\n'
        'impact = 2\nwhy = "w"\nstandard = "House rules"\n'
    )
    assert domains.load_pack(str(path)).areas[0].triggers == ["slot*"]
    path.write_text('name = "own"\ntitle = "Own"\nareas = []\n')
    with pytest.raises(InvalidInputError, match="areas"):
        domains.load_pack(str(path))
    path.write_text("name = ")
    with pytest.raises(InvalidInputError, match="TOML"):
        domains.load_pack(str(path))


def test_risks_of_one_requirement_become_one_with_the_higher_figures() -> None:
    one = Risk(requirement_id="R", impact=1, likelihood=3, reasons=["a"], incident_ids=["I-1"])
    two = Risk(requirement_id="R", impact=3, likelihood=1, reasons=["b"])
    (both,) = domains.combined([one], [two])
    assert (both.impact, both.likelihood, both.reasons, both.incident_ids) == (3, 3, ["a", "b"], ["I-1"])
