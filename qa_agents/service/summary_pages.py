"""Pages about test runs: the list of what is kept, and what one run means beside what is promised of it."""

from typing import TYPE_CHECKING, Any

from qa_agents.errors import NotFoundError
from qa_agents.service.sessions import Session
from qa_agents.service.web import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from qa_agents.checkpoint.schema import Review
    from qa_agents.results.summary import Summary

LISTED = 100


class SummaryPages:
    """The test runs of one workspace. What is held is answered at its review, like anything else that waits."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._workspace = site.workspace

    def routes(self) -> "list[BaseRoute]":
        """The routes, to be mounted by the application."""
        from starlette.routing import Route

        read = self._site.reading
        return [
            Route("/runs", read(self._list), methods=["GET"]),
            Route("/runs/{run_id:path}", read(self._show), methods=["GET"]),
        ]

    def body(self, review: "Review") -> dict[str, Any] | None:
        """The very summary that a review asks to sign, which may not be the newest; None once it was erased."""
        from qa_agents.results.summary import Summary

        try:
            document = self._workspace.document(str(review.shown.get("summary_sha256", "")))
        except NotFoundError:
            return None
        return self._view(Summary.model_validate_json(document))

    def _list(self, _: "Request", session: Session) -> "Response":
        from qa_agents.checkpoint.markup import Writer
        from qa_agents.summarizing import subject_of

        write, found = Writer(self._workspace.mask), []
        kept = self._workspace.run_store.find(limit=LISTED + 1)
        newest = self._workspace.inbox.newest([subject_of(run.info.run_id) for run in kept[:LISTED]])
        for run in kept[:LISTED]:
            review = newest.get(subject_of(run.info.run_id))
            red = run.counts.get("failed", 0) + run.counts.get("error", 0)
            found.append(
                {
                    "id": run.info.run_id,
                    "name": write.text(run.info.run_id),
                    "about": [
                        write.text(text)
                        for text in (run.info.branch, run.info.environment, run.info.commit[:12])
                        if text
                    ],
                    "when": run.when.timestamp(),
                    "tests": run.tests,
                    "outputs": run.outputs,
                    "red": red,
                    "review": review,
                    "waits": review is not None and review.waits,
                }
            )
        return self._site.page("runs.html", session, {"runs": found, "more": len(kept) > LISTED})

    def _show(self, request: "Request", session: Session) -> "Response":
        from qa_agents.summarizing import subject_of, summarised

        run_id = request.path_params["run_id"]
        self._workspace.run_store.head(run_id)  # an unknown run is told apart from one without a summary
        done = summarised(self._workspace, run_id)
        review = self._workspace.inbox.newest([subject_of(run_id)]).get(subject_of(run_id))
        waits = review is not None and review.waits
        body = {"told": self._view(done.summary), "review": review, "waits": waits, "subject": subject_of(run_id)}
        return self._site.page("run.html", session, body)

    def _view(self, summary: "Summary") -> dict[str, Any]:
        from qa_agents.service.summary_views import summary_view

        return summary_view(summary, self._workspace.mask)
