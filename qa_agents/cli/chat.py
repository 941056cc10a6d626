"""`qa-agents chat`: a conversation with the colleague, in a terminal, a pipe, or for another program."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import As, Json, note, open_workspace, print_json
from qa_agents.cli.text import one_line
from qa_agents.errors import UsageError

if TYPE_CHECKING:
    from qa_agents.assistant.schema import Message
    from qa_agents.assistant.session import Event, Session

FENCE = '"""'
PROMPT = "› "
MAX_LINE = 1_000_000
"""Characters of one line of a pipe; what is longer is cut and said to be."""


def chat(
    context: typer.Context,
    thread: Annotated[str | None, typer.Option("--thread", help="Go on with this conversation, or begin it.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the kept conversations.")] = False,
    forget: Annotated[str | None, typer.Option("--forget", help="Delete a kept conversation.")] = None,
    act: Annotated[bool, typer.Option("--act", help="Lines of a pipe may decide and undo, too.")] = False,
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Talk with the colleague: triage, plans, what waits and your answers to it, in plain words or by /commands.

    In a pipe each line is a message; what stands between two lines of three double quotes is a pasted text. With --json events
    come as JSON Lines, and a line may be an object {"text": …, "pasted": […]}. Exit 1 when something asked could not be done.
    """
    if list_ or forget is not None:
        _keep_house(context, forget, as_json)
        return
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if interactive:
        # Before anything is imported: the person can begin to read and type.
        print(f"qa-agents · /help says what I can do, Ctrl-D leaves\n{PROMPT}", end="", flush=True)
    name = _name_of(thread)
    home: Path | None = context.obj
    from qa_agents.assistant.session import Session

    def workspace():  # type: ignore[no-untyped-def]  # imported in the thread that opens it
        return open_workspace(context)

    session = Session(workspace, name, reviewer)
    if interactive:
        from qa_agents.cli.chat_prompt import talk

        talk(session, home)
        note(f"Kept as {name}: qa-agents chat --thread {name}")
        return
    with session:
        code = _piped(session, by_hand=act, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _name_of(thread: str | None) -> str:
    from qa_agents.assistant.naming import thread_name

    return thread_name(thread)


def _piped(session: "Session", *, by_hand: bool, as_json: bool) -> int:
    """Answer every message of standard input; the worst that happened as an exit code."""
    worst = 0
    if as_json:
        print_json({"event": "thread", "thread": session.thread})
    for message in messages(sys.stdin, by_hand=by_hand, objects=as_json):
        if message.typed.strip().casefold() in ("/quit", "/exit"):
            break
        try:
            for event in session.say(message):
                worst = max(worst, _tell(event, message, as_json))
                if event.event == "failed":
                    return event.exit_code
        except KeyboardInterrupt:
            session.cancel()
            for event in session.events():
                _tell(event, message, as_json)
            return 130
    return worst


def _tell(event: "Event", message: "Message", as_json: bool) -> int:
    if as_json:
        print_json(event.model_dump(mode="json", exclude_none=True, exclude_defaults=True) | {"event": event.event})
    elif event.event == "reply" and event.reply is not None:
        from qa_agents.cli.chat_view import show_reply

        show_reply(event.reply)
    elif event.event == "failed":
        note(f"qa-agents: {event.text}")
    elif event.event in ("thread", "progress"):
        note(f"… {one_line(event.text)}")
    return 1 if event.reply is not None and not event.reply.ok else 0


def messages(stream: Iterator[str], *, by_hand: bool, objects: bool) -> "Iterator[Message]":
    """The messages of a pipe. Raises UsageError for an object that is no message."""
    from qa_agents.assistant.schema import Message

    fenced: list[str] | None = None
    for line in stream:
        text = line.rstrip("\r\n")[:MAX_LINE]
        if text.strip() == FENCE:
            if fenced is not None:
                yield Message(pasted=["\n".join(fenced)], by_hand=by_hand)
            fenced = [] if fenced is None else None
        elif fenced is not None:
            fenced.append(text)
        elif objects and text.lstrip().startswith("{"):
            yield _message_of(text, by_hand)
        elif text.strip():
            yield Message(typed=text, by_hand=by_hand)
    if fenced:
        yield Message(pasted=["\n".join(fenced)], by_hand=by_hand)


def _message_of(line: str, by_hand: bool) -> "Message":
    import json

    from qa_agents.assistant.schema import Message

    try:
        given = json.loads(line)
        texts = [given.get("text", ""), *given.get("pasted", [])]
        if set(given) - {"text", "pasted"} or not all(isinstance(one, str) for one in texts):
            raise ValueError
    except (ValueError, AttributeError, TypeError):
        raise UsageError(
            "A line that begins with { must be {“text”: …, “pasted”: […]}.", hint="Or write the message as plain text."
        ) from None
    return Message(typed=texts[0], pasted=texts[1:], by_hand=by_hand)


def _keep_house(context: typer.Context, forget: str | None, as_json: bool) -> None:
    from datetime import UTC, datetime

    from qa_agents.assistant.threads import Threads

    with open_workspace(context) as workspace:
        threads = Threads(workspace, lambda: None)
        if forget is not None:
            threads.forget(forget)
            print_json({"forgotten": forget}) if as_json else print(f"{one_line(forget)} is forgotten.")
            return
        found = threads.list()
    if as_json:
        print_json([one.model_dump(mode="json", exclude={"busy"}) for one in found])
        return
    for one in found:
        when = datetime.fromtimestamp(one.last_at, UTC).strftime("%Y-%m-%d %H:%M")
        print(f"{one.thread:20} {when}  {one.messages:4} messages  {one_line(one.first, limit=60)}")
    if not found:
        print("No conversations yet.")
