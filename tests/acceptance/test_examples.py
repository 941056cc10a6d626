"""The example memory and reports are what their README promises: valid, linked, varied and harmless."""

import json
import re
from collections import defaultdict
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, get_args

import pytest

from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.schema import GateDecision, RelationKind, Signals

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REPORT_FIELDS = {"id", "summary", "description", "created", "product", "version", "platform", "reporter", "labels"}
SEVERITIES = {"Critical", "High", "Medium", "Low"}
RESOLUTIONS = {"Fixed", "Duplicate", "Won't Fix", "Cannot Reproduce", "Works as Designed"}
SHINGLE_WORDS = 8
MAX_CLUSTERS_SHARING_A_SHINGLE = 3
LOOKALIKE_JACCARD = 0.55


def read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXAMPLES / name).read_text(encoding="utf-8").splitlines()]


INCIDENTS = [Incident.model_validate(row) for row in read_lines("incidents.jsonl")]
BY_ID = {incident.id: incident for incident in INCIDENTS}
EXPECTED = read_lines("expected.jsonl")
JSON_REPORTS = sorted((EXAMPLES / "reports").glob("*.json"))
ALL_REPORTS = sorted(path for path in (EXAMPLES / "reports").iterdir() if path.suffix in {".json", ".txt", ".md"})


def canonical(incident_id: str) -> str:
    """The end of the duplicate chain; fails the test on a loop."""
    seen = [incident_id]
    while links := BY_ID[seen[-1]].duplicate_of:
        assert links[0] not in seen, f"the duplicate chain of {incident_id} is a loop"
        seen.append(links[0])
    return seen[-1]


def extra(incident: Incident, key: str) -> Any:
    return (incident.model_extra or {}).get(key)


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def masked_words(text: str) -> set[str]:
    return {re.sub(r"\d+", "#", word) for word in re.findall(r"[\w.-]+", text.lower())}


def test_the_memory_holds_at_least_260_incidents_with_distinct_ids() -> None:
    assert len(INCIDENTS) == len(BY_ID) >= 260


def test_the_memory_is_sorted_by_creation_and_spans_two_years() -> None:
    created = [incident.created for incident in INCIDENTS]
    assert all(earlier <= later for earlier, later in pairwise(created))
    assert (created[-1] - created[0]).days > 2 * 365


def test_times_of_an_incident_are_in_order() -> None:
    for incident in INCIDENTS:
        assert incident.updated is not None
        assert incident.updated >= (incident.resolved or incident.created), incident.id
        assert incident.resolved is None or incident.resolved > incident.created, incident.id


def test_outcomes_use_the_agreed_words() -> None:
    assert {incident.severity for incident in INCIDENTS} - {None} == SEVERITIES
    assert {incident.resolution for incident in INCIDENTS} - {None} == RESOLUTIONS
    for incident in INCIDENTS:
        assert (incident.resolution is None) == (incident.resolved is None), incident.id
        assert (incident.resolution == "Duplicate") == bool(incident.duplicate_of), incident.id
        assert incident.components[0] == incident.component, incident.id


def test_links_lead_to_older_incidents_and_chains_end() -> None:
    for incident in INCIDENTS:
        for target in [*incident.duplicate_of, *(extra(incident, "regression_of") or [])]:
            assert BY_ID[target].created < incident.created, f"{incident.id} links to the younger {target}"
        assert not BY_ID[canonical(incident.id)].duplicate_of


def test_ids_named_in_texts_exist() -> None:
    prefixes = sorted({incident.id.split("-")[0] for incident in INCIDENTS})
    key = re.compile(rf"\b(?:{'|'.join(prefixes)})-\d+\b")
    texts = [f"{incident.text} {incident.resolution_note or ''}" for incident in INCIDENTS]
    texts += [path.read_text(encoding="utf-8") for path in [*ALL_REPORTS, EXAMPLES / "README.md"]]
    named = {name for text in texts for name in key.findall(text)}
    assert named
    assert named <= BY_ID.keys()


def test_duplicates_form_many_clusters_and_some_chains() -> None:
    clusters: dict[str, set[str]] = defaultdict(set)
    for incident in INCIDENTS:
        clusters[canonical(incident.id)].add(incident.id)
    linked = [incident for incident in INCIDENTS if incident.duplicate_of]
    chains = [incident for incident in linked if BY_ID[incident.duplicate_of[0]].duplicate_of]
    assert sum(len(members) > 1 for members in clusters.values()) >= 25
    assert len(chains) >= 5


def test_some_duplicates_share_hardly_a_word_with_what_they_repeat() -> None:
    reworded = [
        incident.id
        for incident in INCIDENTS
        if incident.duplicate_of
        and len(masked_words(incident.summary) & masked_words(BY_ID[incident.duplicate_of[0]].summary)) <= 1
    ]
    assert len(reworded) >= 15


def test_some_incidents_were_first_filed_under_another_component() -> None:
    moved = [incident for incident in INCIDENTS if extra(incident, "first_component")]
    assert len(moved) >= 15
    assert all(extra(incident, "first_component") != incident.component for incident in moved)


def test_at_least_ten_regressions_name_a_fixed_incident() -> None:
    regressions = [incident for incident in INCIDENTS if extra(incident, "regression_of")]
    assert len(regressions) >= 10
    for incident in regressions:
        assert incident.type == "Regression"
        for target in extra(incident, "regression_of"):
            assert BY_ID[target].resolution == "Fixed"
            assert BY_ID[target].resolved < incident.created


