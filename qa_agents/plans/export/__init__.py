"""A plan as files: what people read, what test-management systems import, what a test runner runs."""

from collections.abc import Callable, Mapping
from pathlib import Path

from qa_agents.errors import InvalidInputError, UsageError
from qa_agents.plans.export import documents, gherkin, management, page, pytest_modules
from qa_agents.plans.schema import TestCase, TestPlan

Files = Mapping[str, str]
"""File name to text."""
Writer = Callable[[TestPlan], Files]

FORMATS: dict[str, Writer] = {
    "gherkin": gherkin.features,
    "testrail": management.testrail,
    "xray-csv": management.xray_csv,
    "xray-json": management.xray_json,
    "zephyr": management.zephyr,
    "qase": management.qase,
    "csv": management.plain_csv,
    "pytest": pytest_modules.modules,
}
"""Every format by the name a user gives it."""


def export_plan(plan: TestPlan, to: str, out: Path, *, blocked: bool = False) -> list[Path]:
    """Write the plan's cases in one format, or in each (`all`), into the folder `out`; the files written.

    Cases that wait for an unanswered question, or whose requirement is gone, are left out unless `blocked`. Raises UsageError
    for an unknown format, InvalidInputError for a folder that cannot be written.
    """
    if to != "all" and to not in FORMATS:
        raise UsageError(f"There is no format {to}.", hint=f"Known are {', '.join(FORMATS)} and all.")
    ready = plan if blocked else plan.model_copy(update={"cases": exportable(plan)})
    files: dict[str, str] = {}
    for name in FORMATS if to == "all" else (to,):
        files.update(FORMATS[name](ready))
    return _write(files, out)


def write_plan(plan: TestPlan, out: Path, *, texts: Mapping[str, str]) -> list[Path]:
    """Write what people read: plan.md, plan.json, plan.html, traceability and gaps. Raises InvalidInputError.

    `texts` gives each source's text as it was read, by source id.
    """
    files = {
        "plan.json": plan.model_dump_json(indent=1) + "\n",
        **documents.markdown(plan),
        **documents.tables(plan),
        **page.html(plan, texts),
    }
    return _write(files, out)


def exportable(plan: TestPlan) -> list[TestCase]:
    """The cases that wait for nobody: no open question, no requirement that is gone."""
    open_ = {question.id for question in plan.questions if question.answer is None}
    orphans = set(plan.changes.orphaned) if plan.changes else set()
    return [case for case in plan.cases if not open_.intersection(case.question_ids) and case.id not in orphans]


def _write(files: Files, out: Path) -> list[Path]:
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = out / name
            path.write_text(text, encoding="utf-8", newline="")
            written.append(path)
    except OSError as error:
        raise InvalidInputError(f"{out} cannot be written ({error.strerror}).", hint="Choose another --out.") from None
    return written
