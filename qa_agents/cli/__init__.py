"""The command line: one small module per noun; parse, call, render."""

import sys
from collections.abc import Sequence

from qa_agents.errors import QAAgentsError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 findings, 2 usage or bad input, 3 something needed is unavailable."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; an error is one sentence on stderr, never a traceback."""
    import typer
    from typer.exceptions import TyperException

    from qa_agents.cli.app import app

    try:
        code = app(args=_home_first(arguments), prog_name="qa-agents", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except TyperException as error:
        said = str(getattr(error, "format_message", error.__str__)())
        if said.startswith("Usage:"):
            print(said, file=sys.stderr)
            return 2
        return _say(f"{said.rstrip('.')}. `qa-agents --help` lists the commands.", 2)
    except QAAgentsError as error:
        if _debugging():
            raise
        return _say(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _say("Stopped. What was finished is kept; the same command goes on from there.", 130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away: Python would complain about it once more at exit
        return 0
    except Exception as error:
        if _debugging():
            raise
        said = " ".join(str(error).split())[:300]
        return _say(f"Unexpected {type(error).__name__}: {said} Set QA_AGENTS_DEBUG=1 to see where.", 3)


def _say(sentence: str, code: int) -> int:
    from qa_agents.cli.text import printable

    print(f"qa-agents: {printable(sentence)}", file=sys.stderr)
    return code


def _debugging() -> bool:
    from qa_agents.settings import debugging

    return debugging()


def _home_first(arguments: list[str]) -> list[str]:
    """Move `--home DIR` to the front, so that it may stand anywhere."""
    for position, word in enumerate(arguments):
        if word == "--":
            break
        if word == "--home" and position + 1 < len(arguments):
            return [*arguments[position : position + 2], *arguments[:position], *arguments[position + 2 :]]
        if word.startswith("--home="):
            return [word, *arguments[:position], *arguments[position + 1 :]]
    return arguments
