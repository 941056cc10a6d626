"""The nodes of the chat graph: functions from state to update, over the same operations as the commands."""

import contextlib
from collections.abc import Callable
from typing import Any, Literal, get_args

from qa_agents.assistant import lookup, words, work
from qa_agents.assistant.deeds import Deeds, Told
from qa_agents.assistant.intents import as_if, core_of, plain, understand
from qa_agents.assistant.references import Known
from qa_agents.assistant.release import release_reply, release_view
from qa_agents.assistant.schema import (
    KEPT_ITEMS,
    KEPT_REVIEWS,
    KEPT_TURNS,
    ChatState,
    Intent,
    IntentName,
    Item,
    Memory,
    Message,
    Reply,
    Turn,
)
from qa_agents.errors import EmbedderError, QAAgentsError

Room = Literal["triage", "plan", "summary", "look_up", "explain", "release", "decide", "undo", "talk"]
ROOMS: tuple[Room, ...] = get_args(Room)
_ROOM_OF: dict[str, Room] = {
    "triage": "triage", "plan": "plan", "summary": "summary", "similar": "look_up", "show": "look_up", "waiting": "look_up",
    "who": "look_up", "explain": "explain", "release": "release", "decide": "decide", "undo": "undo", "confirm": "undo",
}  # fmt: skip
_SAID_CHARS = 300
NOT_BY_HAND = (
    "These lines come from a pipe, so I read and draft, and do not decide or undo. Start with --act to allow it."
)


