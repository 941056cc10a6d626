"""Facts: verbatim, bounded, normalised; the difference check's values."""

import io
import json
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_agents.incidents.schema import Report
from qa_agents.triage.facts.extract import MAX_PER_NAME, comparable, extract_facts
from qa_agents.triage.schema import Fact


def read(description: str, summary: str = "") -> list[Fact]:
    return extract_facts(Report(id="R-1", summary=summary, description=description))


def values(description: str, name: str, summary: str = "") -> list[str]:
    return [fact.value for fact in read(description, summary) if fact.name == name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Since version 4.2.1 it fails", ["4.2.1"]),
        ("SDK 3.1.0.GA", ["3.1.0"]),
        ("Titanium SDK 3.0.0.v20121010184612", ["3.0.0"]),
        ("CLI 3.2.0-beta and 3.2.0-cr3", ["3.2.0-beta", "3.2.0-cr3"]),
        ("worked in v7, broken in v8.1", ["8.1", "7"]),
        ("build 8842", ["build 8842"]),
        ("at commit 1f2e3d4c5b", ["commit 1f2e3d4c5b"]),
        ("Release 1.8.0.1 vs 1.8.x", ["1.8.0.1", "1.8"]),
        ("it takes 0.5 sec and 1.5 MB, opacity 0.7, on 12.03.2012", []),
        ("Figure 1.2 shows 3.5 items for 12.50", []),
        ("OS version: 4.0.4", []),
        ("iPhone SDK version: 5.1", []),
    ],
)
def test_versions_are_told_from_other_numbers(text: str, expected: list[str]) -> None:
    assert values(text, "version") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iOS 6.1 and iOS7", ["ios 6.1", "ios 7"]),
        ("Android: crash", ["android"]),
        ("Platform OS: Android\nPlatform OS Version: 4.0.4 (ICS)", ["android 4.0.4"]),
        ("Windows 11, Windows Server 2019", ["windows 11", "windows 2019"]),
        ("Mac OS X 10.7.5 / macOS 14", ["macos 10.7.5", "macos 14"]),
        ("Mac OSX Lion 10.7.3", ["macos 10.7.3"]),
        ("Ubuntu 22.04", ["linux 22.04"]),
        ("all windows are closed, Windows only", ["windows"]),
        ("two heavyweight windows in axios and androidx.core", []),
    ],
)
def test_operating_systems_come_with_their_version(text: str, expected: list[str]) -> None:
    assert values(text, "os") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Safari 17 and Google Chrome 120.0.6099.71", ["safari 17", "chrome 120.0.6099.71"]),
        ("Node 20, Node.js v18.2", ["node 20", "node 18.2"]),
        ("on iPhone 4S", ["iphone 4s"]),
        ("an edge case, go to the next page, the node is gone", []),
        ("Xcode: 5.0 with PostgreSQL 14.2", ["xcode 5.0", "postgres 14.2"]),
    ],
)
def test_platforms_are_products_with_a_version_browsers_and_devices(text: str, expected: list[str]) -> None:
    assert values(text, "platform") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the call returns 503", ["http 503"]),
        ("HTTP/1.1 404 Not Found", ["http 404"]),
        ("status code: 422", ["http 422"]),
        ("it returned 500 rows within 400 ms", []),
        ("E_FOO_12 is shown", ["e_foo_12"]),
        ("ORA-00942: table or view does not exist", ["ora-00942"]),
        ("connect ECONNREFUSED 127.0.0.1", ["econnrefused"]),
        ("error code 0x80070005", ["0x80070005"]),
        ("frame 4 at 0x00080aec", []),
        ("error PAY-4012", ["pay-4012"]),
        ("see PROJ-4012 for more", []),
        ("Process exited with code 1", ["exit 1"]),
        ("[Errno 13] permission denied", ["errno 13"]),
        ("EXC_BAD_ACCESS (SIGSEGV)", ["sigsegv", "exc_bad_access"]),
        ("INSTALL_FAILED_INSUFFICIENT_STORAGE", ["install_failed_insufficient_storage"]),
        ('Error Domain=NSCocoaErrorDomain Code=260 "x"', ["nscocoaerrordomain 260"]),
    ],
)
def test_error_codes_need_a_known_form_or_a_word_for_error(text: str, expected: list[str]) -> None:
    assert values(text, "error_code") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("java.lang.NullPointerException: x", ["java.lang.NullPointerException"]),
        ("Uncaught TypeError: y is undefined", ["TypeError"]),
        ("System.IO.FileNotFoundException", ["System.IO.FileNotFoundException"]),
        ("reason 'NSRangeException'", ["NSRangeException"]),
        ("an Error or an Exception; see NSError and onError", []),
        ("panic: runtime error: index out of range", ["panic: runtime error: index out of range"]),
    ],
)
def test_exceptions_keep_their_package(text: str, expected: list[str]) -> None:
    assert values(text, "exception") == expected


