from qa_agents.plans.diff import align, carry_over
from qa_agents.plans.differing import differing_values
from qa_agents.plans.schema import FieldSpec, Requirement, TestPlan
from tests.unit.plans.made import AMOUNT, CARDS, REFUND, case, drafted, plan, requirement


def raised(maximum: float = 1000) -> Requirement:
    return requirement(
        "REQ-other",
        f"The deposit must be between 5 and {maximum:g} EUR.",
        fields=[FieldSpec(name="deposit", type="money", unit="EUR", minimum=5, maximum=maximum)],
    )


def kinds(before: list[Requirement], after: list[Requirement]) -> dict[str, str]:
    return {change.requirement_id: change.change for change in align(before, after).changes}


def redrafted(before: TestPlan, after: list[Requirement], drafted: TestPlan) -> TestPlan:
    return carry_over(before, drafted, align(before.requirements, after))


def test_the_same_text_changes_nothing() -> None:
    assert set(kinds([AMOUNT, REFUND], [REFUND, AMOUNT]).values()) == {"unchanged"}


def test_a_changed_limit_keeps_the_id_and_names_both_values() -> None:
    aligned = align([AMOUNT, REFUND], [raised(), REFUND])
    change = aligned.of("REQ-amount")
    assert change is not None
    assert change.change == "changed"
    assert "maximum of deposit: 500.0 → 1000.0" in change.values
    assert [one.id for one in aligned.requirements] == ["REQ-amount", "REQ-refund"]


def test_other_words_for_the_same_are_a_rewording() -> None:
    reworded = requirement("REQ-new", "Each guest who cancels in time gets it back within 3 days.")
    assert kinds([REFUND], [reworded]) == {"REQ-refund": "reworded"}


def test_a_negation_is_a_change() -> None:
    turned = requirement("REQ-new", "A guest who cancels in time does not get it back within 3 days.", negated=True)
    assert differing_values(REFUND, turned)


def test_what_is_new_and_what_is_gone_is_told() -> None:
    new = requirement("REQ-new", "Tips go to the stylist on the same evening.")
    assert kinds([AMOUNT, CARDS], [AMOUNT, new]) == {
        "REQ-amount": "unchanged",
        "REQ-new": "added",
        "REQ-cards": "removed",
    }


def test_the_author_s_own_identifier_outlives_any_rewording() -> None:
    before = requirement("REQ-a", "Deposits are refunded.", explicit_id="FR-7")
    after = requirement("REQ-b", "Money goes back to the card it came from.", explicit_id="FR-7")
    assert kinds([before], [after]) == {"REQ-a": "changed"}


def test_cases_of_unchanged_requirements_stay_the_same_to_the_byte() -> None:
    before = plan()
    fresh = plan(cases=[case("TC-above", "REQ-amount", title="another draft"), *before.cases[1:]])
    after = redrafted(before, [AMOUNT, REFUND, CARDS], fresh)
    assert [one.model_dump_json() for one in after.cases] == [one.model_dump_json() for one in before.cases]
    assert after.changes is not None
    assert after.changes.kept == ["TC-above", "TC-refund"]


def test_a_case_of_a_changed_value_is_redrafted_under_its_id_and_suspect() -> None:
    before = plan()
    item = before.items[0].model_copy(update={"id": "ITM-1000", "parameters": {"deposit": "1000.01"}})
    new_case = case("TC-new", "REQ-amount", item_ids=["ITM-1000"], title="A deposit of 1000.01 is refused")
    fresh = plan(items=[item], cases=[new_case, before.cases[1]])
    after = redrafted(before, [raised(), REFUND, CARDS], fresh)
    assert after.cases[0].id == "TC-above"
    assert after.cases[0].title == "A deposit of 1000.01 is refused"
    assert "500.0 → 1000.0" in (after.cases[0].suspect or "")
    assert after.changes is not None
    assert (after.changes.redrafted, after.changes.kept, after.changes.added) == (["TC-above"], ["TC-refund"], [])


def test_what_a_person_wrote_is_never_overwritten() -> None:
    mine = case(
        "TC-above", "REQ-amount", item_ids=["ITM-above"], title="my words", origin="edited", locked_fields=["title"]
    )
    before = plan(cases=[mine])
    fresh = plan(cases=[case("TC-above", "REQ-amount", item_ids=["ITM-above"], title="a draft")])
    after = redrafted(before, [raised(), REFUND, CARDS], fresh)
    assert after.cases[0].title == "my words"
    assert after.cases[0].suspect
    assert after.changes is not None
    assert after.changes.suspect == ["TC-above"]


