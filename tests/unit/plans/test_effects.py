"""What a tester does about what one thing does to another."""

import pytest

from tests.unit.plans.drafting import done, plan_of


@pytest.mark.parametrize(
    ("statement", "deed", "seen"),
    [
        (
            "Comments must not affect the order of the keys.",
            "Try the order of the keys once with comments and once without, otherwise alike, and compare the results",
            "Both results are the same: comments must not affect the order of the keys.",
        ),
        (
            "Attempts to ring a broken bell must produce an error at once.",
            "Try to ring a broken bell",
            "Attempts to ring a broken bell must produce an error at once.",
        ),
        (
            "A failed lookup should result in an empty line.",
            "Provoke this: a failed lookup",
            "A failed lookup should result in an empty line.",
        ),
        (
            "Escape sequences are used to write control characters in a string.",
            "Give an input with escape sequences and look at the result",
            "The product does this: write control characters in a string.",
        ),
        (
            "The system shall send a receipt to the guest within 5 minutes.",
            "Have a receipt go out, and look at what arrives, when and where",
            "The system shall send a receipt to the guest within 5 minutes.",
        ),
    ],
)
def test_a_statement_about_an_effect_becomes_a_case(statement: str, deed: str, seen: str) -> None:
    cases = plan_of(f"# Bells\n\n- B-1: {statement}\n").cases
    assert (deed, seen) in [step for case in cases for step in done(case)]


def test_what_must_be_there_is_left_out_once() -> None:
    cases = plan_of("# Format\n\nThere must be a newline after each key.\n").cases
    assert [("Give an input without a newline after each key", "The input is refused visibly.")] in map(done, cases)


def test_an_aside_that_only_says_if_used_does_not_hide_a_rule_of_form() -> None:
    cases = plan_of("# Format\n\nThe decimal point, if used, must be surrounded by digits.\n").cases
    deeds = [deed for case in cases for deed, _ in done(case)]
    assert "Give an input in which the decimal point is not surrounded by digits" in deeds


@pytest.mark.parametrize(
    ("statement", "deeds"),
    [
        (
            "A choir shall hold at most 20 singers.",
            ["Bring it about that a choir holds 20 singers", "Bring it about that a choir holds 21 singers"],
        ),
        ("A booking can be moved at most 3 times.", ["Move a booking 3 times", "Move a booking 4 times"]),
    ],
)
def test_a_limit_on_a_number_of_things_or_times_is_brought_about_and_not_entered(
    statement: str, deeds: list[str]
) -> None:
    said = [deed for case in plan_of(f"# Rules\n\n- R-1: {statement}\n").cases for deed, _ in done(case)]
    assert set(deeds) <= set(said)
    assert not any("Enter the values" in one for one in said)


def test_a_fact_about_how_many_there_are_is_no_limit_of_an_input() -> None:
    cases = plan_of("# Bells\n\nThe tower has support for over 100 tunes.\n").cases
    assert not any(case.technique in ("boundary2", "boundary3", "equivalence") for case in cases)


def test_who_needs_no_account_is_not_signed_in() -> None:
    cases = plan_of("# Rules\n\n- R-1: A client shall not need an account to join a choir.\n").cases
    assert [case.preconditions for case in cases if case.technique == "requirement"] == [[]]


def test_everybody_else_is_somebody_without_the_role() -> None:
    cases = plan_of("# Rules\n\n- R-1: Only a manager may delete a choir.\n").cases
    assert ["Signed in as somebody who is no manager."] in [case.preconditions for case in cases]


def test_where_no_credentials_are_needed_nobody_is_refused_for_lack_of_them() -> None:
    cases = plan_of("# API\n\n## List\n\nNo authentication required, returns a list.\n").cases
    assert not any("refused without" in seen for case in cases for _, seen in done(case))
