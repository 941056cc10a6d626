"""Lines by which a CI system marks files: workflow commands of GitHub, the code-quality report of GitLab.

GitHub: "Workflow commands for GitHub Actions" (docs.github.com); data escapes %, CR, LF, properties also : and ,.
GitLab: the Code Climate subset of "Code Quality" (docs.gitlab.com): description, check_name, fingerprint, severity, location.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from qa_agents.results.cluster import Cause
from qa_agents.results.compare import TestChange
from qa_agents.results.report_formats.job_summary import KINDS
from qa_agents.results.schema import Run
from qa_agents.results.signature import frames
from qa_agents.results.summary import Summary

MAX_ANNOTATIONS = 50
"""GitHub shows at most 50 a job."""
_LEVEL = {"new": "error", "failing": "error", "suspected": "warning"}
_SEVERITY = {"new": "major", "failing": "major", "suspected": "minor"}


def places(run: Run) -> dict[str, tuple[str, int]]:
    """Failing test to the file and line where it failed: as the format says, else the last place of its trace.

    Only relative paths within the repository; absolute ones are of the machine that ran the tests.
    """
    found: dict[str, tuple[str, int]] = {}
    for result in run.results:
        if not result.is_red or result.test_id in found:
            continue
        options = [(result.file, result.line or 1)] if result.file else []
        options += [(frame.file, frame.line) for frame in reversed(frames(result.details))]
        for file, line in options:
            path = PurePosixPath(file.replace("\\", "/"))
            if not path.is_absolute() and ".." not in path.parts and ":" not in file and path.suffix:
                found[result.test_id] = str(path), max(1, line)
                break
    return found


def github(summary: Summary, run: Run) -> str:
    """One `::error …` or `::warning …` line per test that a push has to answer for, new ones first."""
    where, causes = places(run), _cause_of(summary)
    lines = []
    for change in list(_reported(summary))[:MAX_ANNOTATIONS]:
        file, line = where.get(change.test_id, ("", 0))
        cause = causes.get(change.test_id)
        properties = {
            "file": file,
            "line": str(line) if file else "",
            "title": f"{change.kind}: {change.test_id}"[:200],
        }
        told = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
        said = f"{change.why} {cause.title if cause else ''}".strip()
        lines.append(f"::{_LEVEL[change.kind]} {told}::{_data(said[:1_000])}")
    return "".join(f"{line}\n" for line in lines)


def gitlab(summary: Summary, run: Run) -> list[dict[str, Any]]:
    """The code-quality report: one entry per test that a push has to answer for."""
    where, causes = places(run), _cause_of(summary)
    found = []
    for change in _reported(summary):
        file, line = where.get(change.test_id, ("", 1))
        cause = causes.get(change.test_id)
        found.append(
            {
                "description": f"{change.test_id}: {cause.title if cause else change.why}"[:1_000],
                "check_name": f"qa-agents/{change.kind}",
                "fingerprint": hashlib.sha256(
                    f"{change.test_id}\0{change.signature}".encode("utf-8", "replace")
                ).hexdigest(),
                "severity": _SEVERITY[change.kind],
                "location": {"path": file or change.test_id.partition("::")[0][:500], "lines": {"begin": line}},
            }
        )
    return found


def _reported(summary: Summary) -> Iterator[TestChange]:
    return iter(summary.comparison.of(*KINDS))


def _cause_of(summary: Summary) -> Mapping[str, Cause]:
    return {test_id: cause for cause in summary.causes for test_id in cause.tests}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