JAVA = """E/AndroidRuntime( 123): java.lang.IllegalStateException
	at android.os.Looper.loop(Looper.java:130)
	at com.shop.cart.CartView.add(CartView.java:42)
	at com.shop.cart.CartModel.save(CartModel.kt:7)
	at java.lang.reflect.Method.invoke(Native Method)"""
PYTHON = """Traceback (most recent call last):
  File "/srv/app/main.py", line 3, in run
    serve()
  File "/srv/app/pay/charge.py", line 88, in capture
    raise E
  File "/usr/lib/python3.11/site-packages/stripe/api.py", line 5, in post"""
NODE = """TypeError: x
    at Cart.total (/app/src/cart.js:10:5)
    at /app/src/server.js:3:1
    at Module._compile (node:internal/modules/cjs/loader:1105:14)"""
APPLE = """0   CoreFoundation     0x03230012 __exceptionPreprocess + 178
6   Citybot            0x00080aec -[TiViewController loadView] + 92"""
GO = "panic: x\n\nmain.(*Server).handle(0xc000, 0x1)\n\t/src/shop/server.go:31 +0x1d\n"
DOTNET = (
    "   at Shop.Cart.Total(Int32 id) in C:\\src\\Cart.cs:line 12\n   at System.Linq.Enumerable.First(IEnumerable x)"
)


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (JAVA, ["com.shop.cart.CartView.add", "com.shop.cart.CartModel.save"]),
        (PYTHON, ["charge.capture", "main.run"]),
        (NODE, ["Cart.total", "server.js"]),
        (APPLE, ["-[TiViewController loadView]"]),
        (GO, ["main.(*Server).handle"]),
        (DOTNET, ["Shop.Cart.Total"]),
        ("	at android.os.Looper.loop(Looper.java:130)", ["android.os.Looper.loop"]),
    ],
)
def test_stack_frames_of_the_application_come_innermost_first(trace: str, expected: list[str]) -> None:
    assert values(trace, "stack_frame") == expected


def test_at_most_five_frames_are_kept() -> None:
    trace = "\n".join(f"\tat com.shop.A{i}.run(A{i}.java:{i})" for i in range(30))
    assert values(trace, "stack_frame") == [f"com.shop.A{i}.run" for i in range(5)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("POST /api/v2/payments/8812/refund fails", ["POST /api/v2/payments/{id}/refund"]),
        ("GET https://shop.example.org/api/orders/{orderId}?page=2", ["GET /api/orders/{id}"]),
        ("calling /v1/users/550e8400-e29b-41d4-a716-446655440000", ["/v1/users/{id}"]),
        ("the file /home/ann/api/readme and https://docs.example.org/guide/#!/api/Window", []),
    ],
)
def test_endpoints_name_no_host_and_no_single_thing(text: str, expected: list[str]) -> None:
    assert values(text, "endpoint") == expected


def test_identifiers_are_dotted_names_and_constants_not_files_or_hosts() -> None:
    text = "Ti.UI.createWindow in app.js on www.example.com sets spring.datasource.url and MAX_RETRIES, e.g. twice. Cart.addItem"
    assert values(text, "identifier") == ["Ti.UI.createWindow", "spring.datasource.url", "Cart.addItem", "MAX_RETRIES"]


SECTIONS = [
    "Steps to reproduce:\n1. open\n2. save\nExpected result:\nsaved\nActual result:\nlost",
    "h3. Steps to Reproduce\n# open\n# save\nh3. Expected Behavior\nsaved\nh3. Actual Results\nlost",
    "## How to reproduce\n1) open\n2) save\n\n## Expected\nsaved\n\n## What happened instead\nlost",
    "*STR*\n1. open\n2. save\n*Expected behaviour:* saved\n*Actual behaviour:* lost",
    "**Steps to reproduce the issue**\n- open\n- save\n\n**Expected**\nsaved\n\n**Actual**\nlost",
    "Repro steps: open, save. Expected: saved. Actual: lost",
    "What steps will reproduce it?\n1. open\n2. save\nWhat did you expect to see?\nsaved\nWhat do you see instead?\nlost",
]


@pytest.mark.parametrize("text", SECTIONS)
def test_sections_are_found_under_many_headings(text: str) -> None:
    found = {fact.name: fact.value.strip(" .") for fact in read(text) if fact.name in ("steps", "expected", "actual")}
    assert found["expected"] == "saved"
    assert found["actual"] == "lost"
    assert "open" in found["steps"]
    assert "saved" not in found["steps"]


def test_a_numbered_list_of_instructions_needs_no_heading() -> None:
    assert values("It breaks.\n1. Open the cart\n2. Click save\nNothing happens.", "steps") == [
        "1. Open the cart 2. Click save"
    ]
    assert values("Known limits\n1. Maximum of ten\n2. Nobody reads\n", "steps") == []


