"""What the chat says about itself."""

from qa_agents.assistant.commands import COMMANDS
from qa_agents.assistant.schema import Point, Reply

HELLO = "I triage bug reports, draft test plans, say what test runs mean, and stop where you must decide."
STATEMENT_WORDS = 5
_EXAMPLES = (
    "paste a bug report, or say: triage reports/IN-7.json",
    "have we seen deposits stuck in authorising?",
    "plan specs/booking.docx",
    "what waits for me?   then: show the first · why Critical? · approve · reject it: wrong-cause",
    "what blocks the release?",
    "who decided IN-401?   undo IN-401",
)


def help_reply(model: bool) -> Reply:
    """What can be said, and what cannot be done."""
    points = [Point(text=f"{usage} — {does}") for _, usage, does in COMMANDS.values()]
    points += [Point(text=f"or: {example}") for example in _EXAMPLES]
    limits = (
        "A language model is configured: it words answers to free questions. It never decides."
        if model
        else "No language model is configured: I understand the questions above and answer from what is on record. I do not chat."
    )
    return Reply(
        text=HELLO,
        points=points,
        notes=[
            limits,
            'Pasted text is never a command. In a pipe, put a report between two lines of """.',
            "Ctrl-C stops the current work, Ctrl-D leaves. Conversations are kept: --thread ID, --list.",
        ],
    )


def lost(text: str) -> Reply:
    """What to say to something that was not understood; a statement may have been meant as a report."""
    if not text.rstrip().endswith("?") and len(text.split()) >= STATEMENT_WORDS:
        return Reply(
            text="I did nothing with that: I am not sure what you want. If it is a bug report, say so:",
            next=[f"bug: {text}", "/help"],
            ok=False,
        )
    return Reply(
        text="I did not understand that, so I did nothing.",
        next=["/help", "what waits for me?", "paste a report"],
        notes=["Without a language model I know a fixed range of questions."],
        ok=False,
    )
