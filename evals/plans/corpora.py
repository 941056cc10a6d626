"""The specifications of the development set, each with the behaviours that an independent suite tests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from evals.data import ROOT, data_dir
from qa_agents.plans.draft import Basis, draft_plan
from qa_agents.plans.read import Document, read_sources
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.schema import TestPlan

LABELS = ROOT / "evals" / "datasets" / "plans"
"""What was labelled here: requirements, changed sentences, planted contradictions, judged cases."""
SPECS = ROOT / "examples" / "specs"
_SOURCES = {
    "todomvc": ("todomvc/spec.md",),
    "mustache": ("mustache/spec.md",),
    "jekyll": ("jekyll/spec/*.md",),
    "realworld-api": ("realworld-api/spec/*",),
    "toml": ("toml/spec-v1.0.0.md",),
}
NAMES = tuple(_SOURCES)
_HEAD = re.compile(r"^(?P<context>[^:]{2,80}): (?P<statement>.+)$", re.DOTALL)


@dataclass(frozen=True)
class Behaviour:
    """One thing that somebody tests who never saw the plan."""

    id: str
    text: str
    group: str
    kind: str
    """positive, negative, structure, or spec_only for a statement that the suite misses."""
    context: str
    """Where in the product, in the suite's words."""
    statement: str
    """What must hold."""
    refused: bool | None
    """Whether the suite says plainly that an input must be refused; None where it does not say."""
    spec_quote: str | None
    """The words of the specification that it rests on, where somebody labelled them."""


@dataclass(frozen=True)
class Corpus:
    """A specification and its independent suite."""

    name: str
    files: Sequence[Path]
    behaviours: Sequence[Behaviour]

    @property
    def bodies(self) -> list[tuple[str, bytes]]:
        """File name and content of each page."""
        return [(path.name, path.read_bytes()) for path in self.files]


@dataclass(frozen=True)
class Drafted:
    """What was read, and the plan that came of it."""

    documents: Sequence[Document]
    plan: TestPlan


def plans_dir() -> Path:
    """The folder of the specifications in the public data."""
    return data_dir() / "plans"


def load_corpus(name: str) -> Corpus | None:
    """A corpus by its name; None where the data are not on this machine."""
    folder = plans_dir()
    files = sorted(path for pattern in _SOURCES[name] for path in folder.glob(pattern))
    if not files or not (folder / name / "behaviours.jsonl").exists():
        return None
    found = [_behaviour(name, row) for row in rows(folder / name / "behaviours.jsonl")]
    extra = folder / name / "spec_only.jsonl"
    found += (
        [_behaviour(name, {**row, "kind": "spec_only", "group": ""}) for row in rows(extra)] if extra.exists() else []
    )
    return Corpus(name, files, found)


def rows(path: Path) -> list[dict[str, str]]:
    """The objects of a JSON Lines file."""
    return [orjson.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def draft(
    inputs: Sequence[Path | tuple[str, bytes]], *, title: str = "Measured", previous: TestPlan | None = None
) -> Drafted:
    """The plan for these files, without a memory of past incidents and without decisions."""
    documents = read_sources(inputs)
    requirements = find_requirements(documents)
    return Drafted(documents, draft_plan(Basis(documents, requirements, previous=previous), title=title))


def split(text: str) -> tuple[str, str]:
    """Context and statement of a line like `Editing: should save edits on blur`; no context where it names none."""
    match = _HEAD.match(text)
    return (match["context"], match["statement"]) if match else ("", text)


def _behaviour(corpus: str, row: dict[str, str]) -> Behaviour:
    text = row["text"]
    context, statement = split(text)
    refused = None
    if corpus == "jekyll" and "title" in row:
        # The whole scenario is a page of set-up; its title says what it shows.
        context, statement = row["group"], row["title"]
    elif corpus == "toml":
        refused = row["kind"] == "negative"
        context, _, statement = statement.partition(" / ")
    elif corpus == "mustache":
        context = row["group"]
    return Behaviour(
        row["id"], text, row.get("group", ""), row["kind"], context, statement, refused, row.get("spec_quote")
    )
