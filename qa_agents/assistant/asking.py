"""Where a language model helps the chat: naming an intent that no rule knows, and wording an answer to a free question.

It is given redacted evidence and no means to do anything. What it names is one of the reading intents; what it cites is checked.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qa_agents.assistant.references import id_tokens
from qa_agents.assistant.schema import IntentName, Item, Reply
from qa_agents.incidents.schema import Candidate, Incident
from qa_agents.llm.checks import has_link, untraced

if TYPE_CHECKING:
    from qa_agents.llm.gateway import Cancelled, Gateway
    from qa_agents.llm.prompts import Prompts

_INTENTS: dict[str, IntentName] = {"review": "waiting", "incidents": "similar", "explain": "explain"}
"""The model's words to ours; everything else it may say counts as not understood, and a free question is answered as one."""
_CITED = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")
_NAMED_AND_CITED = re.compile(rf"([\w-]+-\w+)[^\w\[]{{0,3}}{_CITED.pattern}")
_SILENT = re.compile(
    r"(?i)[^.!?]*(?:\b(?:evidence|records?|incidents?|information)\b[^.!?]*\b(?:no|not|nothing|cannot)\b"
    r"|\b(?:no|not|nothing)\b[^.!?]*\b(?:evidence|records?|incidents?|information)\b)[^.!?]*[.!]?"
)
"""One sentence that says that the evidence does not tell: the only answer that need not cite anything."""
NOTE_CHARS = 300
"""How much of what an incident's resolution taught is put to the model."""


class Ask:
    """Asks the configured model on behalf of one conversation."""

    def __init__(self, gateway: "Gateway", prompts: "Prompts", thread: str, levels: Sequence[str] = ()) -> None:
        """`levels`: the security levels whose incidents the model may be shown, beside those that everybody may see."""
        self._gateway, self._prompts, self._key, self._levels = gateway, prompts, f"chat/{thread}", levels

    @property
    def words_answers(self) -> bool:
        """Whether it answers free questions."""
        return self._gateway.allows("chat.answer")

    def intent(self, core: str, emit: Callable[[str, str], None], cancelled: "Cancelled") -> tuple[IntentName, str]:
        """The reading intent that the model names, and the words of the message that say of what, where it copied them.

        `unknown` when it names none, or gives no answer.
        """
        from qa_agents.llm.answers import Intent as Named

        if not self._gateway.allows("chat.intent"):
            return "unknown", ""
        emit("progress", "asking the language model what that means")
        prompt = self._prompts.render("chat/intent", message=core)
        answer = self._gateway.ask(prompt, Named, budget_key=self._key, cancelled=cancelled)
        if answer.value is None:
            return "unknown", ""
        about = " ".join(answer.value.argument.split())
        return _INTENTS.get(answer.value.intent, "unknown"), about if about.casefold() in core.casefold() else ""

    def answer(
        self,
        question: str,
        pairs: Sequence[tuple[Candidate, Incident]],
        emit: Callable[[str, str], None],
        cancelled: "Cancelled",
    ) -> Reply | None:
        """An answer worded by the model out of numbered evidence, token by token; None when it is switched off.

        An answer that cites what was not there is withdrawn; the evidence stands beside it either way.
        """
        if not self.words_answers:
            return None
        shown = [pair for pair in pairs if pair[1].open_to(self._levels)]
        hidden = [f"{len(pairs) - len(shown)} restricted incidents were not shown to it."] * (len(shown) < len(pairs))
        incidents = [incident for _, incident in shown]
        evidence = (
            "\n".join(f"{number}. {_told(incident)}" for number, incident in enumerate(incidents, start=1)) or "(none)"
        )
        prompt = self._prompts.render("chat/answer", question=question, evidence=evidence)
        emit("progress", "the language model reads what is on record")
        stream = self._gateway.stream(prompt, role="strong", budget_key=self._key, cancelled=cancelled)
        pieces = []
        for piece in stream:
            pieces.append(piece)
            emit("token", piece)
        text = "".join(pieces).strip()
        listed = [
            (Item(kind="incident", id=one.id), f"{one.resolution or 'open'} · {one.summary}") for one in incidents
        ]
        if stream.reason is not None:
            said = "Stopped." if cancelled.is_set() else f"The language model gave no whole answer: {stream.detail}"
            return Reply(
                text=said, listed=listed, notes=[*["What is on record stands below."] * bool(listed), *hidden], ok=False
            )
        problem = unfounded(text, [one.id for one in incidents], [question, evidence])
        if problem:
            return Reply(text=f"I withdraw what the model wrote: {problem}", listed=listed, ok=False)
        return Reply(
            text=text,
            listed=listed,
            notes=["Worded by a language model, which may misread; the numbers are the evidence below.", *hidden],
        )


def _told(incident: Incident) -> str:
    """An incident on one line: what it was, what became of it, and the start of what that taught."""
    note = " ".join((incident.resolution_note or "").split())[:NOTE_CHARS]
    return f"{incident.id} ({incident.resolution or 'open'}): {incident.summary}" + (f" Note: {note}" if note else "")


def unfounded(text: str, ids: Sequence[str], sources: Sequence[str] = ()) -> str | None:
    """Why an answer does not rest on its evidence, or None: it must cite something, and nothing that was not given.

    Every number in it is one of `sources`, or counts the evidence.
    """
    cited = {int(number) for group in _CITED.findall(text) for number in group.split(",")}
    if not text:
        return "it was empty."
    foreign = [number for number in cited if not 1 <= number <= len(ids)]
    if foreign:
        return f"it cites [{foreign[0]}], which there is not."
    known = {name.casefold() for name in ids}
    named = [
        name for name in id_tokens(text) if name.casefold() not in known and not name.casefold().startswith("sha-")
    ]
    if named:
        return "it names something that is not in the evidence."
    for name, group in _NAMED_AND_CITED.findall(text):
        rests_on = {ids[int(number) - 1].casefold() for number in group.split(",")}
        if name.casefold() in known and name.casefold() not in rests_on:
            return f"it cites [{group}] for {name}, which is another."
    if has_link(text):
        return "it holds a link."
    counts = " ".join(map(str, range(len(ids) + 1)))
    if foreign_numbers := sorted(untraced(_CITED.sub("", text), [*sources, counts, *ids])):
        return f"{foreign_numbers[0]} is not in the evidence."
    if not cited and not any(name in text.casefold() for name in known) and not _SILENT.fullmatch(text):
        return "it cites nothing."
    return None
