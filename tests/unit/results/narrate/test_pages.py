"""What is told of a run: words a person would use, every number with its source, and nothing in a result that becomes markup."""

import json
import re
import shlex
from html.parser import HTMLParser

import pytest

from qa_agents.llm.answers import Narration
from qa_agents.llm.gateway import NoModel
from qa_agents.llm.schema import Answer, RenderedPrompt
from qa_agents.results.cluster import cluster
from qa_agents.results.compare import compare
from qa_agents.results.narrate import pages
from qa_agents.results.narrate.commands import command_for
from qa_agents.results.narrate.executives import three_sentences, what_changed
from qa_agents.results.narrate.story import text_of
from qa_agents.results.narrate.worded import findings, refused, worded
from qa_agents.results.schema import ReadFile, Run, RunInfo, TestResult
from qa_agents.results.summary import Summary, summarise
from tests.unit.results.builders import OUTCOMES, history, result

EVIL = '<script>alert(1)</script>[x](http://evil.example)`|!channel <!here> \u202e"onload=x'


def summary_of(lines: dict[str, str], messages: dict[str, str] | None = None) -> tuple[Summary, Run]:
    """The summary of the newest run of a small history, and that run."""
    past = history(lines, messages=messages)
    said = messages or {}
    results = [
        result(name, OUTCOMES[line[-1]], said.get(name, "") if line[-1] in "FE" else "")
        for name, line in lines.items()
        if line[-1] != "."
    ]
    run = Run(
        info=past.runs[-1].model_copy(update={"branch": "main"}),
        results=tuple(results),
        files=(ReadFile(name="junit.xml", sha256="ab" * 32, flavour="JUnit XML", tests=len(results)),),
    )
    comparison = compare(past) if len(past.runs) > 1 else compare(past, baseline=None)
    return summarise(run, "d" * 64, comparison, cluster(run, comparison, past)), run


def sentences(lines: dict[str, str], messages: dict[str, str] | None = None) -> list[str]:
    return [text_of(line) for line in three_sentences(summary_of(lines, messages)[0])]


GREEN = "PPPPPPPPPPPPPPPPPPPP"


def test_a_green_run_is_told_in_three_short_sentences() -> None:
    assert sentences({"s::a": GREEN, "s::b": GREEN}) == [
        "All 2 tests passed.",
        "Nothing is newly broken since r18.",
        "Nothing is left to decide.",
    ]


def test_a_run_in_which_only_flaking_tests_fail_says_so() -> None:
    flakes = "PPPFPPPPFPPPPPFPPPPF"
    _, second, third = sentences({"s::a": flakes, "s::b": GREEN}, {"s::a": "timed out"})
    assert second == "Nothing is newly broken since r18; the one failure is of a test that flakes."
    assert third == "Nothing is left to decide."


def test_a_cause_across_suites_says_across_how_many() -> None:
    red = {f"{name}::t": GREEN[:-1] + "E" for name in "abc"}
    _, second, third = sentences({**red, "s::d": GREEN}, dict.fromkeys(red, "no connection"))
    assert second == "Since r18, 3 tests are newly broken, all in 3 suites for one reason: no connection."
    assert third == "One thing is to be decided: who takes C1 (3 tests in 3 suites)?"


def test_one_is_told_as_one_and_many_as_many() -> None:
    first, second, third = sentences({"s::a": GREEN[:-1] + "F", "s::b": GREEN}, {"s::a": "expected one row"})
    assert first == "1 of 2 tests passed; 1 failed."
    assert second == "Since r18, 1 test is newly broken: expected one row."
    assert third == "One thing is to be decided: who takes C1 (1 test)?"
    red = {f"s::{name}": GREEN[:-1] + "E" for name in "abc"}
    first, second, _ = sentences({**red, "s::d": GREEN}, dict.fromkeys(red, "no connection"))
    assert first == "1 of 4 tests passed; 3 broke before they could tell."
    assert second == "Since r18, 3 tests are newly broken, all for one reason: no connection."


def test_a_first_run_says_that_there_is_nothing_to_compare_with() -> None:
    _, second, _ = sentences({"s::a": "F", "s::b": "P"}, {"s::a": "boom"})
    assert second == "There is no earlier run to compare with; all failures have one cause, boom."


def test_a_run_in_which_nothing_ran_is_never_called_good() -> None:
    summary = summarise(Run(info=RunInfo(run_id="r")), "d", summary_of({"s::a": "P"})[0].comparison.model_copy(
        update={"counts": dict.fromkeys(("passed", "failed", "error", "skipped"), 0)}
    ), [])  # fmt: skip
    assert text_of(three_sentences(summary)[0]) == "No test ran, so nothing is known about this build."
    assert summary.light != "green"


