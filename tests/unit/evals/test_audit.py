"""The audited pairs are whole, and what is told of them is counted from them."""

from pathlib import Path

import pytest

from evals.audit import LIKELIEST, NAME, audit_report, precision, read_audit
from evals.data import TITANIUM, as_filed, load_dataset
from qa_agents.triage.facts.headline import headline_conflicts

AUDITS = [(NAME, 100), (LIKELIEST, 60)]


@pytest.mark.parametrize(("name", "count"), AUDITS)
def test_every_pair_is_judged_with_its_reason(name: str, count: int) -> None:
    pairs = read_audit(name)
    assert len(pairs) == len({(pair.report, pair.incident) for pair in pairs}) == count
    assert all(pair.report != pair.incident and len(pair.reason) > 20 for pair in pairs)
    assert [pair.score for pair in pairs] == sorted((pair.score for pair in pairs), reverse=True)


def test_a_copy_for_another_branch_is_no_duplicate() -> None:
    pairs = [pair for pair in read_audit() if pair.only_differs_by == "version"]
    assert pairs
    assert precision(pairs).value == 0.0


def test_the_report_counts_what_was_accepted() -> None:
    accepted = sum(pair.accepted for pair in read_audit())
    assert f"| accepted as the same bug | {accepted} " in audit_report(read_audit())


@pytest.mark.parametrize(("name", "_count"), AUDITS)
def test_no_accepted_pair_differs_by_version_or_branch_only(name: str, _count: int) -> None:
    assert not [pair for pair in read_audit(name) if pair.still_accepted and pair.only_differs_by == "version"]


@pytest.mark.parametrize(("name", "_count"), AUDITS)
def test_the_difference_check_itself_tells_every_such_pair(shared_data: Path, name: str, _count: int) -> None:
    dataset = load_dataset(TITANIUM, shared_data)
    if dataset is None:
        pytest.skip(f"{TITANIUM} is not below {shared_data}")
    incidents = {incident.id: incident for incident in dataset.incidents}
    copies = [pair for pair in read_audit(name) if pair.only_differs_by == "version"]
    assert copies
    for pair in copies:
        assert headline_conflicts(as_filed(incidents[pair.report]), incidents[pair.incident]), pair.report
