"""What a person or a program can ask about test runs: take one in, say what it means. Beside operations/ and planning.py."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from qa_agents.checkpoint.schema import Review
from qa_agents.errors import InvalidInputError, NotFoundError, UsageError
from qa_agents.incidents.intake import ReceivedReport
from qa_agents.incidents.schema import Report
from qa_agents.results.gates import load_gates
from qa_agents.results.summary import Summary
from qa_agents.runtime.received import Account
from qa_agents.storage.artifacts import put_artifact, sha256_hex
from qa_agents.storage.canonical import canonical_json, digest_of

if TYPE_CHECKING:
    from qa_agents.wiring import Workspace

SOURCE = "summary"
LAST_GREEN = "last-green"
BRANCH = "branch:"
MAX_SUBJECT = 150
PASSED_OVER = 20
"""So many earlier runs are looked through for a whole one to compare with."""
TREND_RUNS = 40
"""So many runs of the branch make the chart of its trend."""

Progress = Callable[[str, int, int | None], None]
Named = tuple[str, bytes]
"""A file's name without folders, and its bytes."""


class Source(BaseModel):
    """Where a run comes from, as far as the caller knows."""

    commit: str = ""
    branch: str = ""
    environment: str = ""
    run_id: str = ""
    at: datetime | None = None


class Summarised(BaseModel):
    """A summary as it stands, and the review that waits for a person."""

    summary: Summary
    account: Account
    review_id: str | None = None
    """Of the sign-off that is asked for; None when nothing is held."""
    review_state: str | None = None
    verdict: str | None = None
    """What was answered to it; None when nothing was asked, or nobody answered yet."""


def take_in(
    workspace: "Workspace", names: Sequence[str], source: Source | None = None, progress: Progress = lambda *_: None
) -> str:
    """The id under which a run is kept: of a kept one by its id, else of the files read as one run, and kept now.

    Raises NotFoundError for a name that is neither, InvalidInputError when no file could be read.
    """
    from qa_agents.results.read import read_run

    store, known = workspace.run_store, source or Source()
    if len(names) == 1 and not Path(names[0]).exists():
        kept = [head for head in (_head(workspace, names[0]),) if head]
        if kept:
            return names[0]
    run = read_run(
        names,
        run_id=known.run_id,
        commit=known.commit,
        branch=known.branch,
        environment=known.environment,
        at=known.at,
        progress=progress,
    )
    return store.add(run).run_id


def find_baseline(workspace: "Workspace", run_id: str, wanted: str | None, *, fallback: str = "") -> str | None:
    """The run to compare with: a kept run's id, a file or folder, `last-green`, `branch:NAME`.

    By default the newest earlier run of the same branch and environment, else the newest of the branch `fallback`; runs that are
    damaged or empty are passed over while there is a whole one among the last PASSED_OVER. None where there is no earlier run.

    Raises NotFoundError for a baseline that was asked for and is not there.
    """
    store = workspace.run_store
    info = store.head(run_id).info
    if wanted is None:
        for branch in dict.fromkeys((info.branch, fallback or info.branch)):
            found = store.find(branch=branch, environment=info.environment, before=run_id, limit=PASSED_OVER)
            if found:
                return next((head for head in found if head.is_whole), found[0]).info.run_id
        return None
    if wanted == LAST_GREEN:
        for branch in dict.fromkeys((info.branch, fallback or info.branch)):
            green = store.last_green(branch=branch, environment=info.environment, before=run_id)
            if green:
                return green.info.run_id
        raise NotFoundError(
            f"No earlier run of {info.branch or 'this branch'} was green.", hint="Name a run: `qa-agents runs list`."
        )
    if wanted.startswith(BRANCH):
        name = wanted.removeprefix(BRANCH)
        found = store.find(branch=name, environment=info.environment, before=run_id, limit=1)
        if not found:
            raise NotFoundError(
                f"No earlier run of the branch {name} is kept.", hint="`qa-agents runs list` shows them."
            )
        return found[0].info.run_id
    baseline = take_in(workspace, [wanted])
    if baseline == run_id:
        raise UsageError("A run cannot be its own baseline.", hint="Name another run: `qa-agents runs list`.")
    return baseline