class ChatSteps(Deeds):
    """One method per node."""

    def hear(self, state: ChatState) -> ChatState:
        """Say what the message asks for: by rules, then by a model where one is configured, then by likeness."""
        message, memory = _message(state), _memory(state)
        space = self._parts.workspace

        def known(token: str) -> Item | None:
            return lookup.known(space, token)

        intent = understand(message, memory, known, space.policy.all_reason_codes)
        if intent.name == "unknown" and message.typed:
            intent = self._unruled(intent, message, memory, known)
        return {"intent": intent.model_dump(mode="json"), "memory": memory.model_dump(mode="json"), "reply": {}}

    def _unruled(self, unknown: Intent, message: Message, memory: Memory, known: Known) -> Intent:
        """What a message that no rule knows asks for: by a model where one is configured, then by likeness.

        Where a model can word an answer, a question about the past is answered, not only looked up.
        """
        name: IntentName = "unknown"
        about, ask, core = "", self._parts.ask, core_of(message.typed)
        if ask is not None:
            name, about = ask.intent(core, self._parts.emit, self._parts.drain)
        if self._parts.drain.is_set():
            return Intent(name="cancel", text="Stopped.")
        if name == "unknown" and self._parts.nearest is not None:
            with contextlib.suppress(EmbedderError):
                name = self._parts.nearest.intent(core)
        taken = as_if(name, message, memory, known)
        bare = taken.name == "explain" and not taken.refs and not memory.report
        worded = ask is not None and ask.words_answers and (taken.name == "similar" or bare)
        return unknown.model_copy(update={"value": about}) if taken.name == "unknown" or worded else taken

    def triage(self, state: ChatState) -> ChatState:
        """Triage a file, a text or what was pasted; several reports are listed."""
        intent, memory = _intent(state), _memory(state)
        if not intent.text and not intent.files and intent.refs:
            return self._explain(intent.model_copy(update={"name": "explain"}), memory)
        if not intent.text and not intent.files:
            reply = Reply(text="Paste the report, or name a file: triage reports/IN-7.json", next=["/triage FILE"])
            return _said(reply, memory.model_copy(update={"expecting": "triage"}))
        return self._answered(memory, lambda: self._triage(intent, memory))

    def plan(self, state: ChatState) -> ChatState:
        """Draft a plan from the files that were named."""
        intent, memory = _intent(state), _memory(state)
        if not intent.files:
            plans = [item for item in intent.refs if item.kind == "plan"]
            if plans:
                return self._answered(memory, lambda: self._show(plans[0], memory))
            reply = Reply(text="From which specification? Name the file: plan specs/booking.docx", next=["/plan SPEC…"])
            return _said(reply, memory)
        return self._answered(memory, lambda: self._plan(intent, memory))

    def summary(self, state: ChatState) -> ChatState:
        """Say what a test run means."""
        intent, memory = _intent(state), _memory(state)
        if not intent.files:
            return _said(
                Reply(text="Which run? Name its files: summarise results/junit.xml", next=["/summary RUN…"]), memory
            )
        return self._answered(memory, lambda: self._summary(intent, memory))

    def look_up(self, state: ChatState) -> ChatState:
        """Past incidents, one thing whole, what waits, or who did what."""
        intent, memory = _intent(state), _memory(state)
        does = {"similar": self._similar, "show": self._show_named, "waiting": self._waiting, "who": self._who}
        return self._answered(memory, lambda: does[intent.name](intent, memory))

    def explain(self, state: ChatState) -> ChatState:
        """Say why a verdict came out so."""
        return self._explain(_intent(state), _memory(state))

    def release(self, state: ChatState) -> ChatState:
        """Say what is on record against releasing."""
        memory = _memory(state)

        def view() -> Told:
            version = work.version_in(_intent(state).text)
            return release_reply(release_view(self._parts.workspace), version), None, memory

        return self._answered(memory, view)

    def decide(self, state: ChatState) -> ChatState:
        """Carry a typed decision out, about a review that was shown in this conversation and is still the same."""
        intent, memory, message = _intent(state), _memory(state), _message(state)
        if not message.by_hand:
            return _said(Reply(text=NOT_BY_HAND, ok=False), memory)
        return self._answered(memory, lambda: self._decide(intent, memory))

    def undo(self, state: ChatState) -> ChatState:
        """Show what an undo would do; do it when the very next words are a yes."""
        intent, memory, message = _intent(state), _memory(state), _message(state)
        if intent.name == "confirm" and memory.undo is None:
            said = (
                f"To answer {memory.review}, say approve, or one of the other answers."
                if memory.review
                else "There is nothing to confirm."
            )
            return _said(Reply(text=said, ok=memory.review is not None), memory)
        if not message.by_hand:
            return _said(Reply(text=NOT_BY_HAND, ok=False), memory)
        return self._answered(memory, lambda: self._undo(intent, memory))

    def talk(self, state: ChatState) -> ChatState:
        """Everything that needs no operation, and what was not understood."""
        intent, memory = _intent(state), _memory(state)
        said: dict[str, Reply] = {
            "help": words.help_reply(self._parts.ask is not None),
            "greet": Reply(text=f"Hello. {words.HELLO}", next=["what waits for me?", "/help"]),
            "thanks": Reply(text="You are welcome.", next=["what waits for me?"]),
            "quit": Reply(text="Goodbye. The conversation is kept."),
            "cancel": Reply(text=intent.text or "Left as it is."),
            "complaint": Reply(text=intent.text, ok=False),
        }
        if intent.name in said:
            return _said(said[intent.name], memory)
        if intent.name == "how_to_decide":
            return self._answered(memory, lambda: self._how_to_decide(intent, memory))
        if intent.name == "status":
            return self._answered(memory, lambda: (work.status(self._parts.workspace), None, memory))
        return self._answered(memory, lambda: self._free(intent, memory))

    def remember(self, state: ChatState) -> ChatState:
        """Keep what was listed and shown, so that “it” and “the second” mean something next time."""
        reply, memory, intent = Reply.model_validate(state["reply"]), _memory(state), _intent(state)
        message = _message(state)
        changes: dict[str, Any] = {}
        if reply.listed:
            changes["items"] = [item for item, _ in reply.listed][:KEPT_ITEMS]
            if len(reply.listed) == 1:
                changes["focus"] = reply.listed[0][0]
        if reply.review is not None:
            pairs = [*memory.reviews.items(), (reply.review.review_id, reply.review.digest)]
            changes |= {"reviews": dict(pairs[-KEPT_REVIEWS:]), "review": reply.review.review_id}
            if memory.review != reply.review.review_id:
                changes["answers"] = {}
        if intent.name not in ("undo", "help"):
            changes["undo"] = None
        is_report = intent.name == "triage" or message.pasted or len(message.typed) > _SAID_CHARS
        turn = Turn(
            said="(a report)" if is_report else self._parts.workspace.mask(message.typed),
            intent=intent.name,
            about=[item.id for item in ([memory.focus] if memory.focus else [])],
            at=self._parts.now().timestamp(),
        )
        changes["turns"] = [*memory.turns, turn][-KEPT_TURNS:]
        # What a report says is not kept in the conversation: the reply has been given, and its words go with the message.
        return {
            "memory": memory.model_copy(update=changes).model_dump(mode="json"),
            "message": {},
            "intent": {},
            "reply": {},
        }

    def _answered(self, memory: Memory, does: "Callable[[], Told]") -> ChatState:
        """The update of a node; what a person can act on is told as an answer."""
        try:
            reply, about, after = does()
        except QAAgentsError as error:
            if self._parts.drain.is_set():
                return _said(
                    Reply(text="Stopped. What was received is kept; `qa-agents recover` goes on with it.", ok=False),
                    memory,
                )
            return _said(Reply(text=str(error), ok=False), memory)
        return _said(reply, after.model_copy(update={"focus": about or after.focus}))

    def _explain(self, intent: Intent, memory: Memory) -> ChatState:
        def why() -> Told:
            bare = memory.focus if not intent.refs and intent.aspect is None and not intent.value else None
            target = next(iter(intent.refs), bare)
            if target is not None and target.kind in ("plan", "run"):
                return self._show(target, memory)
            item = next(iter(intent.refs), None)
            name = item.id if item else memory.report or memory.review
            if name is None:
                return Reply(text="About which report? For example: why S2 for IN-401?", ok=False), None, memory
            if item is not None and item.kind == "incident" and memory.report and intent.aspect == "relation":
                name = memory.report
            reply, report = work.explain(self._parts.workspace, name, intent)
            asked = plain(intent.text)
            reply = reply.model_copy(update={"next": [one for one in reply.next if plain(one) != asked]})
            return reply, Item(kind="report", id=report), memory.model_copy(update={"report": report})

        return self._answered(memory, why)


def after_hearing(state: ChatState) -> str:
    """The node that answers this intent."""
    return _ROOM_OF.get(state["intent"]["name"], "talk")


def _said(reply: Reply, memory: Memory) -> ChatState:
    return {"reply": reply.model_dump(mode="json"), "memory": memory.model_dump(mode="json")}


def _message(state: ChatState) -> Message:
    return Message.model_validate(state["message"])


def _intent(state: ChatState) -> Intent:
    return Intent.model_validate(state["intent"])


def _memory(state: ChatState) -> Memory:
    return Memory.model_validate(state.get("memory") or {})
