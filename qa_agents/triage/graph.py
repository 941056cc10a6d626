"""The triage graph, to be read like a diagram.

receive → read → retrieve → [classify ‖ relate ‖ rate_severity] → hypothesise → consult → gate → remember ─ auto ─→ apply → record
                                                                                                    └─ else → CHECKPOINT ↗
`apply` goes back to `receive` when the issue moved, and to the checkpoint when the gate that let it through is closed by now.
"""

from typing import Any

from qa_agents.checkpoint.node import checkpoint
from qa_agents.triage.schema import TriageState
from qa_agents.triage.steps import Parts, Steps, after_applying, after_remembering


def build_triage(parts: Parts) -> Any:
    """The graph, uncompiled: whoever compiles it chooses the saver."""
    from langgraph.graph import END, START, StateGraph

    steps = Steps(parts)
    graph = StateGraph(TriageState)
    graph.add_node("receive", steps.receive)
    graph.add_node("read", steps.read)
    graph.add_node("retrieve", steps.retrieve)
    graph.add_node("classify", steps.classify)
    graph.add_node("relate", steps.relate)
    graph.add_node("rate_severity", steps.rate_severity)
    graph.add_node("hypothesise", steps.hypothesise)
    graph.add_node("consult", steps.consult)
    graph.add_node("gate", steps.gate)
    graph.add_node("remember", steps.remember)
    graph.add_node("checkpoint", checkpoint)
    graph.add_node("apply", steps.apply)
    graph.add_node("record", steps.record)

    graph.add_edge(START, "receive")
    graph.add_edge("receive", "read")
    graph.add_edge("read", "retrieve")
    for judge in ("classify", "relate", "rate_severity"):
        graph.add_edge("retrieve", judge)
    graph.add_edge(["classify", "relate", "rate_severity"], "hypothesise")
    graph.add_edge("hypothesise", "consult")
    graph.add_edge("consult", "gate")
    graph.add_edge("gate", "remember")
    graph.add_conditional_edges("remember", after_remembering, ["apply", "checkpoint"])
    graph.add_edge("checkpoint", "apply")
    graph.add_conditional_edges("apply", after_applying, ["receive", "checkpoint", "record"])
    graph.add_edge("record", END)
    return graph
