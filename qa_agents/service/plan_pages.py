"""Pages about test plans: the list, a plan beside its specification, one case with what a person may change."""

from typing import TYPE_CHECKING, Any, cast

from qa_agents.errors import ConflictError, NotFoundError, QAAgentsError, UsageError
from qa_agents.service.sessions import Session, reviewer_of
from qa_agents.service.web import Site, redirect, status_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from qa_agents.checkpoint.schema import Review
    from qa_agents.plans.decisions import ItemDecision, ItemVerdict
    from qa_agents.plans.schema import TestCase, TestPlan

LISTED = 200
VERDICTS = ("accept", "reject", "edit")


class PlanPages:
    """The plans of one workspace. Every change drafts the plan anew, and what waited for a signature is replaced."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._workspace = site.workspace

    def routes(self) -> "list[BaseRoute]":
        """The routes, to be mounted by the application."""
        from starlette.routing import Route

        read, change = self._site.reading, self._site.changing
        return [
            Route("/plans", read(self._list), methods=["GET"]),
            Route("/plans/{name}", read(self._show), methods=["GET"]),
            Route("/plans/{name}/requirements/{requirement_id}", change(self._accept_all), methods=["POST"]),
            Route("/plans/{name}/cases/{case_id}", read(self._case), methods=["GET"]),
            Route("/plans/{name}/cases/{case_id}", change(self._decide), methods=["POST"]),
        ]

    def body(self, review: "Review", page: int) -> dict[str, Any]:
        """What a review of a plan shows beside its form."""
        name = review.subject_id.removeprefix("plan/")
        return self._body(name, self._plan_of(review), page)

    def _list(self, _: "Request", session: Session) -> "Response":
        from qa_agents import planning
        from qa_agents.checkpoint.markup import Writer

        write, found = Writer(self._workspace.mask), []
        names = planning.names(self._workspace)[:LISTED]
        newest = self._workspace.inbox.newest([f"plan/{name}" for name in names])
        for name in names:
            review = newest.get(f"plan/{name}")
            found.append(
                {
                    "name": name,
                    "summary": write.text(review.shown.get("summary", "") if review else ""),
                    "review": review,
                    "waits": review is not None and review.waits,
                }
            )
        return self._site.page("plans.html", session, {"plans": found})

    def _show(self, request: "Request", session: Session) -> "Response":
        from qa_agents import planning

        name, number = request.path_params["name"], request.query_params.get("page", "1")
        plan = planning.plan_of(self._workspace, name)
        review = self._workspace.inbox.newest([f"plan/{name}"]).get(f"plan/{name}")
        body = {
            **self._body(name, plan, int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1),
            "review": review,
            "waits": review is not None and review.waits,
        }
        return self._site.page("plan_page.html", session, body)

    def _case(self, request: "Request", session: Session) -> "Response":
        return self._case_page(request, session)

    def _decide(self, request: "Request", session: Session, form: dict[str, str]) -> "Response":
        from qa_agents import planning

        name, case_id = request.path_params["name"], request.path_params["case_id"]
        try:
            verdict = form.get("verdict", "")
            if verdict not in VERDICTS:
                raise UsageError("A case is accepted, rejected or changed.")
            reason = form.get("reason", "").strip()[:10_000]
            if verdict == "reject" and not reason:
                raise UsageError("Say why the case is rejected.", hint="The reason is kept with it.")
            edits = _changed(form) if verdict == "edit" else {}
            if verdict == "edit" and not edits:
                raise UsageError("Nothing was changed.", hint="Accept the case, or change a field.")
            planning.decide_item(
                self._workspace,
                name,
                case_id,
                cast("ItemVerdict", verdict),
                text=reason,
                edits=edits,
                reviewer=session.name,
                recognised=reviewer_of(self._workspace.inbox.policy, session),
            )
        except QAAgentsError as error:
            return self._case_page(request, session, said=error, typed=form)
        return redirect(f"/plans/{name}#c-{case_id}" if verdict != "reject" else f"/plans/{name}")

    def _accept_all(self, request: "Request", session: Session, form: dict[str, str]) -> "Response":
        """Accept every case of a requirement that was shown and that nobody judged yet, in one draft."""
        from qa_agents import planning

        name, requirement_id = request.path_params["name"], request.path_params["requirement_id"]
        wanted = set(form.get("cases", "").split())
        shown = [
            case.id
            for case in planning.plan_of(self._workspace, name).cases
            if requirement_id in case.requirement_ids and case.id in wanted
        ]
        if not shown:
            raise ConflictError("These cases have changed since you opened the page.", hint="Look again, then decide.")
        person = reviewer_of(self._workspace.inbox.policy, session)
        planning.accept_items(self._workspace, name, shown, recognised=person)
        return redirect(f"/plans/{name}#r-{requirement_id}")

    def _case_page(
        self,
        request: "Request",
        session: Session,
        *,
        said: QAAgentsError | None = None,
        typed: dict[str, str] | None = None,
    ) -> "Response":
        from qa_agents import planning
        from qa_agents.service.plan_views import case_view

        name, case_id = request.path_params["name"], request.path_params["case_id"]
        plan = planning.plan_of(self._workspace, name)
        found: TestCase | None = next((case for case in plan.cases if case.id == case_id), None)
        if found is None:
            raise NotFoundError(f"The plan has no case {case_id[:80]}.", hint="It may have been rejected meanwhile.")
        body = {
            **case_view(plan, found, self._decided(name), self._workspace.mask),
            "name": name,
            "said": said,
            "typed": typed or {},
        }
        return self._site.page("case.html", session, body, status_of(said) if said else 200)

    def _body(self, name: str, plan: "TestPlan", page: int) -> dict[str, Any]:
        from qa_agents import planning
        from qa_agents.service.plan_views import plan_view

        texts = planning.source_texts(self._workspace, name)
        view = plan_view(plan, texts, self._decided(name), self._workspace.mask, page=page)
        return {"name": name, "plan": view}

    def _plan_of(self, review: "Review") -> "TestPlan":
        """The very plan that the review shows, which may not be the newest."""
        from qa_agents.plans.schema import TestPlan

        return TestPlan.model_validate_json(self._workspace.document(str(review.shown.get("plan_sha256", ""))))

    def _decided(self, name: str) -> "list[ItemDecision]":
        from qa_agents.plans.decisions import decided

        with self._workspace.database.read() as connection:
            return decided(connection, f"plan/{name}")


def _changed(form: dict[str, str]) -> dict[str, Any]:
    """Fields whose text is another than the one that was shown."""
    return {
        name[4:]: value.strip()
        for name, value in form.items()
        if name.startswith("set-") and value.strip() != form.get(f"was-{name[4:]}", "").strip()
    }
