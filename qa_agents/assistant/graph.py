"""The chat graph, to be read like a diagram.

                 ┌─ triage · plan · summary ──┐   each runs its own graph; where that stops, its review is shown
hear ─ intent ───┼─ look_up ──────────────────┼─→ remember
                 ├─ explain · release ────────┤
                 ├─ decide · undo ────────────┤   only words that a person typed lead here
                 └─ talk ─────────────────────┘
"""

from typing import Any

from qa_agents.assistant.schema import ChatState
from qa_agents.assistant.steps import ROOMS, ChatSteps, after_hearing


def build_chat(steps: ChatSteps) -> Any:
    """The graph, uncompiled: whoever compiles it chooses the saver."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(ChatState)
    graph.add_node("hear", steps.hear)
    graph.add_node("triage", steps.triage)
    graph.add_node("plan", steps.plan)
    graph.add_node("summary", steps.summary)
    graph.add_node("look_up", steps.look_up)
    graph.add_node("explain", steps.explain)
    graph.add_node("release", steps.release)
    graph.add_node("decide", steps.decide)
    graph.add_node("undo", steps.undo)
    graph.add_node("talk", steps.talk)
    graph.add_node("remember", steps.remember)

    graph.add_edge(START, "hear")
    graph.add_conditional_edges("hear", after_hearing, list(ROOMS))
    for room in ROOMS:
        graph.add_edge(room, "remember")
    graph.add_edge("remember", END)
    return graph
