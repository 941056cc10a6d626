"""The public collection of result files: each is read or refused, and counts agree or the difference is explained."""

from pathlib import Path

from evals.suites.results_read import Compared, compared


def rows(shared_data: Path) -> list[Compared]:
    folder = shared_data / "results"
    if not (folder / "INDEX.jsonl").is_file():
        import pytest

        pytest.skip(f"no result files at {folder}; set QA_AGENTS_DATA")
    return compared(folder)


def test_every_real_file_is_read_or_refused_and_every_difference_is_explained(shared_data: Path) -> None:
    found = rows(shared_data)
    assert len(found) >= 450
    assert [row.file for row in found if not row.flavour and not row.refused] == []
    assert [(row.file, row.theirs, row.ours) for row in found if row.differs and not row.why] == []
    assert [row.file for row in found if "silent" in row.coverage] == []
