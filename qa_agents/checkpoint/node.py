"""The checkpoint: the one place where a graph stops for a person. It interrupts and does nothing else."""

from typing import Any

from qa_agents.checkpoint.schema import Decision, Stopped


def checkpoint(state: Stopped) -> dict[str, Any]:
    """Show `state["shown"]` and wait; the answer, validated as a Decision, becomes `state["decision"]`.

    LangGraph runs this function again from its first line when the answer comes, so nothing may stand before the interrupt.
    """
    from langgraph.types import interrupt

    decision = interrupt(state["shown"], response_schema=Decision)
    return {"decision": Decision.model_validate(decision).model_dump(mode="json")}