def test_at_least_six_pairs_look_alike_and_are_not_the_same() -> None:
    pairs = []
    for one, other in combinations(INCIDENTS, 2):
        left, right = masked_words(one.summary), masked_words(other.summary)
        alike = len(left & right) >= LOOKALIKE_JACCARD * len(left | right)
        if alike and canonical(one.id) != canonical(other.id):
            pairs.append((one.id, other.id))
    assert len(pairs) >= 6


def test_about_one_incident_in_eight_is_open() -> None:
    share = sum(incident.resolution is None for incident in INCIDENTS) / len(INCIDENTS)
    assert 0.08 <= share <= 0.16


def test_most_resolved_incidents_say_why() -> None:
    resolved = [incident for incident in INCIDENTS if incident.resolved]
    explained = [incident for incident in resolved if len(incident.resolution_note or "") >= 40]
    assert len(explained) >= 0.5 * len(resolved)


def test_no_wording_is_repeated_over_unrelated_incidents() -> None:
    users: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for incident in INCIDENTS:
        words = words_of(f"{incident.text} {incident.resolution_note or ''}")
        for start in range(len(words) - SHINGLE_WORDS + 1):
            users[tuple(words[start : start + SHINGLE_WORDS])].add(canonical(incident.id))
    repeated = {" ".join(shingle) for shingle, ids in users.items() if len(ids) > MAX_CLUSTERS_SHARING_A_SHINGLE}
    assert not repeated


@pytest.mark.parametrize("path", JSON_REPORTS, ids=lambda path: path.stem)
def test_a_report_is_valid_and_carries_report_fields_only(path: Path) -> None:
    row = json.loads(path.read_text(encoding="utf-8"))
    report = Report.model_validate(row)
    assert row.keys() <= REPORT_FIELDS
    assert report.id not in BY_ID
    assert report.created is not None
    assert report.created > INCIDENTS[-1].created


def test_the_batch_file_holds_the_same_reports_in_the_same_order() -> None:
    singles = [json.loads(path.read_text(encoding="utf-8")) for path in JSON_REPORTS]
    assert read_lines("reports.jsonl") == singles
    assert len({row["id"] for row in singles}) == len(singles) >= 15


def test_reports_exercise_the_special_paths() -> None:
    by_name = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in JSON_REPORTS}
    assert by_name["09-empty-description"]["description"] == ""
    assert len(by_name["08-long-log"]["description"]) > 25_000
    assert "<!--" in by_name["07-injection-attempt"]["description"]
    assert "\u200b" in by_name["07-injection-attempt"]["description"]
    assert "sk_test_EXAMPLE" in by_name["15-leaked-secret"]["description"]


def test_every_report_has_exactly_one_expectation() -> None:
    assert [row["path"] for row in EXPECTED] == [f"reports/{path.name}" for path in ALL_REPORTS]
    for row, path in zip(EXPECTED, ALL_REPORTS, strict=True):
        own_id = json.loads(path.read_text(encoding="utf-8"))["id"] if path.suffix == ".json" else None
        assert row["report_id"] == own_id


@pytest.mark.parametrize("row", EXPECTED, ids=lambda row: Path(row["path"]).stem)
def test_an_expectation_uses_known_ids_and_words(row: dict[str, Any]) -> None:
    expect = row["expect"]
    report_ids = {other["report_id"] for other in EXPECTED} - {None, row["report_id"]}
    assert set(expect["related_any_of"]) <= BY_ID.keys() | report_ids
    assert set(expect["never_duplicate_of"]) <= BY_ID.keys()
    assert set(expect["component"]) <= {incident.component for incident in INCIDENTS}
    assert set(expect["severity"]) <= SEVERITIES
    assert set(expect["relation_kinds_any_of"]) <= set(get_args(RelationKind))
    assert set(expect["gate_not"]) <= set(get_args(GateDecision))
    assert set(expect["signals"]) <= Signals.model_fields.keys()
    assert expect["must_ask"]


def test_expected_relations_fit_the_state_of_their_targets() -> None:
    """Whoever expects a duplicate only must name an open target; an impossible expectation would hide a defect."""
    for row in EXPECTED:
        expect = row["expect"]
        states = {BY_ID[name].resolution for name in expect["related_any_of"] if name in BY_ID}
        if expect["relation_kinds_any_of"] == ["duplicate-of-open"]:
            assert None in states, row["path"]
        if set(expect["relation_kinds_any_of"]) & {"regression-of-fixed", "already-fixed"}:
            assert "Fixed" in states, row["path"]


def test_the_readme_shows_every_report_and_counts_right() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"(reports/{path.name})" in readme for path in ALL_REPORTS)
    assert f"{len(INCIDENTS)} incidents" in readme
    assert f"{sum(incident.resolution is None for incident in INCIDENTS)} still open" in readme


def test_nothing_in_the_examples_points_at_a_real_place() -> None:
    for path in [*EXAMPLES.glob("*.*"), *ALL_REPORTS]:
        text = path.read_text(encoding="utf-8")
        hosts = re.findall(r"https?://([\w.-]{1,200})", text) + re.findall(
            r"[\w.+-]{1,64}@([\w-]{1,63}\.[\w.-]{1,200})", text
        )
        assert all(host.rstrip(".").endswith((".invalid", "example.com")) for host in hosts), (path.name, hosts)
