"""The data of the suites: found through QA_AGENTS_DATA, checked against the manifest, in time order."""

import hashlib
import io
import os
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.incidents.schema import Incident, Report

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "evals" / "runs"
"""Results and caches; not committed."""
MANIFEST = ROOT / "evals" / "datasets" / "MANIFEST.toml"
EXAMPLES = ROOT / "examples" / "incidents.jsonl"
TITANIUM = "titanium-2011-2013"
_NO_DATE = datetime.min.replace(tzinfo=UTC)
_AS_FILED = ("id", "summary", "description", "created", "product", "version", "platform", "reporter")


class Entry(BaseModel):
    """One data set of the manifest."""

    model_config = ConfigDict(extra="forbid")

    path: str
    """Below the data folder."""
    sha256: str
    n: int
    licence: str
    source: str
    labels: dict[str, int] = Field(default_factory=dict)
    """How many incidents carry each field in the end; `duplicate_queries`: reports with an earlier one of their cluster."""
    split: dict[str, str] = Field(default_factory=dict)
    """What to fit on, to choose on, and to measure on: by time, never at random."""


@dataclass(frozen=True)
class Dataset:
    """Incidents in time order, and where they are from."""

    name: str
    incidents: Sequence[Incident]
    sha256: str
    licence: str
    checked: bool
    """Whether the manifest vouches for it."""


def data_dir() -> Path:
    """The folder of public data: QA_AGENTS_DATA, else `../shared/data` beside the repository."""
    return Path(os.environ.get("QA_AGENTS_DATA", ROOT / ".." / "shared" / "data")).resolve()


def manifest() -> dict[str, Entry]:
    """The data sets by name."""
    return {name: Entry.model_validate(entry) for name, entry in tomllib.loads(MANIFEST.read_text("utf-8")).items()}


def load_dataset(name: str = TITANIUM, folder: Path | None = None) -> Dataset | None:
    """A data set of the manifest; None where it is not on this machine.

    Raises InvalidInputError when the file is another than the manifest says.
    """
    entry = manifest()[name]
    path = (folder or data_dir()) / entry.path
    if not path.exists():
        return None
    found = load_file(path)
    if found.sha256 != entry.sha256 or len(found.incidents) != entry.n:
        raise InvalidInputError(
            f"{path} is not the {name} of the manifest: {len(found.incidents)} incidents, sha256 {found.sha256[:12]}….",
            hint=f"Get the file again, or correct {MANIFEST.relative_to(ROOT)}.",
        )
    return Dataset(name, found.incidents, found.sha256, entry.licence, checked=True)


def load_examples() -> Dataset:
    """The example product's incidents, which every checkout has."""
    return load_file(EXAMPLES)


def load_file(path: Path) -> Dataset:
    """Any JSON Lines file of incidents, `.zst` too. Raises NotFoundError, and InvalidInputError naming the line."""
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}.", hint="Give a JSON Lines file of incidents.")
    incidents: list[Incident] = []
    with _lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                incidents.append(Incident.model_validate(orjson.loads(line)))
            except (orjson.JSONDecodeError, ValidationError) as error:
                reason = str(error).splitlines()[0]
                raise InvalidInputError(f"{path} line {number} is no incident: {reason}.") from None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    # Python's sort is stable: what has one date keeps the file's order.
    incidents.sort(key=lambda incident: incident.created or _NO_DATE)
    name = path.name.removesuffix(".zst").removesuffix(".jsonl")
    return Dataset(name, incidents, sha256, licence="unknown", checked=False)


def as_filed(incident: Incident) -> Report:
    """The report as it came in: without outcomes, and without labels, which people add later."""
    fields = incident.model_dump(include=set(_AS_FILED))
    return Report.model_validate(fields)


def clusters(incidents: Sequence[Incident]) -> list[str | None]:
    """For each incident the name of its duplicate cluster, None outside of any.

    `dup_cluster` where the data has it, else what the links `duplicate_of` connect (union by root, Tarjan 1975).
    """
    if any("dup_cluster" in (incident.model_extra or {}) for incident in incidents):
        named = ((incident.model_extra or {}).get("dup_cluster") for incident in incidents)
        return [str(name) if name else None for name in named]
    parent = {incident.id: incident.id for incident in incidents}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for incident in incidents:
        for target in incident.duplicate_of:
            if target in parent:
                parent[root(incident.id)] = root(target)
    size: dict[str, int] = defaultdict(int)
    for name in parent:
        size[root(name)] += 1
    return [root(incident.id) if size[root(incident.id)] > 1 else None for incident in incidents]


@contextmanager
def _lines(path: Path) -> Iterator[TextIO]:
    if path.suffix == ".zst":
        import zstandard

        with zstandard.open(path, "rb") as raw, io.TextIOWrapper(raw, encoding="utf-8") as text:
            yield text
    else:
        with path.open(encoding="utf-8") as text:
            yield text
