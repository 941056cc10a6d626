"""What the chat does for a message: each deed answers with a reply, what it is about, and the memory after it."""

import contextvars
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from qa_agents.assistant import answers, cards, lookup, words, work
from qa_agents.assistant.asking import Ask
from qa_agents.assistant.schema import (
    Intent,
    Item,
    ItemKind,
    Memory,
    Point,
    Reply,
)
from qa_agents.errors import NotFoundError
from qa_agents.runtime.drain import Drain, drained_by
from qa_agents.summarizing import summarised, summarised_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from qa_agents.assistant.nearest import Nearest
    from qa_agents.wiring import Workspace


T = TypeVar("T")
Told = tuple[Reply, Item | None, Memory]
"""The reply, what “it” means now, and what is remembered."""
_SUBJECTS: dict[str, ItemKind] = {"triage": "report", "plan": "plan", "summary": "run"}
WORTH_TELLING = 256
"""A backlog of the memory's indexes below this is caught up with in silence."""


@dataclass
class Parts:
    """What the nodes work with. `emit` tells progress and tokens while a message is answered."""

    workspace: "Workspace"
    reviewer: str | None = None
    token: "SecretStr | None" = None
    ask: Ask | None = None
    nearest: "Nearest | None" = None
    emit: Callable[[str, str], None] = lambda kind, text: None
    """(kind, text): `progress` or `token`."""
    drain: Drain = field(default_factory=Drain)
    """Set anew for each message; what it is asked for stops between two steps."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _warmed: bool = False

    def warm(self) -> None:
        """Bring the memory's indexes up to date, once; what could not be done is told and does not stop anything."""
        if self._warmed:
            return
        self._warmed = True
        for problem in self.workspace.memory.catch_up(self._catching_up):
            self.emit("progress", problem)

    def _catching_up(self, what: str, done: int, total: int | None) -> None:
        if total is not None and total >= WORTH_TELLING and done % WORTH_TELLING == 0:
            self.emit("progress", f"bringing the memory up to date: {what} {done} of {total}")


