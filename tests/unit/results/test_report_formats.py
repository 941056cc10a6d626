"""What other programs read: hostile names stay names, and nothing that flakes fails a build."""

import json
import re
from xml.etree import ElementTree

import jsonschema
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


def _object(required: dict[str, object], **optional: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(of: dict[str, object], least: int = 0) -> dict[str, object]:
    return {"type": "array", "items": of, "minItems": least, "uniqueItems": least > 0}


STRING = {"type": "string", "minLength": 1}
URI = {"type": "string", "pattern": r"^(?!/)(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._~!$&'()*+,;=@%/-]+$"}
MESSAGE = _object({"text": STRING})
LOCATION = _object(
    {"physicalLocation": _object(
        {"artifactLocation": _object({"uri": URI}, uriBaseId=STRING),
         "region": _object({"startLine": {"type": "integer", "minimum": 1}})})},
    logicalLocations=_list(_object({"fullyQualifiedName": STRING}, kind=STRING), 1),
)  # fmt: skip
RULE = _object({"id": STRING, "shortDescription": MESSAGE, "fullDescription": MESSAGE, "help": MESSAGE})
RESULT = _object(
    {"ruleId": STRING, "message": MESSAGE, "locations": _list(LOCATION, 1)},
    level={"enum": ["none", "note", "warning", "error"]},
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]},
    partialFingerprints={"type": "object", "additionalProperties": STRING},
)
SARIF = _object(
    {"version": {"const": "2.1.0"},
     "runs": _list(_object(
        {"tool": _object({"driver": _object({"name": STRING}, version=STRING, rules=_list(RULE, 1))}),
         "results": _list(RESULT)},
        automationDetails=_object({"id": STRING})))},
    **{"$schema": {"type": "string", "format": "uri"}},
)  # fmt: skip
"""The objects that are written, by SARIF 2.1.0 (3.13 to 3.49): members, those that must be there, and their values. That every
result lies in a file and every rule is described three times is what GitHub asks for."""


def test_sarif_is_what_the_standard_and_github_ask_for(told: tuple[Summary, Run]) -> None:
    log = json.loads(json.dumps(sarif(*told)))
    jsonschema.Draft202012Validator.check_schema(SARIF)
    jsonschema.validate(log, SARIF)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(log | {"version": "2.0"}, SARIF)


@pytest.mark.parametrize("suite", ["", "a b/c", "../../etc", "/abs", "C:\\x", "http://evil", "ü", "."])
def test_a_result_without_a_file_lies_at_its_suite_whatever_that_is_called(suite: str) -> None:
    now = run("r0", result(f"{suite}::t", "failed", "boom") if suite else result("t", "failed", "boom"))
    history = history_of([now])
    found = compare(history)
    log = json.loads(json.dumps(sarif(summarise(now, "0" * 64, found, cluster(now, found, history)), now)))
    jsonschema.validate(log, SARIF)


def test_annotations_come_back_as_they_were_written(told: tuple[Summary, Run]) -> None:
    """GitHub's runner takes properties apart at the first `::` and at commas, then undoes the escapes, the percent sign last."""
    reasons = {change.test_id: change.why for change in told[0].comparison.changes}
    for line in github(*told).splitlines():
        head, _, data = line.removeprefix("::error ").partition("::")
        properties = dict(part.partition("=")[::2] for part in head.split(","))
        title = properties["title"]
        for written, meant in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            title = title.replace(written, meant)
            data = data.replace(written, meant) if meant not in ":," else data
        name = title.removeprefix("new: ")
        assert name in reasons
        assert data.startswith(reasons[name])


def test_junit_out_is_read_again_and_fails_only_for_what_is_new(
    told: tuple[Summary, Run], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = junit(told[0])
    root = ElementTree.fromstring(text)
    assert root.get("failures") == "2"
    path = tmp_path_factory.mktemp("out") / "out.xml"
    path.write_text(text)
    read = read_run([str(path)])
    outcomes = [one.outcome for one in read.results]
    assert outcomes.count("failed") == 2
    assert outcomes.count("skipped") == 2
    assert read.files[0].is_whole
    assert {"a::broke", "a::flakes", "a::gone"} <= {one.test_id for one in read.results}
    assert {one.message for one in read.results if one.name == "broke"} == {"KeyError: 1"}
