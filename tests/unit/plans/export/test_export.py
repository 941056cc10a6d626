import csv
import io
import json
from pathlib import Path

import pytest
from gherkin.parser import Parser

from qa_agents.errors import UsageError
from qa_agents.llm.sanitise import spreadsheet_cell as cell
from qa_agents.plans.export import FORMATS, export_plan, exportable, write_plan
from qa_agents.plans.schema import Step, TestPlan
from tests.unit.plans.made import TEXT, case, plan

HOSTILE = '=cmd|"/c calc"!A1 <script>alert(1)</script> [x](javascript:1)\n| Scenario: y'


def hostile() -> TestPlan:
    one = case(
        "TC-x",
        "REQ-amount",
        title=HOSTILE,
        steps=[Step(action=HOSTILE, data=HOSTILE, expected=HOSTILE)],
        tags=[HOSTILE],
    )
    return plan(title=HOSTILE, cases=[one])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_writes_what_waits_for_nobody(name: str, tmp_path: Path) -> None:
    written = export_plan(plan(), name, tmp_path)
    text = "".join(path.read_text("utf-8") for path in written)
    assert "TC-above" in text
    assert "TC-refund" not in text


@pytest.mark.parametrize("name", list(FORMATS))
def test_blocked_cases_are_written_when_asked_for(name: str, tmp_path: Path) -> None:
    assert any("TC-refund" in path.read_text("utf-8") for path in export_plan(plan(), name, tmp_path, blocked=True))


def test_an_answered_question_blocks_nothing() -> None:
    answered = plan().questions[0].model_copy(update={"answer": "24 hours"})
    assert [one.id for one in exportable(plan(questions=[answered]))] == ["TC-above", "TC-refund"]


@pytest.mark.parametrize("made", [plan, hostile])
def test_feature_files_are_read_by_the_official_parser(made: object, tmp_path: Path) -> None:
    plan_ = made()  # type: ignore[operator]
    scenarios = []
    for path in export_plan(plan_, "gherkin", tmp_path, blocked=True):
        feature = Parser().parse(path.read_text("utf-8"))["feature"]
        assert feature is not None
        scenarios += [child["scenario"] for child in feature["children"]]  # type: ignore[typeddict-item]
    assert len(scenarios) == len(plan_.cases)
    tags = {tag["name"] for tag in scenarios[0]["tags"]}
    assert {"@req:REQ-amount", "@tech:boundary2", f"@case:{plan_.cases[0].id}"} <= tags


def test_testrail_has_one_row_a_step_and_the_title_once(tmp_path: Path) -> None:
    two = [Step(action="Enter 500", expected="It is taken."), Step(action="Enter 501", expected="It is refused.")]
    path = export_plan(plan(cases=[case("TC-two", "REQ-amount", steps=two)]), "testrail", tmp_path)[0]
    found = rows(path.read_text("utf-8"))
    assert [row["Title"] for row in found] == ["Case TC-two", ""]
    assert [row["Expected Result"] for row in found] == ["It is taken.", "It is refused."]


def test_xray_takes_no_more_than_a_thousand_tests_a_file(tmp_path: Path) -> None:
    many = [case(f"TC-{number}", "REQ-amount") for number in range(1_001)]
    sizes = [len(json.loads(path.read_text("utf-8"))) for path in export_plan(plan(cases=many), "xray-json", tmp_path)]
    assert sizes == [1_000, 1]


def test_qase_is_one_document_of_suites(tmp_path: Path) -> None:
    document = json.loads(export_plan(plan(), "qase", tmp_path)[0].read_text("utf-8"))
    assert document["suites"][0]["title"] == "Deposits"
    assert document["suites"][0]["cases"][0]["steps"][0]["data"] == "500.01"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert not cell(text).startswith(("=", "+", "-", "@", "\r")) or cell(text).startswith("'")


def test_what_people_read_is_written_and_hostile_text_stays_text(tmp_path: Path) -> None:
    written = {path.name: path.read_text("utf-8") for path in write_plan(hostile(), tmp_path, texts={"SRC-1": TEXT})}
    assert set(written) == {"plan.json", "plan.md", "gaps.md", "traceability.csv", "plan.html"}
    assert "<script>" not in written["plan.html"]
    assert "<script>" not in written["plan.md"]
    assert TestPlan.model_validate_json(written["plan.json"]) == hostile()


def test_the_page_marks_each_quote_in_the_specification(tmp_path: Path) -> None:
    write_plan(plan(), tmp_path, texts={"SRC-1": TEXT})
    page = (tmp_path / "plan.html").read_text("utf-8")
    assert '<mark id="q-REQ-amount"><a href="#REQ-amount">The deposit must be between 5 and 500 EUR.</a></mark>' in page


def test_the_traceability_table_names_requirements_without_a_case(tmp_path: Path) -> None:
    write_plan(plan(), tmp_path, texts={})
    found = {row["requirement"]: row for row in rows((tmp_path / "traceability.csv").read_text("utf-8"))}
    assert found["REQ-amount"]["case"] == "TC-above"
    assert found["REQ-cards"]["case title"] == "not tested: out_of_scope"


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no format nonsense"):
        export_plan(plan(), "nonsense", Path())
