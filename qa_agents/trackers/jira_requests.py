"""What is sent, and what is told of a change that was made earlier."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qa_agents.trackers.changes import change
from qa_agents.trackers.jira_json import Json
from qa_agents.trackers.schema import Action, Applied

MAX_BEFORE_CHARS = 4_000
"""Earlier values longer than this are not kept in a mark: the change can then not be taken back."""


@dataclass(frozen=True)
class Write:
    """One request that changes something, exactly as it is sent."""

    method: str
    path: str
    body: Json = None


@dataclass(frozen=True)
class Plan:
    """What to send, in order; only the last request makes the change, those before it are marks."""

    writes: list[Write]
    settled: Callable[[Json], Applied]
    """From the last answer to what became of it."""


def again(action: Action, before: dict[str, Any], value: Json = None) -> Applied:
    """What the change did when it was made on the issue as it was before."""
    if value is not None and action.kind == "set_field":
        action = action.model_copy(update={"params": {**action.params, "value": value}})
    return change(unconditional(action), before)[1].model_copy(update={"already_there": True})


def unconditional(action: Action) -> Action:
    """Without what it expected: that was checked when it was made."""
    return action.model_copy(update={"params": {k: v for k, v in action.params.items() if k != "expect"}})
