"""What passes between a caller and a language model: messages, answers, and why there is none."""

from typing import Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["fast", "strong"]
"""Which of the two configured models: `fast` for reading and sorting, `strong` for judging and writing."""

Mode = Literal["json_schema", "function_calling", "json_mode"]
"""How an endpoint can be held to a shape, the surest first."""
MODES: tuple[Mode, ...] = get_args(Mode)

Reason = Literal[
    "no-model",  # none is configured
    "switched-off",  # this use is switched off
    "unavailable",  # no connection, a 5xx, a redirect, or busy for too long
    "timeout",  # not answered in time, however slowly it dripped
    "unauthorised",  # the key is not accepted
    "rejected",  # the endpoint refuses such requests: too long, or something it does not know
    "circuit-open",  # it failed so often just now that it is left alone
    "busy",  # too many calls at once
    "over-budget",  # the tokens or money of this subject or day are spent
    "cancelled",  # the caller gave up
    "refused",  # the model declined, or a filter did
    "truncated",  # cut off at the token limit, or the connection ended within it
    "empty",  # an answer without text
    "too-long",  # more than may be read
    "not-json",  # no JSON object
    "invalid",  # JSON that does not fit the shape, after one repair
    "tool-call",  # it wanted to call something that nobody offered
    "garbage",  # not the protocol
]
"""Why there is no answer; each ends in going on without it, and in saying so."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Part):
    """One turn of what the model is given."""

    role: Literal["system", "user", "assistant"]
    text: str


class RenderedPrompt(_Part):
    """A prompt with its inputs filled in: redacted, untrusted ones between random delimiters."""

    id: str
    """`room/step`, the prompt's place under `prompts/`."""
    version: int
    prompt_sha256: str
    """Of the file the messages were made from: part of the provenance of every answer."""
    content_sha256: str
    """Of prompt and inputs, without the random delimiters: equal questions have equal ones."""
    messages: tuple[Message, ...]
    max_output_tokens: int = Field(800, ge=1, le=16_384)
    placeholders: dict[str, str] = Field(default_factory=dict, repr=False, exclude=True)
    """Placeholder to the secret or personal text that it stands for; never leaves this machine."""


class Usage(_Part):
    """What one answer took. `estimated`: the endpoint did not say, so it was reckoned from lengths."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    """In the currency of the configured prices; 0 where none are configured."""
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Both directions together."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: "Usage") -> "Usage":
        """The sum of two."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=self.cost + other.cost,
            estimated=self.estimated or other.estimated,
        )


AnswerT = TypeVar("AnswerT", bound=BaseModel)


class Answer(_Part, Generic[AnswerT]):
    """A checked answer, or the one reason why there is none: exactly one of `value` and `reason` is set."""

    value: AnswerT | None = None
    reason: Reason | None = None
    detail: str = ""
    """The reason in one sentence for a person; holds nothing of the prompt or the answer."""
    repaired: bool = False
    """The first answer did not fit and the second did: whoever uses it must ask a person."""
    cached: bool = False
    model: str = ""
    """As the endpoint named it; as configured when it did not."""
    prompt_sha256: str = ""
    usage: Usage = Usage()
    milliseconds: int = 0
    placeholders: dict[str, str] = Field(default_factory=dict, repr=False, exclude=True)
    """As in RenderedPrompt: `llm.redact.restore(quote, placeholders)` is what the report says; show only masked text."""


class Call(_Part):
    """One question to a model as the ledger keeps it: never its text."""

    subject: str
    """Whom it was asked for and charged to: a report's, plan's or thread's id."""
    prompt: str
    prompt_version: int
    prompt_sha256: str
    content_sha256: str
    role: Role
    model: str
    """As configured."""
    served: str = ""
    """As the endpoint named it."""
    outcome: Literal["answered"] | Reason
    attempts: int
    """Requests that were made; 0 where it was answered from the cache or not asked."""
    repaired: bool = False
    cached: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    estimated: bool = False
    milliseconds: int = 0