def summarise(
    workspace: "Workspace",
    run_id: str,
    *,
    baseline: str | None,
    fallback: str = "",
    gates: Named | None = None,
    repository: Path | None = None,
    again: bool = False,
) -> Summarised:
    """Say what a kept run means against a kept baseline, up to the checkpoint. The same question again gives the stored answer,
    unless `again`; another one about the same run replaces what waits.

    `fallback` names a branch whose runs count as the past of a branch that has little of its own. Raises InvalidInputError for a
    gate file that is wrong.
    """
    head = workspace.run_store.head(run_id)
    gates_sha = None
    if gates is not None:
        load_gates(gates[1], gates[0])
        with workspace.database.write() as connection:
            gates_sha = put_artifact(connection, gates[1], "application/toml")
    options = {
        "run": run_id,
        "digest": head.digest,
        "baseline": baseline,
        "branches": sorted({head.info.branch, fallback or head.info.branch}),
        "repository": str(repository) if repository else None,
        "gates_sha256": gates_sha,
        "gates_name": gates[0] if gates else None,
    }
    subject = subject_of(run_id)
    raw = canonical_json(options)
    report = Report(id=subject, summary=f"Test run {run_id}"[:500], description="")
    received = ReceivedReport(report, raw, sha256_hex(raw), line=1)
    account = workspace.received.accept(received, source=SOURCE, kind="summary", options=options, again=again)
    if account.run_id is not None and (account.fresh or account.state in ("received", "failed")):
        workspace.desk.run(account.run_id)
    return summarised(workspace, run_id)


def summarised(workspace: "Workspace", run_id: str) -> Summarised:
    """The newest summary of a kept run. Raises NotFoundError."""
    return _summarised(workspace, subject_of(run_id), run_id)


def summarised_of(workspace: "Workspace", review: Review) -> Summarised:
    """The summary that a review is about."""
    return _summarised(workspace, review.subject_id, str(review.shown.get("run", {}).get("run_id", "")))


def pages_of(workspace: "Workspace", summary: Summary) -> dict[str, str]:
    """File name to content: the summary for programs, and a page for each kind of reader; see `results.narrate.pages`.

    A model that is switched on for it words the opening sentences, where its words stand every check.
    """
    from qa_agents.results.narrate import pages
    from qa_agents.results.narrate.worded import worded
    from qa_agents.results.report_formats.job_summary import job_summary

    store, info = workspace.run_store, summary.run
    earlier = store.find(branch=info.branch, environment=info.environment, before=info.run_id, limit=TREND_RUNS - 1)
    opening, problem = worded(summary, workspace.models, workspace.prompts.render, key=subject_of(info.run_id))
    if problem:
        summary = summary.model_copy(update={"notes": (*summary.notes, problem)})
    told = pages(
        summary,
        run=store.get(info.run_id),
        history=[*reversed(earlier), store.head(info.run_id)],
        opening=opening,
        mask=workspace.mask,
    )
    return {"summary.json": summary.model_dump_json(indent=1), "summary.md": job_summary(summary), **told}


def read_gates(path: Path) -> Named:
    """A gate file's name and bytes. Raises InvalidInputError when it cannot be read."""
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"The gate file {path} cannot be read ({error.strerror}).", hint="See examples/gates.toml."
        ) from None


def _summarised(workspace: "Workspace", subject: str, run_id: str) -> Summarised:
    account = workspace.received.find(subject)
    document = workspace.desk.outcome(account.run_id or "") if account else None
    if account is None or document is None:
        raise NotFoundError(
            f"The run {run_id} has no summary yet.",
            hint=f"`qa-agents summarize {run_id}` makes one, `recover` ends one.",
        )
    review = workspace.inbox.of_run(account.run_id or "")
    waits = review is not None and review.waits
    return Summarised(
        summary=Summary.model_validate_json(document),
        account=account,
        review_id=review.review_id if review and waits else None,
        review_state=review.state if review else None,
        verdict=review.decision.verdict if review and review.decision and review.state == "decided" else None,
    )


def _head(workspace: "Workspace", name: str) -> Any:
    try:
        return workspace.run_store.head(name)
    except NotFoundError:
        return None


def subject_of(run_id: str) -> str:
    """Under which name the account, its reviews and the ledger know the summary of a kept run."""
    name = run_id if len(run_id) <= MAX_SUBJECT and run_id.isprintable() else digest_of(run_id)[:16]
    return f"summary/{name}"
