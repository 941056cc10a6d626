"""The built wheel, installed elsewhere, brings everything it needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_contains_prompts_examples_and_rules(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("qa_agents/_prompts/") for name in names)
    assert "qa_agents/_examples/incidents.jsonl" in names
    assert "qa_agents/triage/severity/rubric.toml" in names
    assert "qa_agents/triage/ranking/shipped.npz" in names
    assert not [name for name in names if name.startswith(("tests/", "evals/"))]


def test_the_installed_wheel_runs_the_demo_elsewhere(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True)
    probe = (
        "import qa_agents, sys; from qa_agents.triage.ranking.weights import shipped; "
        "sys.exit(0 if qa_agents.__file__.startswith(sys.argv[1]) and shipped() else 1)"
    )
    environment = {
        "PYTHONPATH": str(site),
        "PATH": "/usr/bin:/bin",
        "QA_AGENTS_EMBEDDER": "none",
        "HOME": str(tmp_path),
    }
    here = tmp_path / "elsewhere"
    here.mkdir()
    subprocess.run([sys.executable, "-c", probe, str(site)], cwd=here, env=environment, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "qa_agents", "demo"],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "review approve rv-" in done.stdout
    assert (here / ".qa-agents" / "demo" / "qa-agents.db").exists()
