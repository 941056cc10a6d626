"""The nodes of the plan graph: plain functions from state to update, each testable without LangGraph."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from qa_agents.checkpoint.agent_inbox import with_agent_inbox
from qa_agents.checkpoint.schema import Decision
from qa_agents.errors import ConflictError
from qa_agents.incidents.schema import Incident
from qa_agents.plans.decisions import ASSUME, ItemDecision, open_questions
from qa_agents.plans.draft import Basis, draft_plan
from qa_agents.plans.read import Document, read_sources
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.schema import PlanState, Question, Requirement, TestPlan
from qa_agents.plurals import counted
from qa_agents.storage.canonical import digest_of

ASKED_AT_ONCE = 5
"""More open questions than a person answers at a sitting are listed, and asked later."""
_DOCUMENTS: TypeAdapter[list[Document]] = TypeAdapter(list[Document])
_REQUIREMENTS: TypeAdapter[list[Requirement]] = TypeAdapter(list[Requirement])

Similar = Callable[[str, Sequence[str]], Sequence[tuple[float, Incident]]]


@dataclass(frozen=True)
class PlanParts:
    """What the nodes work with; composed in wiring, replaced by twins in tests."""

    document: Callable[[str], bytes]
    """The bytes kept under a SHA-256."""
    keep: Callable[[bytes], str]
    """Keep bytes; their SHA-256."""
    publish: Callable[..., str]
    """(run_id, document, event=…, **summary) -> SHA-256 of the kept plan."""
    finish: Callable[..., None]
    """(run_id, report_state, **summary)"""
    decided: Callable[[str], Sequence[ItemDecision]]
    """Plan name to what people decided about its items, oldest first."""
    answer: Callable[[str, Mapping[str, str], str], None]
    """(plan name, question id to answer, by): keep answers, once."""
    similar: Similar
    """(text, security levels of the plan's sources): past incidents like it, with how alike they are, the nearest first."""


class PlanSteps:
    """One method per node."""

    def __init__(self, parts: PlanParts) -> None:
        self._parts = parts

    def read(self, state: PlanState) -> PlanState:
        """Turn the files into text and blocks, in a process of its own where a file may be hostile."""
        sources = state["options"]["sources"]
        named = [(str(one["name"]), self._parts.document(str(one["sha256"]))) for one in sources]
        told = {str(one["name"]): one for one in sources}
        documents = [_as_fetched(one, told.get(one.source.name, {})) for one in read_sources(named)]
        return {"read_sha256": self._parts.keep(_DOCUMENTS.dump_json(documents))}

    def find(self, state: PlanState) -> PlanState:
        """Find the requirements, each with the words it rests on."""
        found = find_requirements(self._documents(state))
        return {"requirements_sha256": self._parts.keep(_REQUIREMENTS.dump_json(found))}

    def draft(self, state: PlanState) -> PlanState:
        """Draft the plan with everything that people decided before, and publish it."""
        options = state["options"]
        previous = options.get("previous_sha256")
        existing = options.get("existing", [])
        documents = self._documents(state)
        levels = sorted({one.source.level for one in documents if one.source.level})
        basis = Basis(
            documents=documents,
            requirements=_REQUIREMENTS.validate_json(self._parts.document(state["requirements_sha256"])),
            similar=lambda text: self._parts.similar(text, levels),
            decisions=list(self._parts.decided(state["subject_id"])),
            previous=TestPlan.model_validate_json(self._parts.document(previous)) if previous else None,
            existing=[(str(one["name"]), self._parts.document(str(one["sha256"]))) for one in existing],
            domains=list(options.get("domains", [])),
        )
        plan = draft_plan(basis, title=str(options.get("title", "")))
        counts = {"requirements": len(plan.requirements), "cases": len(plan.cases), "questions": len(plan.questions)}
        return {
            "plan_sha256": self._parts.publish(
                state["run_id"], plan.model_dump_json().encode(), event="drafted", **counts
            )
        }

    def present(self, state: PlanState) -> PlanState:
        """Decide what a person is asked now: what the basis leaves open, once, and then the strategy's sign-off."""
        plan = self._plan(state)
        asked = not state["options"].get("ask", True) or "answered" in state
        open_ = [] if asked else open_questions(plan)[:ASKED_AT_ONCE]
        shown = questions_shown(plan, open_) if open_ else sign_off_shown(plan)
        return {
            "gate_decision": "ask",
            "shown": with_agent_inbox({**shown, "schema_version": 1, "plan_sha256": state["plan_sha256"]}),
            "decision": None,
        }

    def note_answers(self, state: PlanState) -> PlanState:
        """Keep the answers; a refusal to answer leaves the default assumptions, and nothing is asked again."""
        decision = _decision(state)
        given = decision.answers if decision.verdict == "answer" else {}
        questions = {question.id: question for question in self._plan(state).questions}
        answered = {
            name: questions[name].default_assumption if text.strip().casefold() == ASSUME else text
            for name, text in given.items()
            if name in questions
        }
        self._parts.answer(state["subject_id"], answered, decision.reviewer)
        return {"answered": answered, "decision": None}

    def record(self, state: PlanState) -> PlanState:
        """Close the account of the plan with the sign-off, or with its refusal."""
        decision = _decision(state)
        self._parts.finish(
            state["run_id"], "decided", verdict=decision.verdict, plan=state["plan_sha256"], by=decision.reviewer
        )
        return {}

    def _documents(self, state: PlanState) -> list[Document]:
        return _DOCUMENTS.validate_json(self._parts.document(state["read_sha256"]))

    def _plan(self, state: PlanState) -> TestPlan:
        return TestPlan.model_validate_json(self._parts.document(state["plan_sha256"]))


def _as_fetched(document: Document, told: Mapping[str, Any]) -> Document:
    """The document, which says what whoever fetched it had to leave out, and who may see it."""
    source = document.source
    unread, level = [*source.unread, *told.get("unread", ())], str(told.get("level", ""))
    return document.model_copy(update={"source": source.model_copy(update={"unread": unread, "level": level})})


def after_presenting(state: PlanState) -> str:
    """Open questions first, then the sign-off."""
    return "questions" if state["shown"]["form"] == "question" else "sign_off"


def questions_shown(plan: TestPlan, names: Sequence[str]) -> dict[str, Any]:
    """What is shown to somebody who shall answer: each question with what waits for it and what is assumed until then."""
    by_id = {question.id: question for question in plan.questions}
    more = len(open_questions(plan)) - len(names)
    return {
        "form": "question",
        "rules": ["open-question"],
        "summary": f"{plan.title}: {counted(len(names), 'question')} to answer"
        + (f", {more} more are listed" if more else ""),
        "plan": plan.id,
        "questions": [_asked(by_id[name]) for name in names],
    }


def sign_off_shown(plan: TestPlan) -> dict[str, Any]:
    """What is shown to whoever takes accountability for the strategy: the plan in numbers, its risks, assumptions and gaps."""
    assumed = [question for question in plan.questions if question.answer is None]
    worst = sorted(plan.risks, key=lambda risk: (-risk.level, risk.requirement_id))[:10]
    return {
        "form": "signoff",
        "rules": ["sign-off", *(f"domain:{name}" for name in plan.domains)],
        "summary": f"{plan.title}: {counted(len(plan.cases), 'case')} for {counted(len(plan.requirements), 'requirement')}",
        "plan": plan.id,
        "counts": {
            "requirements": len(plan.requirements),
            "items": len(plan.items),
            "cases": len(plan.cases),
            "suspect": sum(case.suspect is not None for case in plan.cases),
        },
        "coverage": {one.technique: f"{one.covered} of {one.items}" for one in plan.coverage},
        "risks": [{"requirement": r.requirement_id, "level": r.level, "reasons": r.reasons[:3]} for r in worst],
        "assumptions": [{"question": q.id, "text": q.text, "assumed": q.default_assumption} for q in assumed],
        "gaps": [{"kind": gap.kind, "ref": gap.ref, "why": gap.why} for gap in plan.gaps],
        "unread": [sentence for source in plan.sources for sentence in source.unread],
        "left_out": plan.left_out,
        "sign_offs": [one.model_dump() for one in plan.sign_offs],
        "waivable": [gap.ref for gap in plan.gaps],
    }


def _asked(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "text": question.text,
        "options": question.options,
        "assumed": question.default_assumption,
        "blocks": question.blocks_cases,
        "about": question.requirement_ids,
    }


def _decision(state: PlanState) -> Decision:
    """The decision about what this run shows. Raises ConflictError for one about something else."""
    decision = Decision.model_validate(state.get("decision"))
    if decision.digest != digest_of(state["shown"]):
        raise ConflictError(
            "The decision is about something else than what this plan shows.",
            hint="`qa-agents review list` shows what waits.",
        )
    return decision
