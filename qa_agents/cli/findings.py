"""How checks are told: one line each with what to do about it, and the exit code that follows."""

from collections.abc import Sequence
from typing import Literal, Protocol

import typer

from qa_agents.cli.common import console, print_json
from qa_agents.cli.text import printable

SIGNS = {"ok": "[green]ok[/green]", "note": "[cyan]note[/cyan]", "problem": "[red]problem[/red]"}


class Finding(Protocol):
    """One thing that was looked at."""

    @property
    def name(self) -> str:
        """What was looked at."""
        ...

    @property
    def level(self) -> Literal["ok", "note", "problem"]:
        """A problem needs attention; a note is worth knowing."""
        ...

    @property
    def says(self) -> str:
        """What was found."""
        ...

    @property
    def do(self) -> str:
        """What to do next; empty when nothing is."""
        ...

    def model_dump(self) -> dict[str, object]:
        """As JSON would have it."""
        ...


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print them; exit 1 when one is a problem."""
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        from rich.markup import escape

        out = console()
        for finding in findings:
            says, do = escape(printable(finding.says)), escape(printable(finding.do))
            out.print(f"{SIGNS[finding.level]:>7}  [bold]{finding.name}[/bold]: {says}")
            if do:
                out.print(f"         → {do}")
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)
