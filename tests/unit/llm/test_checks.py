"""Quotes, numbers and links in what a model wrote."""

import pytest

from qa_agents.llm.checks import has_link, numbers, place_of, untraced

TEXT = "Between 02:04 and 02:51 every  edit\nended in “HTTP 500”, and 1,204 deposits – all of them – stayed."


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("every edit ended in", "every  edit\nended in"),
        ('ended in "HTTP 500"', "ended in “HTTP 500”"),
        ("deposits - all of them", "deposits – all of them"),
        ("Every edit ended", None),
        ("every edit failed", None),
        ("edit", None),
        ("", None),
        ("   ", None),
    ],
)
def test_a_quote_is_found_where_only_blanks_and_typography_differ(quote: str, found: str | None) -> None:
    place = place_of(quote, TEXT)
    assert (TEXT[slice(*place)] if place else None) == found


def test_a_quote_is_words_and_never_a_pattern() -> None:
    assert place_of("a.*b (x|y)", "a.*b (x|y)") == (0, 10)
    assert place_of(".* .* .* .*", "anything at all") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4.26.1 on 3 of 12 tills", {"4.26.1", "3", "12"}),
        ("1,204 rows, 0.5 s", {"1204", "0.5"}),
        ("WKB-1280 and E_REFUND_409", {"1280"}),
        ("none", set()),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, found: set[str]) -> None:
    assert numbers(text) == found


def test_a_number_from_nowhere_is_noticed() -> None:
    assert untraced("163 of 214 deposits since 4.11", ["163 deposits", "since 4.11"]) == {"214"}


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("see https://evil.example/?q=1", True),
        ("see www.evil.example", True),
        ("![x](y)", True),
        ("[click|http]", True),
        ("<a href=x>", True),
        ("ask [~admin]", True),
        ("javascript://x", True),
        ("the ratio is 3:4, see [2] and a/b", False),
    ],
)
def test_links_are_seen_in_every_markup(text: str, link: bool) -> None:
    assert has_link(text) is link


def test_an_issue_key_is_traced_as_a_whole_and_not_by_its_number() -> None:
    assert untraced("It is a duplicate of PROJ-1.", ["1 of 3 fails", "ABC-1"]) == {"PROJ-1"}
    assert untraced("See PROJ-1.", ["The note names PROJ-1 too."]) == set()
    assert untraced("See PROJ-1.", ["РRОJ-1 in letters that only look so"]) == {"PROJ-1"}
