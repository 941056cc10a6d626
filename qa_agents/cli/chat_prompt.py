"""The chat in a terminal: line editing, history, completion, and pastes that stay pastes."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import completion_is_selected
from prompt_toolkit.history import History, ThreadedHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from qa_agents.cli.chat import PROMPT
from qa_agents.cli.common import note
from qa_agents.cli.text import one_line, printable
from qa_agents.plurals import counted

if TYPE_CHECKING:
    from qa_agents.assistant.schema import Message
    from qa_agents.assistant.session import Event, Session

INLINE_CHARS = 200
"""A paste of one line up to this length goes into the line and can be edited there."""
KEPT_LINES = 1_000
KEPT_CHARS = 300
_PLACEHOLDER = re.compile(r"\[pasted \d+ lines? #(\d+)\]")


class Pastes:
    """What was pasted into the line that is being typed; its text never becomes typed words."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._inline: list[str] = []
        self.burst = False
        """Several lines came at once, without the terminal saying that they were pasted."""

    def add(self, text: str) -> str:
        """Take a paste; returns what to put into the line for it."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if "\n" not in text.strip() and len(text) <= INLINE_CHARS:
            self._inline.append(text.strip())
            return text.strip("\n")
        self._blocks.append(text)
        count = text.strip().count("\n") + 1
        return f"[pasted {counted(count, 'line')} #{len(self._blocks)}]"

    def message(self, line: str) -> "Message":
        """The finished line as a message; ready for the next line afterwards."""
        from qa_agents.assistant.schema import Message

        blocks, inline, burst = self._blocks, self._inline, self.burst
        self._blocks, self._inline, self.burst = [], [], False
        numbers = [int(number) for number in _PLACEHOLDER.findall(line)]
        kept = [blocks[number - 1] for number in numbers if 0 < number <= len(blocks)]
        typed = _PLACEHOLDER.sub(" ", line).strip()
        if burst or (typed and typed in inline):
            return Message(pasted=[*kept, typed])
        return Message(typed=typed, pasted=kept)


class Words(Completer):
    """Commands at the beginning of a line, ids and file names anywhere."""

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names, self._paths = names, PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What the word before the cursor can become."""
        before = document.text_before_cursor
        word = before.split()[-1] if before and not before[-1].isspace() else ""
        if before.startswith("/") and " " not in before:
            from qa_agents.assistant.commands import COMMANDS

            for command, (_, usage, does) in COMMANDS.items():
                if command.startswith(before.casefold()):
                    yield Completion(command, -len(before), display=usage, display_meta=does)
            return
        if len(word) < 2:
            return
        for name in self._names():
            if name.casefold().startswith(word.casefold()) and name != word:
                yield Completion(name, -len(word))
        if "/" in word or "." in word:
            yield from self._paths.get_completions(Document(word), complete_event)


class Lines(History):
    """Typed lines in a file of the workspace, without secrets and without what was pasted."""

    def __init__(self, home: Path | None) -> None:
        super().__init__()
        self._home, self._path = home, None

    def load_history_strings(self) -> Iterable[str]:
        """The newest line first."""
        try:
            lines = self._file().read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return list(reversed(lines[-KEPT_LINES:]))

    def store_string(self, string: str) -> None:
        """Keep one line; a disk that cannot take it loses nothing but the line."""
        from qa_agents.llm.redact import mask

        line = mask(" ".join(_PLACEHOLDER.sub(" ", string).split()))[:KEPT_CHARS]
        if not line:
            return
        try:
            path = self._file()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"{line}\n")
            path.chmod(0o600)
        except OSError:
            return

    def _file(self) -> Path:
        from qa_agents.settings import load_settings

        return load_settings(self._home).home / "chat-history"


def talk(session: "Session", home: Path | None) -> None:
    """Hold the conversation until Ctrl-D or /quit. Raises typer.Exit with the failure's code when it cannot be held."""
    pastes = Pastes()
    prompt: PromptSession[str] = PromptSession(
        PROMPT,
        history=ThreadedHistory(Lines(home)),
        completer=Words(lambda: session.names),
        complete_while_typing=False,
        key_bindings=_keys(pastes),
        enable_open_in_editor=False,
    )
    print("\r", end="")  # over the prompt that stood here while this was imported
    try:
        _hold(session, prompt, pastes)
    finally:
        session.close()


def _hold(session: "Session", prompt: "PromptSession[str]", pastes: Pastes) -> None:
    while True:
        try:
            line = prompt.prompt(pre_run=session.start)
        except KeyboardInterrupt:
            pastes.message("")
            note("(Ctrl-D leaves)")
            continue
        except EOFError:
            return
        message = pastes.message(line)
        if not message.typed and not message.pasted:
            continue
        if message.typed.casefold() in ("/quit", "/exit", "bye", "quit", "exit"):
            return
        failed = _answer(session, message)
        if failed is not None:
            import typer

            note(f"qa-agents: {failed.text}")
            raise typer.Exit(failed.exit_code)


def _answer(session: "Session", message: "Message") -> "Event | None":
    """Tell what comes of one message. Ctrl-C asks the work to stop; a second one no longer waits for it."""
    events, asked, streamed = session.say(message), 0, False
    while True:
        try:
            for event in events:
                if event.event == "failed":
                    return event
                streamed = _tell(event, streamed)
            return None
        except KeyboardInterrupt:
            asked += 1
            session.cancel()
            if asked > 1:
                note("It ends by itself in a moment; what it says then comes before the next answer.")
                return None
            note("Stopping after this step …")
            events = session.events()


def _tell(event: "Event", streamed: bool) -> bool:
    """Print one event; whether tokens stand on the screen."""
    if event.event == "token":
        print(printable(event.text), end="", flush=True)
        return True
    if event.event == "reply" and event.reply is not None:
        from qa_agents.cli.chat_view import show_reply

        if streamed:
            print()
        show_reply(event.reply, streamed=streamed and event.reply.ok)
        return False
    sys.stderr.write(f"… {one_line(event.text)}\n")
    return streamed


def _keys(pastes: Pastes) -> KeyBindings:
    keys = KeyBindings()

    @keys.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(pastes.add(event.data))

    @keys.add("enter", filter=~completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        # Keys that came in the same breath after an Enter were not typed: a paste by a terminal that does not mark them.
        if event.key_processor.input_queue:
            pastes.burst = True
            event.current_buffer.insert_text("\n")
            return
        event.current_buffer.validate_and_handle()

    return keys
