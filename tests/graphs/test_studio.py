"""LangGraph Studio opens the graphs that langgraph.json names, without a saver of ours."""

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_graph_studio_is_told_of_compiles_without_a_saver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_AGENTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QA_AGENTS_EMBEDDER", "none")
    graphs = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    for target in graphs.values():
        path, _, name = target.partition(":")
        module = importlib.import_module(path.removeprefix("./").removesuffix(".py").replace("/", "."))
        compiled = getattr(module, name)()
        assert compiled.checkpointer is None
        assert {"checkpoint", "apply", "gate"} <= set(compiled.get_graph().nodes)
