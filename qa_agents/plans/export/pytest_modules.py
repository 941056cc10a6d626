"""pytest modules: requests that run for an API description, skeletons with the steps for everything else."""

import json
import keyword
import pprint
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from qa_agents.plans.export import api_structure
from qa_agents.plans.schema import Requirement, TestCase, TestPlan
from qa_agents.settings import resource_dir

_WORD = re.compile(r"[^a-z0-9]+")
SUPPORT = ("api_support.py", "api_state.py")
"""Files that speak to the API under test; copied beside the generated tests."""
_CONFTEST = '''"""Markers of the generated tests, and the API they speak to."""

import pytest
{imports}

def pytest_configure(config: pytest.Config) -> None:
    for name in ("req", "tech", "risk"):
        config.addinivalue_line("markers", f"{{name}}: where the generated case comes from")
'''


def modules(plan: TestPlan) -> dict[str, str]:
    """File name to text: runnable tests for cases that are requests, skipped skeletons for the others."""
    requests = [case for case in plan.cases if case.request]
    others = [case for case in plan.cases if not case.request]
    files: dict[str, str] = {}
    if requests:
        described = api_structure.described(plan.requirements)
        files["operations.json"] = json.dumps(described, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        folder = resource_dir("prompts") / "exports" / "pytest"
        files.update({name: (folder / name).read_text("utf-8") for name in SUPPORT})
        files.update(_request_modules(plan, requests))
        files["test_state.py"] = _state_module(plan, described["operations"])
    files.update(_skeletons(plan, others))
    imports = "\nfrom api_support import api, client  # noqa: F401\n" if requests else ""
    files["conftest.py"] = _CONFTEST.format(imports=imports)
    return files


def _request_modules(plan: TestPlan, cases: Iterable[TestCase]) -> dict[str, str]:
    by_id = {requirement.id: requirement for requirement in plan.requirements}
    grouped: dict[str, list[TestCase]] = defaultdict(list)
    for case in cases:
        heading = next((by_id[one].heading_path[-1] for one in case.requirement_ids if _headed(by_id.get(one))), "api")
        grouped[f"test_{_identifier(heading)}.py"].append(case)
    return {
        name: f'"""Requests drafted from {plan.id}."""\n\nimport pytest\n' + "".join(map(_request_test, own))
        for name, own in grouped.items()
    }


def _headed(requirement: Requirement | None) -> bool:
    return requirement is not None and bool(requirement.heading_path)


def _request_test(case: TestCase) -> str:
    request = case.request
    names = ("path_params", "query", "headers", "auth", "body", "raw_body", "content_type")
    given: list[str] = []
    for name in names:
        value = request.get(name)
        if value in (None, {}) and not (name == "body" and "body" in request):
            continue
        if (name, value) in (("auth", "none"), ("content_type", "application/json")):
            continue
        given.append(f"        {name}={_literal(value)},\n")
    if case.polarity != "positive" and "body" in request:
        given.append("        unique=False,\n")
    statuses = [int(code) for code in request.get("expected_status", [])]
    expected = ", ".join(map(str, statuses))
    schema = api_structure.schema_name(request, statuses)
    named = f", schema={schema!r}" if schema else ""
    call = (
        f"    answer = api.send(\n        {request['method']!r},\n        {request['path']!r},\n{''.join(given)}    )\n"
    )
    return f"\n\n{_marks(case)}def test_{_function(case)}(api):\n{_docstring(case)}{call}    answer.expect({expected}{named})\n"


def _state_module(plan: TestPlan, operations: list[dict[str, Any]]) -> str:
    text = f'"""What must hold across requests, drafted from the operations of {plan.id}."""\n\nimport api_state\n'
    for check in api_structure.checks(operations):
        arguments = ", ".join(["api", *map(repr, check.arguments)])
        text += f'\n\ndef test_{_identifier(check.title)}(api):\n    """{check.title}."""\n'
        text += f"    api_state.{check.function}({arguments})\n"
    return text


def _skeletons(plan: TestPlan, cases: list[TestCase]) -> dict[str, str]:
    if not cases:
        return {}
    title = f"Cases drafted from {plan.id}, to be automated: each names its steps and what must be observed."
    body = f'"""{title}"""\n\nimport pytest\n'
    for case in cases:
        lines = [f"    # given {_comment(text)}\n" for text in case.preconditions]
        for number, step in enumerate(case.steps, start=1):
            data = f" [{_comment(step.data)}]" if step.data else ""
            lines.append(f"    # {number}. {_comment(step.action)}{data}\n    #    expect: {_comment(step.expected)}\n")
        body += (
            f"\n\n{_marks(case)}def test_{_function(case)}():\n{_docstring(case)}{''.join(lines)}"
            '    pytest.skip("to be automated")\n'
        )
    return {"test_cases.py": body}


def _marks(case: TestCase) -> str:
    marks = [f"@pytest.mark.req({one!r})\n" for one in case.requirement_ids]
    return "".join([*marks, f"@pytest.mark.tech({case.technique!r})\n", f"@pytest.mark.risk({case.priority!r})\n"])


def _docstring(case: TestCase) -> str:
    said = f"{case.id}: {case.title}".replace("\\", "/").replace('"""', "'''")
    return f'    """{" ".join(said.split()).rstrip(chr(34))}"""\n'


def _function(case: TestCase) -> str:
    return f"{_identifier(case.title)[:70]}_{_identifier(case.id)[-8:]}"


def _identifier(text: str) -> str:
    name = _WORD.sub("_", text.casefold()).strip("_") or "case"
    return f"{name}_" if keyword.iskeyword(name) else name


def _comment(text: str) -> str:
    return " ".join(text.split())


def _literal(value: Any) -> str:
    """The value as Python; long texts shortened to an expression that makes them."""
    if isinstance(value, str) and len(value) > 200 and len(set(value)) == 1:
        return f"{value[0]!r} * {len(value)}"
    shown = pprint.pformat(value, width=100, sort_dicts=False)
    return shown.replace("\n", "\n        ")
