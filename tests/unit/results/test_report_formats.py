"""What other programs read: hostile names stay names, and nothing that flakes fails a build."""

import json
import re
from xml.etree import ElementTree

import pytest

from qa_agents.results.cluster import cluster
from qa_agents.results.compare import compare
from qa_agents.results.history import history_of
from qa_agents.results.read import read_run
from qa_agents.results.report_formats.annotations import github, gitlab, places
from qa_agents.results.report_formats.job_summary import code, job_summary, plain
from qa_agents.results.report_formats.junit import junit
from qa_agents.results.report_formats.sarif import sarif
from qa_agents.results.schema import Run
from qa_agents.results.summary import Summary, summarise
from tests.unit.results.builders import result, run

EVIL = "x`](http://evil)<script>|\n::error file=a::pwned %0A \x1b[31m\x00 & ]]> \"'"
TRACE = 'File "/usr/lib/python3/unittest.py", line 3, in run\n  File "src/orders.py", line 12, in place\nKeyError: 1'


@pytest.fixture
def told() -> tuple[Summary, Run]:
    names = ["a::broke", "a::flakes", f"a::{EVIL}", "a::gone"]
    past = [
        run(
            f"r{at}",
            *(result(name, "failed" if name == "a::flakes" and at % 4 == 0 else "passed", "slow") for name in names),
            commit=f"{at:040x}",
        )
        for at in range(20)
    ]
    now = run(
        "r20",
        result("a::broke", "failed", "KeyError: 1", details=TRACE),
        result("a::flakes", "failed", "slow"),
        result(f"a::{EVIL}", "error", EVIL),
    )
    history = history_of([*past, now])
    found = compare(history)
    return summarise(now, "0" * 64, found, cluster(now, found, history)), now


def test_the_job_summary_names_what_broke_and_folds_what_flakes(told: tuple[Summary, Run]) -> None:
    text = job_summary(told[0])
    assert "### Newly broken" in text
    assert "`a::broke`" in text
    assert text.index("### Newly broken") < text.index("Flaking")
    assert "`a::gone`" in text


def test_nothing_of_a_name_becomes_markup(told: tuple[Summary, Run]) -> None:
    outside = re.sub(r"(`+).+?\1", "", job_summary(told[0]))
    assert "<script" not in outside
    assert "](http" not in outside


@pytest.mark.parametrize("text", ["`", "``a`", "a``b", EVIL, "", "`" * 50])
def test_a_code_span_cannot_be_left(text: str) -> None:
    found = code(text)
    fence = re.match(r"`+", found)
    if fence:
        inner = found[len(fence[0]) : -len(fence[0])]
        assert all(len(ticks) < len(fence[0]) for ticks in re.findall(r"`+", inner))
    assert "\n" not in found


def test_plain_text_is_inert() -> None:
    assert plain("<b>*x* [y](http://z)") == "&lt;b&gt;\\*x\\* \\[y\\]\\(http:\\//z\\)"


def test_a_workflow_command_is_one_line_whatever_the_name(told: tuple[Summary, Run]) -> None:
    lines = github(*told).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("::error ") for line in lines)
    assert any("file=src/orders.py,line=12" in line for line in lines)
    assert not any(line.startswith("::error file=a::") for line in lines)


def test_only_paths_of_the_repository_are_annotated() -> None:
    absolute = run("r", result("t", "failed", "x", details='File "/etc/passwd", line 1, in x'))
    upwards = run("r", result("t", "failed", "x", file="../../secret.py", line=3))
    assert places(absolute) == {}
    assert places(upwards) == {}
    assert places(run("r", result("t", "failed", "x", file="tests/a.py", line=3))) == {"t": ("tests/a.py", 3)}


def test_the_code_quality_report_has_what_gitlab_requires(told: tuple[Summary, Run]) -> None:
    found = gitlab(*told)
    assert len({one["fingerprint"] for one in found}) == len(found) == 2
    for one in found:
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert one["location"]["path"]
        assert one["location"]["lines"]["begin"] >= 1


def test_sarif_has_one_result_per_cause_and_none_for_flakes(told: tuple[Summary, Run]) -> None:
    log = json.loads(json.dumps(sarif(*told)))
    results = log["runs"][0]["results"]
    assert log["version"] == "2.1.0"
    assert [one["level"] for one in results] == ["error", "error"]
    rules = {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in results} <= rules
    placed = [one["locations"][0].get("physicalLocation") for one in results]
    assert any(place and place["artifactLocation"]["uri"] == "src/orders.py" for place in placed)


def test_junit_out_is_read_again_and_fails_only_for_what_is_new(
    told: tuple[Summary, Run], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = junit(told[0])
    root = ElementTree.fromstring(text)
    assert root.get("failures") == "2"
    path = tmp_path_factory.mktemp("out") / "out.xml"
    path.write_text(text)
    outcomes = [one.outcome for one in read_run([str(path)]).results]
    assert outcomes.count("failed") == 2
    assert outcomes.count("skipped") == 2
