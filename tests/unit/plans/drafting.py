"""A plan for a text, as the whole pipeline drafts it."""

from qa_agents.plans.draft import Basis, draft_plan
from qa_agents.plans.read import read_sources
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.schema import TestCase, TestPlan


def plan_of(text: str, name: str = "spec.md") -> TestPlan:
    """The plan for one file."""
    documents = read_sources([(name, text.encode())])
    return draft_plan(Basis(documents, find_requirements(documents)), title="Drafted")


def done(case: TestCase) -> list[tuple[str, str]]:
    """What is done and seen, step by step."""
    return [(f"{step.action} {step.data}".strip(), step.expected) for step in case.steps]
