"""Where a language model helps the chat: naming an intent that no rule knows, and wording an answer to a free question.

It is given redacted evidence and no means to do anything. What it names is one of the reading intents; what it cites is checked.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qa_agents.assistant.references import id_tokens
from qa_agents.assistant.schema import IntentName, Item, Reply
from qa_agents.incidents.schema import Candidate, Incident

if TYPE_CHECKING:
    from qa_agents.llm.gateway import Cancelled, Gateway
    from qa_agents.llm.prompts import Prompts

_INTENTS: dict[str, IntentName] = {"review": "waiting", "incidents": "similar", "explain": "explain"}
"""The model's words to ours; everything else it may say counts as not understood, and a free question is answered as one."""
_CITED = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")


class Ask:
    """Asks the configured model on behalf of one conversation."""

    def __init__(self, gateway: "Gateway", prompts: "Prompts", thread: str, levels: Sequence[str] = ()) -> None:
        """`levels`: the security levels whose incidents the model may be shown, beside those that everybody may see."""
        self._gateway, self._prompts, self._key, self._levels = gateway, prompts, f"chat/{thread}", levels

    def intent(self, core: str, emit: Callable[[str, str], None] = lambda *_: None) -> IntentName:
        """The reading intent that the model names; `unknown` when it names none, or gives no answer."""
        from qa_agents.llm.answers import Intent as Named

        if not self._gateway.allows("chat.intent"):
            return "unknown"
        emit("progress", "asking the language model what that means")
        answer = self._gateway.ask(self._prompts.render("chat/intent", message=core), Named, budget_key=self._key)
        return _INTENTS.get(answer.value.intent, "unknown") if answer.value is not None else "unknown"

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
        if not self._gateway.allows("chat.answer"):
            return None
        shown = [pair for pair in pairs if pair[1].open_to(self._levels)]
        hidden = [f"{len(pairs) - len(shown)} restricted incidents were not shown to it."] * (len(shown) < len(pairs))
        pairs = shown
        lines = [f"{incident.id} ({incident.resolution or 'open'}): {incident.summary}" for _, incident in pairs]
        evidence = "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1)) or "(none)"
        prompt = self._prompts.render("chat/answer", question=question, evidence=evidence)
        emit("progress", "the language model reads what is on record")
        stream = self._gateway.stream(prompt, role="strong", budget_key=self._key, cancelled=cancelled)
        pieces = []
        for piece in stream:
            pieces.append(piece)
            emit("token", piece)
        text = "".join(pieces).strip()
        listed = [
            (Item(kind="incident", id=incident.id), line) for (_, incident), line in zip(pairs, lines, strict=True)
        ]
        if stream.reason is not None:
            said = f"The language model gave no whole answer: {stream.detail}"
            return Reply(
                text=said, listed=listed, notes=[*["What is on record stands below."] * bool(listed), *hidden], ok=False
            )
        problem = unfounded(text, [incident.id for _, incident in pairs])
        if problem:
            return Reply(text=f"I withdraw what the model wrote: {problem}", listed=listed, ok=False)
        return Reply(
            text=text,
            listed=listed,
            notes=["Worded by a language model; the numbers are the evidence below.", *hidden],
        )


def unfounded(text: str, ids: Sequence[str]) -> str | None:
    """Why an answer does not rest on its evidence, or None: it must cite something, and nothing that was not given."""
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
    if ids and not cited and not any(name in text.casefold() for name in known) and "not" not in text.casefold():
        return "it cites nothing."
    return None