class Deeds:
    """One method per thing that can be done; each may raise what a person can act on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def _alone(self, does: Callable[[], T]) -> T:
        """Call something that drives a graph of its own, apart from this one: LangGraph takes a graph that is invoked within
        another for a part of it, and its interrupts for the outer one's."""

        def within() -> T:
            with drained_by(self._parts.drain):
                return does()

        return contextvars.Context().run(within)

    def _triage(self, intent: Intent, memory: Memory) -> Told:
        space = self._parts.workspace
        self._parts.emit("progress", "triaging")
        self._parts.warm()
        done = self._alone(lambda: work.triage(space, intent.files, intent.text, self._parts.emit, self._parts.drain))
        after = memory.model_copy(update={"expecting": None})
        if len(done) == 1:
            handled = done[0]
            review = (
                lookup.waiting_review(space, handled.triage.review_id)
                if handled.triage and handled.triage.review_id
                else None
            )
            reply = answers.triaged(handled, review)
            if self._parts.drain.is_set() and handled.triage is None:
                reply = Reply(
                    text=f"Stopped. {handled.account.report_id} is on the account; `qa-agents recover` goes on with it.",
                    ok=False,
                )
            about = Item(kind="report", id=handled.account.report_id)
            return reply, about, after.model_copy(update={"report": about.id if handled.triage else memory.report})
        reply = work.several(done)
        if self._parts.drain.is_set():
            stopped = (
                "Stopped: what is not listed was not handed in; what has no verdict goes on with `qa-agents recover`."
            )
            reply = reply.model_copy(update={"notes": [stopped], "ok": False})
        return reply, None, after

    def _plan(self, intent: Intent, memory: Memory) -> Told:
        self._parts.emit("progress", "reading and drafting")
        self._parts.warm()
        space = self._parts.workspace
        drafted = self._alone(lambda: work.plan(space, intent.files))
        return self._plan_reply(drafted.name, memory)

    def _plan_reply(self, name: str, memory: Memory) -> Told:
        reply = work.plan_reply(self._parts.workspace, name)
        return reply, Item(kind="plan", id=f"plan/{name}"), memory

    def _summary(self, intent: Intent, memory: Memory) -> Told:
        space = self._parts.workspace
        self._parts.emit("progress", "reading and comparing")
        self._parts.warm()
        files, baseline = work.run_and_baseline(intent.files, intent.text)
        done = self._alone(lambda: work.summarise(space, files, baseline))
        return work.summary_reply(space, done), Item(kind="run", id=done.account.report_id), memory

    def _similar(self, intent: Intent, memory: Memory) -> Told:
        self._parts.warm()
        after = memory.model_copy(update={"expecting": None})
        subject = next((item for item in intent.refs if item.kind in ("report", "incident", "review")), None)
        if not intent.text and subject is None and memory.report:
            subject = Item(kind="report", id=memory.report)
        if intent.text and (subject is None or len(intent.text) > 3 * len(subject.id)):
            self._parts.emit("progress", "looking through the past")
            pairs, notes = lookup.search(self._parts.workspace, intent.text, cards.SHOWN)
            return cards.found_like(pairs, "that", notes, self._parts.now()), None, after
        if subject is None:
            return (
                Reply(text="Seen what? Paste it, or say it in a few words."),
                None,
                memory.model_copy(update={"expecting": "similar"}),
            )
        pairs, notes = work.like_known(self._parts.workspace, subject)
        reply = cards.found_like(pairs, subject.id, notes, self._parts.now())
        claimed = work.claimed(self._parts.workspace, subject)
        return reply.model_copy(update={"text": claimed or reply.text}), subject, after

    def _show_named(self, intent: Intent, memory: Memory) -> Told:
        if not intent.refs:
            said = f"The list is {len(memory.items)} long." if memory.items else "There is no list to choose from."
            return Reply(text=f"{said} Name an id, or ask: what waits for me?", ok=False), None, memory
        return self._show(intent.refs[0], memory)

    def _show(self, item: Item, memory: Memory) -> Told:
        space = self._parts.workspace
        review = lookup.review_of(space, item.id)
        if review is not None and review.kind == "summary":
            done = summarised_of(space, review)
            return work.summary_reply(space, done), Item(kind="run", id=review.subject_id), memory
        if item.id.startswith("summary/"):
            return work.summary_reply(space, summarised(space, item.id.removeprefix("summary/"))), item, memory
        if item.kind == "plan" or (review is not None and review.kind == "plan"):
            name = (review.subject_id if review else item.id).removeprefix("plan/")
            return self._plan_reply(name, memory)
        if item.kind == "incident":
            incident = space.store.get(item.id)
            if incident is None:
                raise NotFoundError(f"There is no incident {item.id}.")
            return cards.incident_card(incident, self._parts.now()), item, memory
        reply, report = work.report_card(space, item)
        return reply, Item(kind="report", id=report), memory.model_copy(update={"report": report})

    def _waiting(self, intent: Intent, memory: Memory) -> Told:
        found, mine, who = lookup.mine(self._parts.workspace, self._parts.reviewer, self._parts.token)
        return cards.listed_reviews(found, mine, who), None, memory

    def _who(self, intent: Intent, memory: Memory) -> Told:
        item = intent.refs[0] if intent.refs else memory.focus
        if item is None:
            return Reply(text="About what? Name a report or a review: who decided IN-401?", ok=False), None, memory
        return work.history(self._parts.workspace, item), item, memory

    def _decide(self, intent: Intent, memory: Memory) -> Told:
        space = self._parts.workspace
        names = list(dict.fromkeys(item.id for item in intent.refs))
        if len(names) > 1:
            return Reply(text="One at a time: say which.", ok=False), None, memory
        target = names[0] if names else memory.review
        if target is None:
            return (
                Reply(text="Which one? Show it first: what waits for me?", next=["what waits for me?"], ok=False),
                None,
                memory,
            )
        review = space.inbox.find(target)
        item = Item(kind="review", id=review.review_id)
        if memory.reviews.get(review.review_id) != review.digest and review.waits:
            reply, _, after = self._show(item, memory)
            note = "I showed it only now, so nothing is decided yet. Look, then say it again."
            return reply.model_copy(update={"notes": [*reply.notes, note], "ok": False}), item, after
        answer = dict(intent.answer)
        if answer.get("verdict") == "answer":
            given, missing = work.answers_of(review, memory.answers, answer["answers"])
            if missing:
                text = f"Noted. {len(missing)} of {len(missing) + len(given)} still to answer:"
                points = [Point(text=f"{number}. {text_}", ref=name) for number, name, text_ in missing]
                reply = Reply(text=text, points=points, next=["answer 1: …", "assume the rest"])
                return reply, item, memory.model_copy(update={"answers": given})
            answer["answers"] = given
        self._parts.emit("progress", "carrying it out")
        # Not under the drain: what a person decided is carried out whole.
        result = contextvars.Context().run(
            lambda: work.decide(space, review.review_id, self._parts.reviewer, self._parts.token, answer)
        )
        reply = cards.decided_line(result)
        after = memory.model_copy(update={"review": None, "answers": {}})
        if result.review_waiting:
            following, about, after = self._show(Item(kind="review", id=result.review_waiting), after)
            return reply.model_copy(update={"review": following.review, "next": following.next}), about, after
        return reply, Item(kind=_SUBJECTS.get(review.kind, "report"), id=review.subject_id), after

    def _undo(self, intent: Intent, memory: Memory) -> Told:
        space = self._parts.workspace
        if intent.name == "confirm" and memory.undo is not None:
            name = memory.undo
            result = contextvars.Context().run(
                lambda: work.undo(space, name, self._parts.reviewer, self._parts.token, dry_run=False)
            )
            return cards.undone_line(name, result), None, memory.model_copy(update={"undo": None})
        item = next(iter(intent.refs), memory.focus)
        if item is None:
            return Reply(text="Undo what? Name a report or a run: undo IN-401", ok=False), None, memory
        name = item.id
        if item.kind == "review" and (review := lookup.review_of(space, name)) is not None:
            name = review.subject_id
        preview = work.undo(space, name, self._parts.reviewer, self._parts.token, dry_run=True)
        reply = cards.undo_preview(name, preview)
        doable = bool(preview.undone or preview.cancelled)
        return reply, item, memory.model_copy(update={"undo": name if doable else None})

    def _how_to_decide(self, intent: Intent, memory: Memory) -> Told:
        target = intent.refs[0].id if intent.refs else memory.review
        review = lookup.waiting_review(self._parts.workspace, target) if target else None
        text = (
            intent.text
            if intent.rule in ("incomplete-order", "command")
            else "That is yours to decide; I only take a plain order."
        )
        if review is None:
            return Reply(text=text, next=["what waits for me?"], ok=False), None, memory
        if intent.rule == "incomplete-order":
            return Reply(text=text, next=cards.shown(review).answers, ok=False), None, memory
        said = " · ".join(cards.shown(review).answers)
        return Reply(text=f"{text} For {review.review_id} you can say: {said}", ok=False), None, memory

    def _free(self, intent: Intent, memory: Memory) -> Told:
        """A question that no rule knows: the evidence there is, worded by a model where one is configured."""
        self._parts.warm()
        self._parts.emit("progress", "looking through the past")
        wanted = intent.value or intent.text
        pairs, notes = lookup.search(self._parts.workspace, wanted, cards.SHOWN) if wanted.strip() else ([], [])
        if self._parts.ask is not None:
            reply = self._parts.ask.answer(intent.text, pairs, self._parts.emit, self._parts.drain)
            if reply is not None:
                return reply, None, memory
        close = [pair for pair in pairs if max(pair[0].lexical or 0.0, pair[0].dense or 0.0) >= work.CLOSE]
        if not close:
            return words.lost(intent.text), None, memory
        found = cards.found_like(close, "that", notes, self._parts.now())
        text = f"I am not sure what you want. If you ask whether we have seen it: {found.text}"
        return found.model_copy(update={"text": text, "next": [*found.next, "/help"]}), None, memory