def test_a_case_without_its_requirement_stays_until_somebody_lets_it_go() -> None:
    before = plan()
    fresh = plan(requirements=[AMOUNT], cases=[before.cases[0]])
    after = redrafted(before, [AMOUNT], fresh)
    assert after.changes is not None
    assert after.changes.orphaned == ["TC-refund"]
    assert "its requirement is gone" in (after.cases[1].suspect or "")
    gone = carry_over(before, fresh, align(before.requirements, [AMOUNT]), accepted=["TC-refund"])
    assert [one.id for one in gone.cases] == ["TC-above"]


def test_an_answer_given_since_redrafts_the_cases_that_waited_for_it() -> None:
    before = plan()
    answered = case("TC-refund", "REQ-refund", technique="requirement", polarity="positive", expected_basis="derived")
    after = redrafted(before, [AMOUNT, REFUND, CARDS], plan(cases=[before.cases[0], answered]))
    assert after.changes is not None
    assert after.changes.redrafted == ["TC-refund"]
    assert after.cases[1].question_ids == []


def test_a_link_that_leads_elsewhere_renews_the_quote_and_loses_no_case() -> None:
    quote = "A deposit is one of the [kinds](#kinds) listed."
    before = plan(
        requirements=[requirement("REQ-kinds", quote, hash="same")],
        cases=[case("TC-kinds", "REQ-kinds", basis_quote=quote, expected_basis="quote")],
    )
    moved = requirement("REQ-kinds", quote.replace("#kinds", "#all-kinds"), hash="same")
    twin = case("TC-kinds", "REQ-kinds", basis_quote=moved.quote, expected_basis="quote")
    after = redrafted(before, [moved], plan(requirements=[moved], cases=[twin]))
    assert after.changes is not None
    assert after.changes.relinked == ["TC-kinds"]
    assert after.cases[0].basis_quote == moved.quote
    assert after.cases[0].steps == before.cases[0].steps


def test_other_blanks_and_comments_make_no_other_example() -> None:
    def shown(*examples: str) -> Requirement:
        data = {"examples": [{"text": text, "valid": True} for text in examples]}
        return requirement("REQ-keys", "A key is followed by a value.", data=data, hash=str(examples))

    before = shown('bell = "a  # b"\n\nrope   = [ 1, 2 ] # two strands')
    assert differing_values(before, shown('# both\nbell="a  # b"\nrope = [1, 2]')) == []
    assert differing_values(before, shown('bell = "a # b"\nrope = [1, 2]')) == ["an example differs"]
    assert differing_values(before, shown("bell = 'c'")) == ["an example differs"]


def test_an_operation_that_differs_is_named_as_one() -> None:
    before, after = (
        requirement("REQ-op", "POST /deposits", data={"method": "post", "fields": fields}) for fields in (["a"], ["b"])
    )
    assert differing_values(before, after) == ["the described operation differs"]


def test_another_literal_in_code_is_a_change_and_not_a_rewording() -> None:
    before, after = (
        requirement("REQ-tag", f"The total stands in a `<{tag}>` tag.", text="The total stands in a tag.")
        for tag in ("strong", "em")
    )
    assert differing_values(before, after) == ["`<strong>` → `<em>`"]


def test_a_case_that_goes_on_names_only_coverage_that_is_there() -> None:
    before = plan()
    after = redrafted(before, [raised(), REFUND, CARDS], plan(items=[], cases=[]))
    assert after.changes is not None
    assert after.changes.suspect == ["TC-above"]
    assert after.cases[0].item_ids == []


def test_an_example_that_moves_to_another_statement_takes_its_case_along() -> None:
    old = drafted("# Keys\n\nKeys are separated by dots.\n\n```\na.b = 1\n```\n")
    new = drafted(
        "# Keys\n\nKeys are separated by dots.\n\nBlanks around them are ignored.\n\n```\na.b = 1\n```\n", old
    )
    assert new.changes is not None
    assert new.changes.redrafted == new.changes.suspect == new.changes.orphaned == []


def test_a_new_statement_that_nobody_can_test_is_asked_about_in_the_diff() -> None:
    old = drafted("# Day\n\nThe day list must show names.\n")
    new = drafted("# Day\n\nThe day list must show names.\n\nThe design must be modern.\n", old)
    assert new.changes is not None
    asked = [one for one in new.questions if one.id in new.changes.questions]
    assert any("modern" in one.text for one in asked)
