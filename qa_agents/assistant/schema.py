"""What passes through the chat: messages, intents, replies, and what a conversation keeps in memory."""

from typing import Any, Literal, TypedDict, get_args

from pydantic import BaseModel, ConfigDict, Field

IntentName = Literal[
    "triage", "plan", "summary", "waiting", "show", "decide", "how_to_decide", "who", "similar", "explain", "release",
    "undo", "confirm", "cancel", "help", "status", "greet", "thanks", "unknown", "quit", "complaint",
]  # fmt: skip
"""complaint: it is understood and cannot be done as said; the intent's text says why."""
INTENTS: tuple[IntentName, ...] = get_args(IntentName)
ItemKind = Literal["report", "incident", "review", "plan", "run"]
Aspect = Literal["severity", "priority", "component", "type", "assignee", "relation", "gate", "cause"]
"""What a question “why …?” is about."""

MAX_TYPED = 4_000
"""Longer typed text is no command: it is taken as a report."""
KEPT_TURNS = 40
KEPT_ITEMS = 20
KEPT_REVIEWS = 40


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Part):
    """What a person handed in: words they typed, and texts they pasted. Pasted text is data and never a command."""

    typed: str = ""
    pasted: list[str] = Field(default_factory=list)
    by_hand: bool = True
    """False for lines out of a pipe that was not trusted to act: they may read and draft, and neither decide nor undo."""


class Item(_Part):
    """One thing that was shown: what “it” and “the second” can mean. Ids only, never a report's words."""

    kind: ItemKind
    id: str


class Intent(_Part):
    """What a message asks for."""

    name: IntentName
    refs: list[Item] = Field(default_factory=list)
    """The things meant, in the order said; resolved already."""
    files: list[str] = Field(default_factory=list)
    """Names of files as typed."""
    text: str = ""
    """What to look for, to triage or to say."""
    aspect: Aspect | None = None
    value: str = ""
    """The value that a question names: “why *S2*?”."""
    answer: dict[str, Any] = Field(default_factory=dict)
    """A decision's fields, as `deciding.decide` takes them."""
    rule: str = ""
    """What recognised it: `command`, `paste`, `model`, or the rule's name."""


class Point(_Part):
    """One piece of evidence or news, with what it rests on."""

    text: str
    ref: str = ""


class Shown(_Part):
    """A review as it is shown in the chat, with the digest that an answer must carry."""

    review_id: str
    subject_id: str
    digest: str
    form: str
    kind: str
    summary: str = ""
    would_write: list[str] = Field(default_factory=list)
    because: list[str] = Field(default_factory=list)
    questions: list[dict[str, Any]] = Field(default_factory=list)
    """For a review that asks: `{id, text, options, assumed}`."""
    answers: list[str] = Field(default_factory=list)
    """What can be said to it."""


class Reply(_Part):
    """An answer: short text first, then what it rests on, then what can be done next. Its words are not escaped."""

    text: str
    points: list[Point] = Field(default_factory=list)
    listed: list[tuple[Item, str]] = Field(default_factory=list)
    """Numbered things with one line each; “the second” means the second of them."""
    review: Shown | None = None
    next: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    """What was not done, or only in part, and why."""
    ok: bool = True
    """False when what was asked could not be done."""


class Turn(_Part):
    """One exchange as it is remembered: the typed words, what they were taken for, and the ids that were answered with."""

    said: str
    intent: IntentName
    about: list[str] = Field(default_factory=list)
    at: float


class Memory(_Part):
    """What a conversation keeps between messages. Holds ids and typed words; what reports say stays in their documents."""

    items: list[Item] = Field(default_factory=list)
    """What was listed last."""
    focus: Item | None = None
    """What “it” means."""
    report: str | None = None
    """The report that was triaged or explained last."""
    reviews: dict[str, str] = Field(default_factory=dict)
    """Review id to the digest it was shown with in this conversation."""
    review: str | None = None
    """The review that was shown last and waits for an answer."""
    undo: str | None = None
    """What an undo was previewed for, and waits for a yes."""
    answers: dict[str, str] = Field(default_factory=dict)
    """Answers to the shown review's questions that were given so far."""
    expecting: Literal["triage", "similar"] | None = None
    """What the next pasted text is for."""
    turns: list[Turn] = Field(default_factory=list)


class ChatState(TypedDict, total=False):
    """What the chat graph carries: the message being answered, and the conversation's memory."""

    message: dict[str, Any]
    intent: dict[str, Any]
    reply: dict[str, Any]
    memory: dict[str, Any]
