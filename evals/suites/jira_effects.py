"""Exactly-once effects on Jira under faults: two workers, five of seven answers spoiled, workers killed in between.

Every issue is to get one private comment, one label, one field and one link through the outbox. The stand-in for Jira answers
503, 429, a page instead of data, or not at all, before or after it made the change; both workers race for the same runs on one
database. Beside it, the same calls through the `jira` package as it comes, with its own retries and no mark.
"""

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

from pydantic import BaseModel, Field

from evals.report import table
from qa_agents.checkpoint.ledger import Ledger
from qa_agents.errors import ConflictError, InvalidInputError, QAAgentsError, UnavailableError
from qa_agents.runtime.outbox import Outbox
from qa_agents.settings import JiraSettings, prepare_environment
from qa_agents.storage.engine import open_database
from qa_agents.trackers.jira import JiraTracker
from qa_agents.trackers.jira_http import JiraHttp
from qa_agents.trackers.jira_notes import DatabaseNotes
from qa_agents.trackers.schema import Action

HARSH = ("503", "drop-after", "html200", None, "429", "drop-before", None)
WORKERS = 2
FASTER = 5_000.0
"""Waiting is this much shorter than Jira asks for; what is waited for stays the same."""
GIVE_UP_SECONDS = 1_800.0
NOTE = "Triage note."


def harsh(method: str, path: str, number: int) -> str | None:
    """The fault of the call with this number: drawn by it, so that no fixed order of calls meets the same one for ever."""
    return random.Random(number).choice(HARSH)


class Made(BaseModel):
    """How often each effect stands on the issues: times to number of issues."""

    comments: dict[int, int]
    labels: dict[int, int]
    fields: dict[int, int]
    links: dict[int, int]


class OnEngine(BaseModel):
    """One run on one database engine."""

    engine: str
    issues: int
    made: Made
    private: int
    """Comments with an explicit audience."""
    comments: int
    calls: int
    spoiled: int
    """Calls that met a fault."""
    kills: int
    failed: int
    """Actions that ended as failed."""

    @property
    def is_exact(self) -> bool:
        """Whether every effect stands exactly once, with its audience."""
        once = {1: self.issues}
        made = self.made
        return [made.comments, made.labels, made.fields, made.links] == [once] * 4 and self.private == self.comments


class JiraEffects(BaseModel):
    """What a run found."""

    engines: list[OnEngine] = Field(default_factory=list)
    bare: dict[int, int] = Field(default_factory=dict)
    """The same comments through the bare package: times a comment stands to number of issues."""
    notes: list[str] = Field(default_factory=list)


def run_jira_effects(issues: int, folder: Path, postgres: bool, kills: int, bare: int) -> JiraEffects:
    """Measure on SQLite, on PostgreSQL where a server is named, and the bare package on `bare` issues."""
    prepare_environment()
    result = JiraEffects()
    result.engines.append(_measure("SQLite", str(folder / "qa-agents.db"), issues, kills))
    if not postgres:
        result.notes.append("PostgreSQL was NOT measured: ask for it with --postgres.")
    else:
        from tests.postgres import fresh_schema

        with fresh_schema() as url:
            result.engines.append(_measure("PostgreSQL", url, issues, kills))
    if bare:
        result.bare = dict(Counter(_bare(bare)))
    return result


def _measure(engine: str, database: str, issues: int, kills: int) -> OnEngine:
    from tests.fakes.jira.server import FakeJira

    with FakeJira(faults=harsh) as jira:
        origin = jira.site.add("PAY-1").key
        keys = [jira.site.add().key for _ in range(issues)]
        open_database(database if "://" in database else Path(database)).close()
        job = json.dumps({"url": jira.url, "database": database, "keys": keys, "origin": origin})
        workers = [_start(job, number) for number in range(WORKERS)]
        killed = 0
        while any(worker.poll() is None for worker in workers):
            time.sleep(0.5)
            due = (killed + 1) * issues // (kills + 1)
            if killed < kills and sum(bool(issue.comments) for issue in list(jira.site.issues.values())) >= due:
                number = killed % WORKERS
                workers[number].kill()
                workers[number].wait()
                workers[number] = _start(job, number)
                killed += 1
        if any(worker.returncode for worker in workers):
            raise UnavailableError("A worker ended with an error.", hint="Its message stands above.")
        held = [jira.site.issue(key) for key in keys]
        comments = [comment for issue in held for comment in issue.comments]
        linked = Counter(inward for _, inward, _ in jira.site.links.values())
        return OnEngine(
            engine=engine,
            issues=issues,
            made=Made(
                comments=Counter(len(issue.comments) for issue in held),
                labels=Counter(issue.fields["labels"].count("crash") for issue in held),
                fields=Counter(int(issue.fields.get("customfield_10045") == "Critical") for issue in held),
                links=Counter(linked[issue.id] for issue in held),
            ),
            private=sum(bool(comment["visibility"]) for comment in comments),
            comments=len(comments),
            calls=len(jira.exchanges),
            spoiled=sum(one.fault is not None for one in jira.exchanges),
            kills=killed,
            failed=_failed(database),
        )


def _failed(database: str) -> int:
    from sqlalchemy import func, select

    from qa_agents.storage.tables import actions

    opened = open_database(database if "://" in database else Path(database))
    with opened.read() as connection:
        count = connection.execute(select(func.count()).where(actions.c.state == "failed")).scalar() or 0
    opened.close()
    return count


