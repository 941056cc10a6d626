"""Other wordings of inputs by a language model: one question an input, and the first fault of the model ends it."""

from qa_agents.library.schema import Input
from qa_agents.llm.gateway import Gateway
from qa_agents.llm.prompts import Prompts
from qa_agents.llm.redact import restore
from qa_agents.llm.uses import USES

USE = "library.reword"
MAX_CHARS = 2_000
"""A longer input stays as it is: it would be cut, and so be another input."""
GROWTH = 3
"""A wording more than so many times as long as the input, and a sentence, is an answer to it and no other wording."""
SLACK = 200


class Rewording:
    """Calls as a `Reword`; afterwards `given` and `absent` tell how it went."""

    def __init__(self, gateway: Gateway, prompts: Prompts, subject: str) -> None:
        self._gateway, self._prompts, self._subject = gateway, prompts, subject
        self.given = 0
        """How many wordings the model gave; how many of them are kept is for `generate` to decide."""
        self.absent = "" if gateway.available else "No language model is configured."
        """Why it gives no more wordings, in one sentence; empty while it does."""
        if gateway.available and not gateway.allows(USE):
            self.absent = f"It is not asked: the use {USE} is switched off."

    def __call__(self, one: Input) -> str | None:
        """Another wording, or None. What must not leave this machine is taken out before and put back after."""
        if self.absent or one.group is not None or len(one.text) > MAX_CHARS:
            return None
        prompt = self._prompts.render(USES[USE].prompt, input=one.text, keep="\n".join(one.keeps) or "nothing")
        stream = self._gateway.stream(prompt, role=USES[USE].role, budget_key=self._subject)
        said = restore("".join(stream).strip(), prompt.placeholders)
        if stream.reason is not None:
            self.absent = stream.detail
            return None
        if not said or said == one.text or len(said) > GROWTH * len(one.text) + SLACK:
            return None
        self.given += 1
        return said
