"""The review pages: what waits, one review on one screen, the answer, a history, the ledger, the record. No build step."""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from qa_agents.checkpoint.markup import Writer
from qa_agents.checkpoint.schema import VERDICTS, Review
from qa_agents.checkpoint.votes import hours_left, progress, proposals, same_person
from qa_agents.checkpoint.waiting import Filters, waiting_page
from qa_agents.errors import ConflictError, NotFoundError, QAAgentsError, UsageError
from qa_agents.service.forms import WAIVERS, answer_of
from qa_agents.service.login import Login
from qa_agents.service.plan_pages import PlanPages
from qa_agents.service.sessions import Session, reviewer_of
from qa_agents.service.summary_pages import SummaryPages
from qa_agents.service.views import shown_view, verdict_view
from qa_agents.service.web import Site, query, redirect, status_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from qa_agents.wiring import Workspace

LEDGER_LINES = 100
FILTERS = ("kind", "gate", "rule", "mine", "subject", "late")
PERIODS = {"7": "a week", "30": "30 days", "90": "90 days", "": "all time"}


class Pages:
    """The pages over one workspace."""

    def __init__(self, workspace: "Workspace", *, secure: bool = False) -> None:
        self._workspace = workspace
        self._site = Site(workspace, secure=secure)
        self._plans = PlanPages(self._site)
        self._summaries = SummaryPages(self._site)

    def routes(self) -> "list[BaseRoute]":
        """Every page's route; none of them is part of the API's description."""
        from starlette.routing import Route

        read, change = self._site.reading, self._site.changing
        return [
            Route("/", self._home, methods=["GET"]),
            Route("/pages/{name}", self._static, methods=["GET"]),
            *Login(self._site).routes(),
            Route("/reviews", read(self._list), methods=["GET"]),
            Route("/reviews/next", read(self._next), methods=["GET"]),
            Route("/reviews/{review_id}", read(self._show), methods=["GET"]),
            Route("/reviews/{review_id}", change(self._decide), methods=["POST"]),
            Route("/reports/{report_id:path}", read(self._history), methods=["GET"]),
            Route("/ledger", read(self._ledger), methods=["GET"]),
            Route("/stats", read(self._stats), methods=["GET"]),
            *self._plans.routes(),
            *self._summaries.routes(),
        ]

    def operations(self, schema: dict[str, Any]) -> "Response":
        """The API's operations as a page of our own: what comes with FastAPI loads its script from elsewhere."""
        rows = [
            {
                "method": method.upper(),
                "path": path,
                "what": what.get("summary", ""),
                "answers": sorted(what.get("responses", {})),
            }
            for path, methods in schema["paths"].items()
            for method, what in methods.items()
        ]
        return self._site.page("docs.html", None, {"rows": rows})

    async def _home(self, _: "Request") -> "Response":
        return redirect("/reviews")

    async def _static(self, request: "Request") -> "Response":
        return self._site.static(request.path_params["name"])

    def _list(self, request: "Request", session: Session) -> "Response":
        asked = {name: request.query_params.get(name, "")[:200] for name in FILTERS}
        with self._workspace.database.read() as connection:
            found = waiting_page(
                connection,
                time.time(),
                filters=_filters(asked, session),
                page=_number(request.query_params.get("page"), 1),
                policy=self._workspace.inbox.policy,
            )
        turn = {
            name: query(asked, page=str(found.page + step))
            for name, step in (("earlier", -1), ("later", 1))
            if 1 <= found.page + step <= found.pages
        }
        write = Writer(self._workspace.mask)
        lines = [{**line.model_dump(), "summary": write.text(line.summary)} for line in found.lines]
        return self._site.page("list.html", session, {"found": found, "lines": lines, "asked": asked, "turn": turn})

    def _next(self, request: "Request", session: Session) -> "Response":
        """What waits first, for somebody who has just answered something."""
        after = request.query_params.get("after", "")
        with self._workspace.database.read() as connection:
            found = waiting_page(connection, time.time(), policy=self._workspace.inbox.policy)
        others = [line.review_id for line in found.lines if line.review_id != after]
        return redirect(f"/reviews/{others[0]}" if others else "/reviews")

    def _show(self, request: "Request", session: Session) -> "Response":
        review = self._workspace.inbox.find(request.path_params["review_id"])
        return self._page(request, session, review)

    def _decide(self, request: "Request", session: Session, form: dict[str, str]) -> "Response":
        from qa_agents.operations.deciding import decide

        workspace = self._workspace
        person = reviewer_of(workspace.inbox.policy, session)
        review = workspace.inbox.find(request.path_params["review_id"])
        if _is_repetition(review, session, form):
            return redirect(f"/reviews/{review.review_id}")
        try:
            if form.get("digest") != review.digest:
                raise ConflictError("This review has changed since you opened it.", hint="Look again, then decide.")
            answer = answer_of(form, now=datetime.now(UTC))
            decided = decide(workspace, review.review_id, reviewer=person.name, recognised=person, **answer)
        except QAAgentsError as error:
            newest = workspace.inbox.find(review.review_id)
            shown = error if not isinstance(error, UsageError) else UsageError(error.message)
            return self._page(request, session, newest, said=shown, typed=form, status=max(status_of(error), 400))
        if decided.canary:
            return self._page(request, session, workspace.inbox.find(review.review_id), canary=decided.canary)
        return redirect(f"/reviews/{decided.review_waiting or review.review_id}")

    def _page(
        self,
        request: "Request",
        session: Session,
        review: Review,
        *,
        said: QAAgentsError | None = None,
        typed: dict[str, str] | None = None,
        canary: str = "",
        status: int = 200,
    ) -> "Response":
        """One review with its answer form; `typed` is what the person had filled in."""
        workspace, write = self._workspace, Writer(self._workspace.mask)
        policy = workspace.inbox.policy
        approvals, needed = progress(policy, review)
        body: dict[str, Any] = {
            "review": review,
            "said": said,
            "typed": typed or {},
            "canary": write.text(canary),
            "open": review.waits,
            "newer": self._newer(review),
            "verdicts": VERDICTS[review.form],
            "reasons": policy.all_reason_codes,
            "people": [*policy.reviewers, *sorted(policy.roles)],
            "shown": shown_view(review.shown, workspace.mask),
            "editable": list(review.shown.get("editable") or ()),
            "votes": [
                {
                    "who": vote.reviewer,
                    "what": vote.verdict,
                    "edits": [write.text(f"{field} = {value}") for field, value in vote.edits.items()],
                    "note": write.text(vote.note),
                    "to": vote.to,
                }
                for vote in review.votes
            ],
            "edits_of": [
                vote.reviewer
                for vote in proposals(review.votes).values()
                if same_person(vote.reviewer) != same_person(session.name)
            ],
            "approvals": approvals,
            "needed": needed,
            "hours_left": hours_left(policy, review, time.time()),
            "tomorrow": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d"),
            "waivers": WAIVERS,
            "written": [] if review.waits else self._written(review, write),
        }
        if review.kind == "plan":
            page = _number(request.query_params.get("page"), 1)
            return self._site.page("plan_review.html", session, {**body, **self._plans.body(review, page)}, status)
        if review.kind == "summary":
            return self._site.page(
                "summary_review.html", session, {**body, "told": self._summaries.body(review)}, status
            )
        return self._site.page("review.html", session, {**body, "verdict": self._verdict(review)}, status)

    def _verdict(self, review: Review) -> dict[str, Any] | None:
        """What was shown of a triage; None once it was erased."""
        from qa_agents.operations.handling import verdict_of

        if review.kind != "triage":
            return None
        try:
            triage = verdict_of(self._workspace, review.run_id)
            report = self._workspace.triage_parts.report_of(str(triage.provenance.get("report_sha256", "")))
        except NotFoundError:
            return None
        return verdict_view(triage, report.description, self._workspace.mask)

    def _newer(self, review: Review) -> str | None:
        """What waits for the same subject now, when this was replaced."""
        if review.state != "superseded":
            return None
        newest = self._workspace.inbox.find(review.subject_id)
        return newest.review_id if newest.review_id != review.review_id else None

    def _written(self, review: Review, write: Writer) -> list[dict[str, Any]]:
        from qa_agents.trackers.schema import Action, describe

        found = []
        for one in self._workspace.outbox.of_run(review.run_id):
            action = Action.model_validate({name: one[name] for name in ("kind", "target", "params")})
            found.append(
                {"what": write.text(describe(action)), "state": one["state"], "error": write.text(one["error"] or "")}
            )
        return found

    def _history(self, request: "Request", session: Session) -> "Response":
        from qa_agents.checkpoint.chain import Verification
        from qa_agents.checkpoint.export import story
        from qa_agents.service.record_views import history_view

        workspace, report_id = self._workspace, request.path_params["report_id"]
        found = story(workspace.database, report_id, Verification(), time.time())
        if not found["accounts"] and not found["reviews"]:
            raise NotFoundError(
                f"There is no report {report_id[:80]}.", hint="Its id is that of the issue or the file."
            )
        return self._site.page("history.html", session, {"history": history_view(found, workspace.mask)})

    def _ledger(self, request: "Request", session: Session) -> "Response":
        from qa_agents.checkpoint.ledger import newest_before
        from qa_agents.service.record_views import entry_view

        about = request.query_params.get("about", "")[:500] or None
        before = _number(request.query_params.get("before"), 0) or None
        found = newest_before(self._workspace.database, LEDGER_LINES, before=before, about=about)
        write = Writer(self._workspace.mask)
        body = {
            "entries": [entry_view(entry, write) for entry in reversed(found)],
            "about": about,
            "before": before,
            "older": found[0].seq if len(found) == LEDGER_LINES and found[0].seq > 1 else None,
        }
        return self._site.page("ledger.html", session, body)

    def _stats(self, request: "Request", session: Session) -> "Response":
        from qa_agents.checkpoint.reviewers import stats
        from qa_agents.checkpoint.timeliness import timeliness
        from qa_agents.service.record_views import rate_view, stats_view

        days = request.query_params.get("days", "90")
        days = days if days in PERIODS else "90"
        now = time.time()
        since = now - int(days) * 86_400 if days else None
        kept = timeliness(self._workspace.database, since=since or 0.0, now=now)
        body = {
            **stats_view(stats(self._workspace.database, since=since)),
            "days": days,
            "periods": PERIODS,
            "in_time": rate_view(kept.in_time),
            "timeliness": kept,
        }
        return self._site.page("stats.html", session, body)


def _filters(asked: dict[str, str], session: Session) -> Filters:
    return Filters(
        kind=asked.get("kind"),
        gate=asked.get("gate"),
        rule=asked.get("rule"),
        assigned_to=session.name if asked.get("mine") else None,
        subject=asked.get("subject"),
        overdue=bool(asked.get("late")),
    )


def _is_repetition(review: Review, session: Session, form: dict[str, str]) -> bool:
    """Whether this very answer was taken already, as after a double click."""
    taken = review.decision if review.state == "decided" else None
    return (
        taken is not None
        and form.get("digest") == review.digest
        and (taken.reviewer, taken.verdict) == (session.name, form.get("verdict"))
    )


def _number(text: str | None, default: int) -> int:
    """A page or entry number of a URL; anything else is the default."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default
