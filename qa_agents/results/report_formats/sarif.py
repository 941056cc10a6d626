"""SARIF 2.1.0 (OASIS Standard, 27 March 2020): causes as results, so that code-scanning pages show them and keep them apart."""

from collections.abc import Mapping
from typing import Any

from qa_agents import __version__
from qa_agents.results.cluster import Cause
from qa_agents.results.report_formats.annotations import places
from qa_agents.results.report_formats.job_summary import KINDS
from qa_agents.results.schema import Run
from qa_agents.results.summary import Summary

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {"new": "error", "failing": "error", "suspected": "warning", "still": "note"}
_RULES = {
    "new": "A test that passed at the baseline is broken.",
    "failing": "A test fails, and there is no earlier run to compare with.",
    "suspected": "A test failed that may be broken; a further run decides.",
    "still": "A test was broken at the baseline already.",
}


def sarif(summary: Summary, run: Run) -> dict[str, Any]:
    """One SARIF log with one result per cause that is new, suspected or still there; flaking tests are left out."""
    where = places(run)
    shown = [cause for cause in summary.causes if cause.kind in (*KINDS, "still")]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "qa-agents",
                        "version": __version__,
                        "rules": [_rule(kind, text) for kind, text in _RULES.items()],
                    }
                },
                "automationDetails": {"id": f"qa-agents/{summary.run.branch or 'run'}/{summary.run.run_id}"},
                "results": [_result(cause, where, summary) for cause in shown],
            }
        ],
    }


def _result(cause: Cause, where: Mapping[str, tuple[str, int]], summary: Summary) -> dict[str, Any]:
    placed = [where[name] for name in cause.tests if name in where]
    why = next((one.why for one in summary.comparison.changes if one.test_id == cause.tests[0]), "")
    tests = f"{cause.extent}, {cause.tests[0]} first"
    known = "".join(f" {one.relation} {one.incident_id}." for one in cause.related if one.relation != "same-area")
    return {
        "ruleId": f"test-{cause.kind}",
        "level": _LEVEL[cause.kind],
        "message": {"text": f"{cause.title} ({tests}). {why}{known}"},
        "partialFingerprints": {"cause/v1": cause.signature or cause.tests[0]},
        "baselineState": "unchanged" if cause.kind == "still" else "new",
        "locations": [_location(cause.tests[0], next(iter(placed), None))],
    }


def _rule(kind: str, text: str) -> dict[str, Any]:
    """Code-scanning pages show all three, and GitHub asks for them."""
    said = {"text": text}
    return {"id": f"test-{kind}", "shortDescription": said, "fullDescription": said, "help": said}


def _location(test_id: str, placed: tuple[str, int] | None) -> dict[str, Any]:
    """Where the failure is: its file and line, else the suite as if it were a file, as GitHub refuses a whole log in which one
    result is at no file.
    """
    file, line = placed or (test_id.rpartition("::")[0] or "tests", 1)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(file), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line},
        },
        "logicalLocations": [{"fullyQualifiedName": test_id, "kind": "function"}],
    }


def _uri(path: str) -> str:
    """A relative reference (RFC 3986): nothing in it is taken for a scheme, a host or a way upwards."""
    from urllib.parse import quote

    parts = (part for part in path.replace("\\", "/").split("/") if part not in ("", ".", ".."))
    return quote("/".join(parts).encode("utf-8", "replace")) or "tests"
