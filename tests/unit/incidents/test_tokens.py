import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Report
from qa_agents.incidents.tokens import (
    MAX_SHAPES,
    MAX_TERMS,
    MAX_TF,
    analyse,
    line_shape,
    line_shapes,
    surfaces,
    term_hash,
)


def words(text: str) -> list[str]:
    """Readable forms of everything the text can be found by."""
    return list(surfaces(Report(id="1", summary=text)).values())


def matches(one: str, other: str) -> bool:
    return bool(set(analyse(one, "").terms.tolist()) & set(analyse(other, "").terms.tolist()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("com.acme.Cart.addItem", ["com.acme.cart.additem", "com", "acme", "cart", "additem", "add", "item"]),
        ("std::vector", ["std::vector", "std", "vector"]),
        ("E_CONN_42", ["e_conn_42", "conn", "42"]),
        ("ORA-00942", ["ora-00942", "ora", "00942"]),
        ("0x8007000E", ["0x8007000e"]),
        ("0xC0000005", ["0xc0000005"]),
        ("0x0000007E", ["0x0000007e"]),
        ("v7.0.3", ["7.0.3", "7.0"]),
        ("3.1.0.GA", ["3.1.0.ga", "3.1"]),
        ("NSURLErrorDomain", ["nsurlerrordomain", "nsurl", "error", "domain"]),
        ("java.lang.NullPointerException", ["java.lang.nullpointerexception", "java", "lang", "nullpointerexception",
                                            "null", "pointer", "exception"]),
        ("snake_case kebab-case", ["snake_case", "snake", "case", "kebab-case", "kebab"]),
        ("Cart.java:123", ["cart.java", "cart", "java", "123"]),
        ("C++ and C#", ["c++", "c#"]),
        ("the user's cart can't open", ["user", "cart", "cant", "open"]),
        ("Größe ÜBERSCHRITTEN", ["grösse", "überschritten"]),
        ("注文ページ", ["注文", "文ペ", "ペー", "ージ"]),
        ("ﬁle", ["file"]),
        ("हिन्दी", ["हिन्दी"]),
        ("ошибка сервера", ["ошибка", "сервера"]),
    ],
)  # fmt: skip
def test_a_text_is_found_by_its_whole_names_and_their_parts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "noise",
    [
        "0x7fff5fbff8a0",
        "0x1a2b3c4d",
        "550e8400-e29b-41d4-a716-446655440000",
        "d41d8cd98f00b204e9800998ecf8427e",
        "2013-01-02",
        "2013-01-02T10:11:12.123Z",
        "10:11:12.123",
        "31.12.2013",
        "1356998400000",
        "7",
    ],
)
def test_what_no_two_reports_share_by_meaning_is_dropped(noise: str) -> None:
    assert words(f"saving {noise} failed") == ["saving", "failed"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("app crashes", "crashed on start"),
        ("TableView", "table view"),
        ("at com.acme.Cart.addItem(Cart.java:12)", "addItem fails"),
        ("HTTP 503", "status: 503"),
        ("HTTP/1.1 503", "error=503"),
        ("ＡＰＩ timeouts", "api gone"),
        ("CAFÉ", "cafe\u0301"),
    ],
)
def test_two_ways_of_saying_it_match(one: str, other: str) -> None:
    assert matches(one, other)


def test_a_number_called_a_code_weighs_more_than_one_that_is_not() -> None:
    assert term_hash("code 503") in analyse("HTTP 503", "").terms.tolist()
    assert term_hash("code 503") not in analyse("503 rows", "").terms.tolist()


def test_counts_are_kept_per_field_and_saturate() -> None:
    found = analyse("save save", "save " * 300 + "now")
    by_term = dict(zip(found.terms.tolist(), zip(found.tf_summary, found.tf_body, strict=True), strict=True))
    assert by_term[term_hash("save")] == (2, MAX_TF)
    assert by_term[term_hash("now")] == (0, 1)


def test_a_long_log_keeps_a_bounded_number_of_terms() -> None:
    assert len(analyse("", " ".join(f"word{i}x" for i in range(20_000))).terms) == MAX_TERMS


@given(st.text(), st.text())
def test_any_text_gives_ascending_distinct_terms_of_this_text(summary: str, body: str) -> None:
    found = analyse(summary, body)
    terms = found.terms.tolist()
    assert terms == sorted(set(terms))
    assert all(a or b for a, b in zip(found.tf_summary, found.tf_body, strict=True))
    assert set(terms) == set(analyse(body, summary).terms.tolist())


def test_terms_are_the_same_in_every_process() -> None:
    code = (
        "from qa_agents.incidents.tokens import analyse; print(analyse('Cart.addItem fails', 'HTTP 503').terms.sum())"
    )
    printed = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert printed == {f"{analyse('Cart.addItem fails', 'HTTP 503').terms.sum()}\n".encode()}


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 200_000, "a." * 100_000, "a-" * 100_000, "A" * 200_000, "aA" * 100_000, "1." * 100_000, "1:" * 100_000,
        "0x" * 100_000, "\u0301\u0316" * 100_000, "a" + "\u0316\u0301" * 100_000, "注" * 200_000, "\ufdfa" * 200_000,
        "error:" + " " * 200_000, "http/1." * 30_000, "'s" * 100_000, "deadbeef1" * 20_000, "\ud800" * 200_000,
        "\n" * 200_000, "x\n" * 100_000, "::" * 100_000, "2013-" * 40_000, "_" * 200_000,
    ],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
def test_hostile_text_is_analysed_in_bounded_space(hostile: str) -> None:
    assert len(analyse(hostile, hostile).terms) <= 2 * MAX_TERMS
    line_shapes(hostile)
    surfaces(Report(id="1", summary=hostile, description=hostile))


def test_a_template_line_is_recognised_whatever_its_numbers_case_and_blanks() -> None:
    assert line_shape("Version:  3.1.2") == line_shape(" version: 14.0.7 ")
    assert line_shape("Version: 3.1.2") != line_shape("Versions: 3.1.2")


@pytest.mark.parametrize("line", ["", "}", "---", "{code}"[:3], "a b", " \t "])
def test_a_line_of_hardly_any_letters_has_no_shape(line: str) -> None:
    assert line_shape(line) is None


def test_lines_beyond_the_limit_are_kept_but_have_no_shape() -> None:
    lines = line_shapes("\n".join(f"line number {i}" for i in range(MAX_SHAPES + 10)))
    assert len(lines) == MAX_SHAPES + 10
    assert lines[0][1] is not None
    assert lines[-1][1] is None