def test_prose_that_begins_with_a_heading_word_is_no_section() -> None:
    assert values("Expected the app to open when the user taps on the icon of it.\nResults vary.", "expected") == []


def test_impact_phrases_are_quoted_with_their_sentence_unless_denied() -> None:
    facts = [
        fact
        for fact in read("It is slow. The app crashes on start! This is not a regression.")
        if fact.name == "impact"
    ]
    assert [(fact.value, fact.quote) for fact in facts] == [
        ("slow", "It is slow."),
        ("crashes", "The app crashes on start!"),
    ]


def test_no_quote_holds_a_secret() -> None:
    token = "ghp_" + "a1B2" * 9
    text = f"Steps to reproduce:\n1. export TOKEN={token}\n2. GET /api/v1/x?access_token={token}\nActual: crashes with {token}"
    assert read(text)
    assert all(token not in fact.quote and token not in fact.value for fact in read(text))


def test_of_each_name_and_value_the_first_is_kept_up_to_a_bound() -> None:
    text = " ".join(f"version 1.{i}.0" for i in range(40)) + " version 1.0.0"
    facts = [fact for fact in read(text, summary="fails in version 1.3.0") if fact.name == "version"]
    assert len(facts) == MAX_PER_NAME
    assert facts[0].field == "summary"
    assert len({fact.value for fact in facts}) == MAX_PER_NAME


def test_only_the_given_number_of_characters_is_read() -> None:
    report = Report(id="R-1", summary="", description="x" * 1000 + " version 1.2.3")
    assert extract_facts(report, limit_chars=1000) == []


def test_comparable_gives_what_tells_two_reports_apart() -> None:
    text = f"Crash in 2.4.1 (build 8842) on my iPhone 12, Android 14 and Chrome 120\nPOST /api/Pay/12\n{JAVA}\nexited with code 1"
    assert comparable(read(text)) == {
        "version": {"2.4.1"},
        "build": {"build 8842"},
        "os": {"ios", "android"},
        "os_version": {"android 14"},
        "platform": {"chrome"},
        "endpoint": {"/api/pay/{id}"},
        "exception": {"illegalstateexception"},
        "top_frame": {"com.shop.cart.CartView.add", "com.shop.cart.CartModel.save"},
    }


def test_one_crash_printed_under_two_names_compares_equal() -> None:
    assert comparable(read("EXC_BAD_ACCESS")) == comparable(read("died of SIGSEGV"))


FRAGMENTS = st.sampled_from(
    [
        "Steps:\n",
        "Expected: ",
        "iOS 6.1 ",
        "version ",
        "1.2.3",
        "HTTP 500 ",
        "at a.b.C.m(C.java:1)\n",
        "{code}",
        "GET /api/v1/x ",
        "crash",
        "\n",
        ". ",
        "password=hunter22 ",
        "İ",
        "\x00",
        "é",
        "{html}",
        'File "a.py", line 1, in f\n',
        "java.lang.FooException ",
        "*",
        "#",
    ]
)


@given(st.lists(FRAGMENTS | st.text(max_size=6), max_size=30).map("".join), st.text(max_size=40))
def test_every_quote_stands_where_it_says(description: str, summary: str) -> None:
    report = Report(id="R-1", summary=summary, description=description)
    for fact in extract_facts(report):
        assert getattr(report, fact.field)[fact.start : fact.end] == fact.quote
        assert fact.quote
        assert fact.value


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "\n",
        "1.",
        "a.b.",
        "A_",
        "at a.b(",
        "0x",
        "#1 f() at ",
        "{code}",
        "1. open\n",
        "Steps:\n",
        "iOS ",
        "error ",
        "/api/",
        'File "',
        "f@http://",
        "crash ",
        "*",
        "lost all my ",
        "(",
        "İ",
    ],
)
def test_hostile_text_of_200_kb_is_read_to_its_end(unit: str) -> None:
    text = (unit * (200_000 // len(unit)))[:199_900] + "\nConnect ECONNRESET\n"
    facts = read(text)
    assert any(fact.value == "econnreset" for fact in facts)
    assert len(facts) <= 12 * MAX_PER_NAME


def test_real_reports_give_verbatim_facts(shared_data: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    with (shared_data / "triage" / "titanium-2011-2013.jsonl.zst").open("rb") as file:
        lines = islice(io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8"), 0, 16_000, 40)
        rows = [json.loads(line) for line in lines]
    named: set[str] = set()
    for row in rows:
        report = Report(id=row["id"], summary=row["summary"], description=row["description"])
        for fact in extract_facts(report):
            assert getattr(report, fact.field)[fact.start : fact.end] == fact.quote
            named.add(fact.name)
    assert {
        "version",
        "os",
        "platform",
        "steps",
        "expected",
        "actual",
        "exception",
        "stack_frame",
        "identifier",
        "impact",
    } <= named
