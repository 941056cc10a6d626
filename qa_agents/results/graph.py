"""The summary graph, to be read like a diagram.

read → compare → cluster → relate → narrate → judge ─ pass ─→ publish
                                                └─ hold ─→ SIGN_OFF → publish
"""

from typing import Any

from qa_agents.checkpoint.node import checkpoint
from qa_agents.results.steps import SummaryParts, SummarySteps, after_judging
from qa_agents.results.summary import SummaryState


def build_summary(parts: SummaryParts) -> Any:
    """The graph over these parts, not compiled yet."""
    from langgraph.graph import END, START, StateGraph

    steps = SummarySteps(parts)
    graph = StateGraph(SummaryState)
    graph.add_node("read", steps.read)
    graph.add_node("compare", steps.compare)
    graph.add_node("cluster", steps.cluster)
    graph.add_node("relate", steps.relate)
    graph.add_node("narrate", steps.narrate)
    graph.add_node("judge", steps.judge)
    graph.add_node("sign_off", checkpoint)
    graph.add_node("publish", steps.publish)

    graph.add_edge(START, "read")
    graph.add_edge("read", "compare")
    graph.add_edge("compare", "cluster")
    graph.add_edge("cluster", "relate")
    graph.add_edge("relate", "narrate")
    graph.add_edge("narrate", "judge")
    graph.add_conditional_edges("judge", after_judging, ["sign_off", "publish"])
    graph.add_edge("sign_off", "publish")
    graph.add_edge("publish", END)
    return graph