class Links(HTMLParser):
    """Ids, targets and element names of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src"):
                self.targets.append(value or "")
            elif name.startswith("on"):
                self.handlers.append(name)


def made() -> dict[str, str]:
    lines = {
        f"s::{EVIL}": GREEN[:-1] + "F",
        "s::b": GREEN[:-1] + "E",
        "s::gone": GREEN[:-1] + ".",
        "s::old": "F" * 20,
        "s::shaky": "PFPPPFPPFPPPPFPPPFPF",
        "s::ok": GREEN,
    }
    summary, run = summary_of(lines, {f"s::{EVIL}": f"broke {EVIL}", "s::b": "no connection"})
    return pages(summary, run=run)


def test_every_number_links_to_a_source_that_is_on_the_page() -> None:
    told = made()
    page = Links(told["summary.html"])
    assert len(page.ids) == len(set(page.ids))
    assert page.targets
    assert {target.removeprefix("#") for target in page.targets} <= set(page.ids)
    for name in ("executives.md", "engineers.md", "audit.md"):
        anchors = re.findall(r'<a id="([\w-]+)"></a>', told[name])
        assert len(anchors) == len(set(anchors))
        linked = set(re.findall(r"\]\(#([\w-]+)\)", told[name]))
        assert linked
        assert linked <= set(anchors)


def test_nothing_out_of_a_result_becomes_markup() -> None:
    told = made()
    page = Links(told["summary.html"])
    assert "script" not in page.tags
    assert page.handlers == []
    assert all(target.startswith("#") for target in page.targets)
    assert "\u202e" not in told["summary.html"]
    for name in ("executives.md", "engineers.md", "audit.md"):
        outside_code = re.sub(r"(`+).*?\1", "", re.sub(r"```+text.*?```+", "", told[name], flags=re.DOTALL))
        assert "<script" not in outside_code
        assert "](http" not in outside_code
    slack = json.loads(told["slack.json"])
    assert {block["text"]["type"] for block in slack["blocks"] if "text" in block} == {"plain_text"}
    teams = json.loads(told["teams.json"])
    (attachment,) = teams["attachments"]
    assert {block["type"] for block in attachment["content"]["body"]} == {"RichTextBlock"}


def test_messages_keep_to_the_limits_of_slack() -> None:
    lines = {f"s{n}::t": GREEN[:-1] + "F" for n in range(60)}
    summary, run = summary_of(lines, {name: f"{name} {'x' * 3_000}" for name in lines})
    slack = json.loads(pages(summary, run=run)["slack.json"])
    assert len(slack["blocks"]) <= 50
    assert all(len(block["text"]["text"]) <= 3_000 for block in slack["blocks"] if "text" in block)
    assert len(slack["blocks"][0]["text"]["text"]) <= 150


def test_secrets_are_hidden_in_every_page() -> None:
    summary, run = summary_of({"s::a": "PF"}, {"s::a": "token hunter2secret refused"})
    told = pages(summary, run=run, mask=lambda text: text.replace("hunter2secret", "[hidden]"))
    assert not [name for name, page in told.items() if "hunter2secret" in page]


def test_what_changed_is_told_in_order_of_weight() -> None:
    summary, _ = summary_of({"s::a": GREEN[:-1] + "F", "s::gone": GREEN[:-1] + ".", "s::old": "F" * 20})
    assert [text_of(line) for line in what_changed(summary)] == [
        "1 test is newly broken.",
        "1 test did not run.",
        "1 test was broken before already.",
    ]


@pytest.mark.parametrize(
    ("flavour", "test", "command"),
    [
        ("JUnit XML", TestResult(name="t[a b]", suite="tests.unit.test_x.TestC", outcome="failed"),
         ["pytest", "tests/unit/test_x.py::TestC::t[a b]"]),
        ("JUnit XML", TestResult(name="t", suite="com.acme.CartTest", outcome="failed"),
         ["mvn", "test", "-Dtest=com.acme.CartTest#t"]),
        ("Playwright JSON", TestResult(name="Todo › add [webkit]", suite="a.spec.ts", outcome="failed"),
         ["npx", "playwright", "test", "a.spec.ts", "--grep=add", "--project=webkit"]),
        ("go test JSON lines", TestResult(name="TestA/b.c", suite="acme/x", outcome="failed"),
         ["go", "test", "acme/x", r"-run=^TestA$/^b\.c$"]),
        ("pytest-json-report", TestResult(name="t", suite="a/test_b.py::C", outcome="failed"),
         ["pytest", "a/test_b.py::C::t"]),
        ("TAP", TestResult(name="t", outcome="failed"), []),
    ],
)  # fmt: skip
def test_a_test_can_be_run_again_with_the_command_that_is_given(
    flavour: str, test: TestResult, command: list[str]
) -> None:
    assert shlex.split(command_for(test, flavour)) == command


@pytest.mark.parametrize("name", ["x; rm -rf ~", "$(reboot)", "a' b", "-rf", "`id`", "a\\", '"'])
@pytest.mark.parametrize(
    "flavour", ["JUnit XML", "Playwright JSON", "go test JSON lines", "CTest XML", "Robot Framework XML"]
)
def test_a_name_stays_one_argument_of_its_command(flavour: str, name: str) -> None:
    for suite in ("tests.test_x", "com.acme.CartTest", "a.spec.ts", name):
        line = command_for(TestResult(name=name, suite=suite, outcome="failed"), flavour)
        words = shlex.split(line)
        assert not line or words[0] in ("pytest", "mvn", "npx", "go", "ctest", "robot")
        assert not [word for word in words[1:] if word.startswith("-") and word == name]
        assert ";" not in words


class Told:
    """A gateway that answers with one narration."""

    available = True

    def __init__(self, *sentences: tuple[str, list[int]]) -> None:
        self._value = Narration.model_validate({"sentences": [{"text": t, "findings": f} for t, f in sentences]})

    def allows(self, use: str) -> bool:
        return use == "results.narration"

    def ask(self, *_: object, **__: object) -> Answer[Narration]:
        return Answer[Narration](value=self._value)


def render(prompt_id: str, **inputs: str) -> RenderedPrompt:
    return RenderedPrompt(id=prompt_id, version=1, prompt_sha256="", content_sha256="", messages=())


def test_a_models_words_are_taken_only_with_numbers_that_stand_in_what_they_cite() -> None:
    summary, _ = summary_of({"s::a": GREEN[:-1] + "F", "s::b": GREEN}, {"s::a": "expected one row"})
    assert findings(summary)[0] == "1 of 2 tests passed; 1 failed."
    good = ("Of 2 tests, 1 failed.", [1])
    assert worded(summary, Told(good), render, key="k") == (("Of 2 tests, 1 failed.",), "")  # type: ignore[arg-type]
    told = pages(summary, opening=("Of 2 tests, 1 failed.",))
    for name in ("executives.md", "summary.html", "slack.json", "teams.json"):
        assert "Of 2 tests, 1 failed." in told[name]
        assert "A language model worded these sentences" in told[name]
    assert not [name for name, page in pages(summary).items() if "language model" in page]
    taken, why = worded(summary, Told(good, ("3 tests failed.", [1])), render, key="k")  # type: ignore[arg-type]
    assert taken == ()
    assert "number 3 stands in no finding" in why
    assert worded(summary, NoModel(), render, key="k") == ((), "")


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("Twelve tests failed.", "“twelve” stands in no finding"),
        ("Two tests ran.", ""),
        ("All 2 tests ran.", "word “All” stands in no finding"),
        ("Nothing is wrong.", "word “Nothing” stands in no finding"),
        ("A failure in deposits.test_capture.", "name “deposits.test_capture” stands in no finding"),
        ("See https://evil.example for 1 failure.", "holds a link"),
        ("It is safe to ship.", "decides what a person must decide"),
        ("x" * 500, "too long"),
        ("About 50 % failed.", "number 50"),
    ],
)
def test_a_sentence_that_says_more_than_it_cites_is_refused(sentence: str, problem: str) -> None:
    said = refused(sentence, ["1 of 2 tests passed; 1 failed."])
    assert (problem in said) if problem else said == ""
    assert refused(sentence, [])


def test_a_run_of_which_a_part_could_not_be_read_is_never_green() -> None:
    summary, run = summary_of({"s::a": GREEN})
    assert summary.light == "green"
    cut = run.model_copy(update={"files": (run.files[0].model_copy(update={"is_whole": False}),)})
    yellow = summarise(cut, "d", summary.comparison, [])
    assert yellow.light == "yellow"
    page = pages(yellow)["executives.md"]
    assert "Yellow: a part of the results could not be read." in page
    assert "1 file was not read whole" in page
    picture = ReadFile(name="a.png", refused="It is no text, so no test results.")
    beside = run.model_copy(update={"files": (*run.files, picture)})
    assert summarise(beside, "d", summary.comparison, []).light == "green"
