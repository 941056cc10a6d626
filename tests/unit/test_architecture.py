"""The rooms and the direction of imports between them, read from the source itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "qa_agents"
MODULES = sorted(ROOT.rglob("*.py"))
MAX_LINES = 600

BASE = {"errors", "settings", "moments", "plurals", "egress"}
LOW = BASE | {"storage"}
ALLOWED = {
    "errors": set(),
    "settings": {"errors"},
    "moments": {"errors"},
    "plurals": set(),
    "egress": {"errors", "settings"},
    "storage": BASE,
    "incidents": LOW,
    "llm": LOW,
    "trackers": LOW,
    "checkpoint": LOW,
    "runtime": LOW | {"incidents", "llm", "trackers", "checkpoint"},
    "triage": LOW | {"incidents", "llm", "trackers", "checkpoint"},
    "plans": LOW | {"incidents", "llm", "trackers", "checkpoint"},
    "results": LOW | {"incidents", "llm", "trackers", "checkpoint"},
    "library": BASE | {"llm"},
    "testing": LOW | {"incidents", "trackers"},
    "wiring": LOW | {"incidents", "llm", "trackers", "checkpoint", "runtime", "triage", "plans", "results"},
    "operations": LOW | {"incidents", "trackers", "checkpoint", "runtime", "triage", "plans", "wiring"},
    "planning": LOW | {"incidents", "checkpoint", "runtime", "plans", "wiring", "operations"},
    "certifying": LOW | {"checkpoint", "results", "summarizing", "wiring"},
    "summarizing": LOW | {"incidents", "checkpoint", "runtime", "results", "wiring"},
    "assistant": LOW
    | {"incidents", "llm", "trackers", "checkpoint", "runtime", "triage", "plans", "results"}
    | {"wiring", "operations", "planning", "summarizing"},
    "advising": BASE | {"llm", "plans", "planning", "wiring"},
    "diagnosis": BASE | {"checkpoint", "wiring"},
    "listening": LOW | {"incidents", "runtime", "operations", "wiring"},
    "jira_history": LOW | {"incidents", "trackers", "runtime", "operations", "listening", "wiring"},
    "service": LOW
    | {"trackers", "checkpoint", "runtime", "triage", "plans", "results"}
    | {"wiring", "operations", "planning", "summarizing", "listening"},
    "studio": {"settings", "wiring", "triage"},
    "cli": {
        "advising",
        "assistant",
        "errors",
        "settings",
        "moments",
        "plurals",
        "llm",
        "runtime",
        "wiring",
        "operations",
        "diagnosis",
        "checkpoint",
        "incidents",
        "trackers",
        "triage",
        "plans",
        "results",
        "library",
        "planning",
        "summarizing",
        "certifying",
        "listening",
        "jira_history",
        "service",
    },
}
"""Room to the rooms it may import; a room may import itself, and everyone the package's version."""

HEAVY = {
    "langgraph",
    "langchain_core",
    "langchain_openai",
    "openai",
    "chromadb",
    "jira",
    "onnxruntime",
    "tokenizers",
    "scipy",
    "sklearn",
    "lightgbm",
    "fastapi",
    "starlette",
    "uvicorn",
    "jinja2",
    "authlib",
    "joserfc",
}


def room_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, node.lineno))
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_stands_below_it(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for name, line in imports_of(parsed(path)):
        if not name.startswith("qa_agents."):
            continue
        imported = name.split(".")[1]
        assert imported == room or imported in ALLOWED[room], f"{path}:{line}: {room} must not import {imported}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_heavy_is_imported_at_module_level(path: Path) -> None:
    for node in parsed(path).body:
        for name, line in imports_of(node) if isinstance(node, ast.Import | ast.ImportFrom) else ():
            assert name.split(".")[0] not in HEAVY, f"{path}:{line}: import {name} inside the function that needs it"


@pytest.mark.parametrize("name", ["schema.py", "gate.py", "policy.py"])
def test_shapes_and_rules_need_no_third_party_but_pydantic(name: str) -> None:
    import sys

    for path in (module for module in MODULES if module.name == name and room_of(module) != "cli"):
        for imported, line in imports_of(parsed(path)):
            top = imported.split(".")[0]
            assert top in {"pydantic", "qa_agents"} or top in sys.stdlib_module_names, f"{path}:{line}: {imported}"


def test_the_graph_is_interrupted_in_one_place_only_and_nothing_swallows_it() -> None:
    callers = [
        str(path.relative_to(ROOT))
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "interrupt"
    ]
    assert callers == ["checkpoint/node.py"]
    assert not [n for n in ast.walk(parsed(ROOT / "checkpoint" / "node.py")) if isinstance(n, ast.Try)]


def test_the_environment_is_read_in_settings_only() -> None:
    for path in MODULES:
        if path.name == "settings.py":
            continue
        for node in ast.walk(parsed(path)):
            is_environ = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
            assert not is_environ, f"{path}:{node.lineno}: read it in settings.py"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_grows_beyond_reading(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_and_public_name_says_what_it_is(path: Path) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}:{node.lineno}: {node.name} has no docstring"
