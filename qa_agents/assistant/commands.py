"""Slash commands: the same things as the plain words, said exactly."""

import re
from collections.abc import Sequence

from qa_agents.assistant.decisions import order_of
from qa_agents.assistant.files import named_files, split_arguments
from qa_agents.assistant.references import Known, find, id_tokens, without_references
from qa_agents.assistant.schema import Intent, IntentName, Item, Memory, Message

COMMANDS: dict[str, tuple[IntentName, str, str]] = {
    "/triage": ("triage", "/triage FILE | TEXT", "triage a report: a file, a text, or what you paste next"),
    "/plan": ("plan", "/plan SPEC…", "draft a test plan from specifications"),
    "/summary": ("summary", "/summary RUN…", "say what a test run means"),
    "/review": ("waiting", "/review [ID | approve | reject …]", "what waits for a person; show one; answer one"),
    "/incidents": ("similar", "/incidents TEXT | ID", "search the past, or show one incident"),
    "/explain": ("explain", "/explain [ID]", "why a verdict came out so"),
    "/undo": ("undo", "/undo ID", "take back what was written, after a look at it"),
    "/help": ("help", "/help", "this list"),
    "/quit": ("quit", "/quit", "leave; the conversation is kept"),
}
"""Command to what it asks for, how it is written, and what it does."""
_VERBS = re.compile(
    r"\s*(approve|reject|edit|ask|defer|delegate|sign|answer|show|list)\b(.*)", re.IGNORECASE | re.DOTALL
)


def parse(typed: str, message: Message, memory: Memory, known: Known, codes: Sequence[str]) -> Intent:
    """The intent of a typed text that begins with a slash; an unknown command comes as a complaint."""
    word, _, rest = typed.partition(" ")
    word, rest = word.casefold(), rest.strip()
    if word == "/exit":
        word = "/quit"
    if word not in COMMANDS:
        return Intent(name="complaint", text=f"There is no command {word}; /help lists them.", rule="command")
    name = COMMANDS[word][0]
    refs = find(rest, memory, known)
    if word == "/review":
        return _review(rest, refs, message, codes)
    if word == "/incidents":
        if refs and not without_references(rest, refs):
            return Intent(name="show", refs=refs, rule="command")
        return Intent(
            name="similar",
            refs=refs if not rest else [],
            text="\n".join([rest, *message.pasted]).strip(),
            rule="command",
        )
    if name in ("triage", "plan", "summary"):
        return _work(name, rest, refs, message)
    return Intent(name=name, refs=refs, text=rest, rule="command")


def _work(name: IntentName, rest: str, refs: list[Item], message: Message) -> Intent:
    words = [word for word in split_arguments(rest) if not word.startswith("--")]
    files = named_files(rest)
    if name != "triage" and words:
        files = words
    text = "" if files or (refs and not without_references(rest, refs)) else "\n".join([rest, *message.pasted]).strip()
    return Intent(name=name, refs=refs, files=files, text=text, rule="command")


def _review(rest: str, refs: list[Item], message: Message, codes: Sequence[str]) -> Intent:
    verb = _VERBS.fullmatch(rest)
    if verb is None or verb[1].casefold() in ("show", "list"):
        return Intent(name="show" if refs else "waiting", refs=refs, rule="command")
    text = (
        f"ask the reporter {verb[2].strip()}"
        if verb[1].casefold() == "ask" and "reporter" not in rest.casefold()
        else rest
    )
    order = order_of(text, [item.id for item in refs] + id_tokens(rest.partition(":")[0]), codes)
    if order is None or order.complaint or message.pasted:
        said = (
            order.complaint if order and order.complaint else f"I did nothing: “{rest[:80]}” is no answer that I know."
        )
        return Intent(name="how_to_decide", refs=refs, text=said, rule="command")
    return Intent(name="decide", refs=refs, answer=order.answer, rule="command")