def _start(job: str, number: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "evals.suites.jira_effects", "--worker", str(number)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(job)
    process.stdin.close()
    return process


def work(job: dict[str, Any], number: int) -> None:
    """Carry out every run of the job, the second worker from the middle on, until none is open."""
    from tests.fakes.jira.server import TOKEN, USER
    from tests.fakes.jira.site import SEVERITY

    name = job["database"]
    database = open_database(name if "://" in name else Path(name))
    settings = JiraSettings.model_validate(
        {
            "base_url": job["url"],
            "user": USER,
            "token": TOKEN,
            "projects": ["PAY"],
            "severity_field": SEVERITY,
            "visibility": {"type": "role", "value": "Developers"},
            "tries": 20,
        }
    )
    http = JiraHttp(settings, sleep=lambda seconds: time.sleep(seconds / FASTER))
    tracker = JiraTracker(settings, DatabaseNotes(database, settings.base_url), http=http)
    outbox = Outbox(database, tracker, Ledger())
    keys = job["keys"]
    open_ = keys[number * len(keys) // WORKERS :] + keys[: number * len(keys) // WORKERS]
    until = time.monotonic() + GIVE_UP_SECONDS
    while open_ and time.monotonic() < until:
        open_ = [key for key in open_ if not _is_done(outbox, tracker, key, job["origin"])]
    database.close()
    if open_:
        raise UnavailableError(f"{len(open_)} runs were still open after {GIVE_UP_SECONDS:.0f} s.")


def _is_done(outbox: Outbox, tracker: JiraTracker, key: str, origin: str) -> bool:
    try:
        planned = outbox.of_run(f"run {key}")
        if planned and all(action["state"] in ("done", "failed") for action in planned):
            return True
        issue = tracker.get(key)
        if issue is None:
            raise InvalidInputError(f"{key} is not there.")
        version = planned[0]["because"] if planned else issue.version
        actions = plan(key, origin, str(version))
        return outbox.carry_out(f"run {key}", actions, str(version)).status == "done"
    except (UnavailableError, ConflictError):
        return False


def plan(key: str, origin: str, version: str) -> list[Action]:
    """The four changes of one run; they carry the version that they were decided on, for a worker that takes them up."""

    def action(kind: str, **params: object) -> Action:
        return Action.model_validate({"kind": kind, "target": key, "params": params, "because": version})

    return [
        action("set_field", field="severity", value="Critical"),
        action("add_label", label="crash"),
        action("link_issue", to=origin, relation="duplicates"),
        action("add_comment", text=NOTE, public=False),
    ]


def _bare(issues: int) -> list[int]:
    """How often each comment stands when the package posts it with its own retries (waits shortened alike)."""
    from jira import JIRA, JIRAError
    from requests.exceptions import RequestException

    from tests.fakes.jira.server import TOKEN, USER, FakeJira

    def faults(method: str, path: str, number: int) -> str | None:
        return harsh(method, path, number) if method == "POST" else None

    sleep = time.sleep
    with mock.patch("time.sleep", lambda seconds: sleep(seconds / FASTER)), FakeJira(faults=faults) as jira:
        client = JIRA(jira.url, basic_auth=(USER, TOKEN), get_server_info=False, timeout=(3, 20))
        keys = [jira.site.add().key for _ in range(issues)]
        for key in keys:
            with contextlib.suppress(JIRAError, RequestException, ValueError):
                client.add_comment(key, NOTE)
        return [len(jira.site.issue(key).comments) for key in keys]


def jira_effects_report(result: JiraEffects) -> str:
    """What was found, as text."""
    rows = [
        [at.engine, str(at.issues), f"{at.spoiled} of {at.calls}", str(at.kills), str(at.failed)]
        + [_once(made, at.issues) for made in at.made.model_dump().values()]
        + [f"{at.private} of {at.comments}"]
        for at in result.engines
    ]
    head = [
        "engine",
        "issues",
        "answers spoiled",
        "kills",
        "failed",
        "comments",
        "labels",
        "fields",
        "links",
        "private",
    ]
    lines = [table(head, rows), *result.notes]
    if result.bare:
        total = sum(result.bare.values())
        lost, once = result.bare.get(0, 0), result.bare.get(1, 0)
        lines.append(f"The bare package, {total} comments: {once} once, {total - lost - once} doubled, {lost} lost.")
    return "\n".join(lines)


def _once(made: dict[int, int], issues: int) -> str:
    others = {times: count for times, count in made.items() if times != 1}
    return f"{made.get(1, 0)} of {issues} once{f', else {others}' if others else ''}"


def main() -> int:
    """Measure and print; 1 when an effect does not stand exactly once."""
    parser = argparse.ArgumentParser(
        prog="python -m evals.suites.jira_effects", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--issues", type=int, default=300, help="issues, with four changes each (300)")
    parser.add_argument("--kills", type=int, default=4, help="how often a worker is killed and started again (4)")
    parser.add_argument("--bare", type=int, default=300, help="comments through the bare package beside it (300)")
    parser.add_argument("--postgres", action="store_true", help="also on the server that QA_AGENTS_TEST_POSTGRES names")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        try:
            work(json.load(sys.stdin), options.worker)
        except QAAgentsError as error:
            print(f"worker {options.worker}: {error}", file=sys.stderr)
            return error.exit_code
        return 0
    with tempfile.TemporaryDirectory(prefix="qa-agents-evals-") as work_folder:
        result = run_jira_effects(options.issues, Path(work_folder), options.postgres, options.kills, options.bare)
    print(jira_effects_report(result))
    if options.json:
        options.json.write_text(result.model_dump_json(indent=2))
    return 0 if all(at.is_exact for at in result.engines) else 1


if __name__ == "__main__":
    sys.exit(main())
