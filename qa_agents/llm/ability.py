"""What an endpoint can be held to: found by a tiny question once per endpoint and model, kept in the workspace."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qa_agents.llm.endpoint import Reply
from qa_agents.llm.faults import Fault
from qa_agents.llm.schema import MODES, Message, Mode
from qa_agents.llm.structured import messages_for, parsed, wire_schema
from qa_agents.storage.canonical import digest_of
from qa_agents.storage.engine import Database, recall_fact, remember_fact

PROBE_TOKENS = 120
_PROBE = (
    "A traffic light shows amber and two other colours. Say which colour is in the middle, and how many lights it has."
)


class Probe(BaseModel):
    """What the tiny question asks for: an enum, a bounded integer, and nothing else."""

    model_config = ConfigDict(extra="forbid")

    middle: Literal["red", "amber", "green"]
    lights: int = Field(ge=1, le=9)


Ask = Callable[[list[Message], Mode, dict[str, Any], int], Reply]
"""(messages, mode, schema, max_tokens) -> reply; raises Fault"""


class Abilities:
    """The surest way of asking per endpoint and model."""

    def __init__(self, database: Database, base_url: str) -> None:
        self._database, self._base_url = database, base_url
        self._known: dict[str, Mode] = {}

    def mode_of(self, model: str, ask: Ask) -> Mode:
        """The mode that works: remembered, else found by asking. Raises Fault where none works, or nothing answers."""
        if model not in self._known:
            self._known[model] = self._stored(model) or self._found(model, ask)
        return self._known[model]

    def forget(self, model: str) -> None:
        """Look again next time: the endpoint no longer does what it did."""
        self._known.pop(model, None)
        with self._database.write(durable=False) as connection:
            remember_fact(connection, self._name(model), None)

    def _found(self, model: str, ask: Ask) -> Mode:
        schema = wire_schema(Probe)
        last = Fault("invalid", "It cannot be held to a shape.")
        for mode in MODES:
            try:
                reply = ask(messages_for([Message(role="user", text=_PROBE)], mode, schema), mode, schema, PROBE_TOKENS)
                parsed(reply.text, Probe)
            except Fault as fault:
                if not (fault.unsupported or fault.reason == "truncated"):
                    raise
                last = fault
                continue
            with self._database.write(durable=False) as connection:
                remember_fact(connection, self._name(model), mode)
            return mode
        raise Fault("rejected", f"It cannot be held to a shape: {last.detail}")

    def _stored(self, model: str) -> Mode | None:
        with self._database.read() as connection:
            said = recall_fact(connection, self._name(model))
        return next((mode for mode in MODES if mode == said), None)

    def _name(self, model: str) -> str:
        return f"model:{digest_of([self._base_url, model])[:48]}"
