"""Documents straight from text, without a process of their own."""

import hashlib

from qa_agents.plans.read import Document
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parse import parse
from qa_agents.plans.read.sources import document_of
from qa_agents.plans.requirements import find_requirements
from qa_agents.plans.schema import Requirement


def document(text: str, name: str = "spec.md") -> Document:
    return document_of(name, hashlib.sha256(text.encode()).hexdigest(), parse(name, text.encode(), Limits()))


def found(text: str, name: str = "spec.md") -> list[Requirement]:
    return find_requirements([document(text, name)])


def only(text: str, name: str = "spec.md") -> Requirement:
    (one,) = found(text, name)
    return one
