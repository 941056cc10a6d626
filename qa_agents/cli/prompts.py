"""`qa-agents prompts`: what a language model is asked with, and what the team changed about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import Json, console, open_workspace, print_json
from qa_agents.cli.text import one_line, printable
from qa_agents.errors import InvalidInputError, UsageError

if TYPE_CHECKING:
    from qa_agents.llm.prompts import Prompt
    from qa_agents.wiring import Workspace

MAX_INPUT_BYTES = 1_000_000

app = typer.Typer(help="What a language model is asked with.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="A prompt's id, as `prompts list` shows it.")]


@app.command(name="list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List every use of a model: its prompt, whether it is switched on, and why."""
    from qa_agents.llm.uses import USES

    with open_workspace(context) as workspace:
        prompts, models, settings = workspace.prompts, workspace.models, workspace.settings
        rows = []
        for name, use in USES.items():
            prompt = prompts.get(use.prompt)
            chosen = settings.model.uses.get(name) if settings.model else None
            rows.append(
                {
                    "use": name,
                    "prompt": use.prompt,
                    "version": prompt.head.version,
                    "sha256": prompt.sha256,
                    "own": bool(prompts.diff(use.prompt)),
                    "job": prompt.head.job,
                    "on": models.allows(name),
                    "standing": _standing(workspace, name, use.standing, chosen),
                }
            )
        foreign, available = prompts.foreign(), models.available
    if as_json:
        print_json({"model": available, "uses": rows, "foreign": foreign})
        return
    from rich.markup import escape
    from rich.table import Table

    out, shown = console(), Table("use", "asks", "prompt", "standing")
    for row in rows:
        mark = " (your own)" if row["own"] else ""
        label = f"v{row['version']} {str(row['sha256'])[:8]}{mark}"
        shown.add_row(*(escape(str(cell)) for cell in (row["use"], row["job"], label, row["standing"])))
    out.print(shown)
    if not available:
        out.print(
            "No language model is configured, so nothing is asked; `[model]` in qa-agents.toml names one.", markup=False
        )
    for name in foreign:
        out.print(f"{one_line(name)}.md in your folder replaces nothing.", markup=False)


@app.command()
def show(context: typer.Context, prompt_id: Id, as_json: Json = False) -> None:
    """Print one prompt as it is in force."""
    with open_workspace(context) as workspace:
        prompt = workspace.prompts.get(prompt_id)
    if as_json:
        print_json({**prompt.head.model_dump(mode="json"), "sha256": prompt.sha256, "text": prompt.text})
    else:
        typer.echo(printable(prompt.text.rstrip("\n")))


@app.command()
def render(
    context: typer.Context,
    prompt_id: Id,
    given: Annotated[
        list[str] | None, typer.Option("--input", "-i", help="NAME=TEXT, or NAME=@FILE; once for each input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print exactly what a model would be given, secrets and personal data taken out. Nothing is sent."""
    with open_workspace(context) as workspace:
        prompt = workspace.prompts.get(prompt_id)
    rendered = prompt.render(**_inputs(given or [], prompt))
    if as_json:
        print_json(rendered.model_dump(mode="json"))
        return
    for message in rendered.messages:
        typer.echo(f"── {message.role}")
        typer.echo(printable(message.text) + "\n")


@app.command()
def diff(context: typer.Context, prompt_id: Id, as_json: Json = False) -> None:
    """Print what the team's own file changes about a prompt; exit 1 when it changes anything."""
    with open_workspace(context) as workspace:
        changed = workspace.prompts.diff(prompt_id)
    if as_json:
        print_json({"id": prompt_id, "changed": bool(changed), "diff": changed})
    elif changed:
        typer.echo(printable(changed.rstrip("\n")))
    else:
        console().print("It is as it ships.")
    if changed:
        raise typer.Exit(1)


def _standing(workspace: "Workspace", use: str, shipped: str, chosen: bool | None) -> str:
    """Why a use is on or off: the settings, else the team's own outcomes, else what was measured for all."""
    earned = workspace.witness_standing(use) if workspace.models.available else None
    if chosen is None:
        return earned[1] if earned else shipped
    found = f"; by its record it would be {earned[1]}" if earned else ""
    return f"{'on' if chosen else 'off'}: by model.uses{found}"


def _inputs(given: list[str], prompt: "Prompt") -> dict[str, str]:
    """The inputs by name. Raises UsageError for one without a name, an unknown one, or one that is missing."""
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or name not in prompt.head.inputs or name in found:
            names = ", ".join(prompt.head.inputs)
            raise UsageError(f"--input needs NAME=TEXT, once for each of: {names}.", hint="NAME=@FILE reads a file.")
        found[name] = _read(Path(value[1:])) if value.startswith("@") else value
    if missing := [name for name in prompt.head.inputs if name not in found]:
        raise UsageError(f"The input {missing[0]} is missing.", hint=f"Give it with --input {missing[0]}=TEXT.")
    return found


def _read(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_INPUT_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read ({error.strerror}).", hint="Name a readable file.") from None
