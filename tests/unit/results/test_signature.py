"""Signatures: alike for failures of one cause, apart for others, and cheap whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.results.schema import TestResult
from qa_agents.results.signature import CHARS, NOTHING, frames, normalise, signature, signature_of

ALIKE = [
    ("connect to 10.0.3.17:5432 refused", "connect to 10.1.9.2:5433 refused"),
    ("order 3fa9c1d2e4 not found", "order 99ab03cc17 not found"),
    ("no file /tmp/pytest-12/test_x0/db.sqlite", "no file /var/folders/a1/T/db.sqlite"),
    (r"cannot open C:\Users\joe\AppData\x.txt", r"cannot open D:\build\7\x.txt"),
    ("timed out after 30.2s at 2024-01-02T03:04:05Z", "timed out after 29s at 2025-11-12T13:14:15.123+02:00"),
    ("<Foo object at 0x7f8a9c> is gone", "<Foo object at 0x11aa22bb> is gone"),
    ("id 123e4567-e89b-12d3-a456-426614174000 twice", "id 00000000-0000-4000-8000-000000000001 twice"),
    ("assert 12.50 == 13.00", "assert 7 == 1,000"),
    ("localhost:8080 did not answer", "localhost:49152 did not answer"),
    ("pod web-7d9f8b6c5-x2x9z died", "pod web-5c4d9fb88-k8w2q died"),
    ("\x1b[31mAssertionError\x1b[0m: x", "AssertionError: x"),
    ("mail to ada@example.org bounced", "mail to bob@mail.example.com bounced"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_varies_from_run_to_run_does_not_tell_failures_apart(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert signature(one) == signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTP 404 for /orders", "HTTP 500 for /orders"),
        ("ValueError: bad deposit", "KeyError: bad deposit"),
        ("no leader unit found", "no primary unit found"),
        ("SQLSTATE 55P03", "SQLSTATE 40001"),
        ("/srv/app/orders.py is missing", "/srv/app/refunds.py is missing"),
    ],
)
def test_what_names_the_failure_tells_failures_apart(one: str, other: str) -> None:
    assert signature(one).key != signature(other).key


def test_a_failure_without_a_message_is_known_by_the_telling_line_of_its_trace() -> None:
    pytest_trace = "def test():\n>   place(3)\n\nE   ValueError: no seat 12\n\nsrc/app.py:33: ValueError"
    java_trace = "java.lang.IllegalStateException: closed\n\tat com.acme.Pool.get(Pool.java:88)"
    assert signature("", pytest_trace).type == "ValueError"
    assert signature("", pytest_trace) == signature("", pytest_trace.replace("12", "99").replace(":33", ":34"))
    assert signature("", java_trace).type == "IllegalStateException"


def test_a_failure_that_says_nothing_has_no_signature() -> None:
    assert signature_of(TestResult(name="t", outcome="failed")) is NOTHING
    assert signature("  \n ") is NOTHING


def test_the_places_of_a_trace_are_found_in_five_languages() -> None:
    trace = (
        'Traceback:\n  File "/srv/app/orders.py", line 12, in place\n'
        "src/app.py:33: in bar\n"
        "\tat com.acme.Pool.get(Pool.java:88)\n"
        "    at place (src/orders.ts:10:5)\n"
        "   in C:\\build\\Orders.cs:line 7\n"
        "\torders_test.go:41: wrong\n"
    )
    found = {(frame.file, frame.line) for frame in frames(trace)}
    assert {
        ("/srv/app/orders.py", 12), ("src/app.py", 33), ("Pool.java", 88), ("src/orders.ts", 10), ("orders_test.go", 41)
    } <= found  # fmt: skip


@given(st.text(max_size=2_000))
def test_any_text_has_a_bounded_signature(text: str) -> None:
    found = signature(text, text)
    assert len(found.text) <= CHARS
    assert len(frames(text)) <= 30


@pytest.mark.parametrize("piece", ["/a", "1,", "a.b", "0x", "\\", "f1", "a@", "::", "- ", "<n>", "9" * 50 + " "])
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    assert len(normalise(piece * 50_000)) <= CHARS


def test_a_whole_trace_in_the_place_of_the_message_is_known_by_its_telling_line() -> None:
    trace = (
        "def test():\n"
        + "    step()\n" * 60
        + ">   assert total == 13\nE   AssertionError: total is 12\n\nsrc/t.py:9: AssertionError"
    )
    flat = " ".join(trace.split())
    assert signature(flat, trace).text == "AssertionError: total is <n>"
    assert signature(trace).text == "AssertionError: total is <n>"
