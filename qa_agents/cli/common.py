"""What the commands share: opening the workspace, JSON on stdout, progress on stderr."""

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from qa_agents.wiring import Workspace

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
PIPED_WIDTH = 150
"""Columns where there is no terminal to ask."""
LINE_SECONDS = 10
"""Where there is no terminal, progress is told at most this often."""

As = Annotated[str | None, typer.Option("--as", help="Who decides (default: the login name).")]


def open_workspace(context: typer.Context, **changes: object) -> "Workspace":
    """The workspace that --home, the environment or the file names, with some settings changed for this command."""
    from qa_agents.settings import load_settings
    from qa_agents.wiring import Workspace

    home: Path | None = context.obj
    return Workspace(load_settings(home).model_copy(update=changes))


def paths(names: list[str]) -> "list[Path | Literal['-']]":
    """File arguments as paths; `-` stays what it is, standard input."""
    return ["-" if name == "-" else Path(name) for name in names]


def print_json(value: Any) -> None:
    """One JSON document on one line of stdout; lone surrogates, which UTF-8 cannot carry, become U+FFFD."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    sys.stdout.write(line.encode("utf-8", "replace").decode("utf-8") + "\n")
    sys.stdout.flush()


def console() -> "Console":
    """Rich on stdout; plain where it is no terminal or NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def program_name() -> str:
    """How the person at the terminal can start this program: by its name where PATH finds it, else as it was started."""
    started = Path(sys.argv[0])
    if started.name != "qa-agents" or shutil.which("qa-agents"):
        return "qa-agents"
    return str(started)


def note(sentence: str) -> None:
    """One line for the person at the terminal, on stderr."""
    from qa_agents.cli.text import printable

    print(printable(sentence), file=sys.stderr)


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """A function (what, done, total) that keeps the person informed on stderr: a bar in a terminal, else a line now and then."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            tasks: dict[str, TaskID] = {}

            def show(what: str, done: int, total: int | None) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=total)
                bar.update(tasks[what], completed=done, total=total)

            yield show
        return
    last = time.monotonic()

    def line(what: str, done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            note(f"{what}: {done}{f' of {total}' if total else ''}")

    yield line
