"""The plan graph, to be read like a diagram.

read → find → draft → present ─ open questions ─→ QUESTIONS → note_answers → find …
                        └─ else ─→ SIGN_OFF → record
"""

from typing import Any

from qa_agents.checkpoint.node import checkpoint
from qa_agents.plans.schema import PlanState
from qa_agents.plans.steps import PlanParts, PlanSteps, after_presenting


def build_plan(parts: PlanParts) -> Any:
    """The graph over these parts, not compiled yet."""
    from langgraph.graph import END, START, StateGraph

    steps = PlanSteps(parts)
    graph = StateGraph(PlanState)
    graph.add_node("read", steps.read)
    graph.add_node("find", steps.find)
    graph.add_node("draft", steps.draft)
    graph.add_node("present", steps.present)
    graph.add_node("questions", checkpoint)
    graph.add_node("note_answers", steps.note_answers)
    graph.add_node("sign_off", checkpoint)
    graph.add_node("record", steps.record)

    graph.add_edge(START, "read")
    graph.add_edge("read", "find")
    graph.add_edge("find", "draft")
    graph.add_edge("draft", "present")
    graph.add_conditional_edges("present", after_presenting, ["questions", "sign_off"])
    graph.add_edge("questions", "note_answers")
    graph.add_edge("note_answers", "find")
    graph.add_edge("sign_off", "record")
    graph.add_edge("record", END)
    return graph
