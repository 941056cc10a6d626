"""From documents to atomic, testable statements, each with the words it rests on."""

from qa_agents.plans.requirements.find import find_requirements

__all__ = ["find_requirements"]
