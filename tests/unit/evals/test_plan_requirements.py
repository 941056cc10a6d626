"""The score of requirement extraction: counts by overlap with hand labels, refuses a file that is not the labelled one."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from evals.suites.plan_requirements import labels, score
from qa_agents.errors import InvalidInputError

TEXT = "# Bells\n\nThe bell must ring. See the list. It is red and bells ring quietly.\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "plans" / "bells"
    folder.mkdir(parents=True)
    (folder / "spec.md").write_text(TEXT)
    return tmp_path


def label(words: str, requirement: bool, **more: Any) -> dict[str, Any]:
    start = TEXT.index(words)
    sha256 = hashlib.sha256(TEXT.encode()).hexdigest()
    return {
        "corpus": "bells", "file": "spec.md", "sha256": sha256, "start": start, "end": start + len(words),
        "requirement": requirement, "why": "made up", "held_out": False, **more,
    }  # fmt: skip


def test_hits_and_misses_are_counted_and_named(data: Path) -> None:
    rows = [
        label("The bell must ring.", True, modality="must", negated=True),
        label("See the list.", True),
        label("It is red and bells ring quietly.", False),
    ]
    row = score(data, rows)["bells"]
    assert row["recall"]["value"] == 0.5
    assert row["recall"]["n"] == 2
    assert row["structure"]["value"] == 0.5
    assert any("labelled True" in miss for miss in row["wrong"])


def test_another_version_of_the_file_is_refused(data: Path) -> None:
    with pytest.raises(InvalidInputError, match="labelled"):
        score(data, [{**label("See the list.", False), "sha256": "0" * 64}])


def test_the_labels_hold_places_and_reasons_and_no_text() -> None:
    rows = labels()
    assert len(rows) > 300
    assert {"todomvc", "mustache", "toml", "realworld-api", "jekyll"} == {row["corpus"] for row in rows}
    assert {row["corpus"] for row in rows if row["held_out"]} == {"jekyll"}
    assert all(len(row["why"]) < 60 for row in rows)


def test_extraction_stays_at_its_level_on_the_real_specifications(shared_data: Path) -> None:
    developed = score(shared_data, [row for row in labels() if not row["held_out"]])["all, developed on"]
    assert developed["precision"]["low"] > 0.9
    assert developed["recall"]["low"] > 0.9
