"""`qa-agents library`: inputs for testing AI systems, drawn from the prompt library."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qa_agents.cli.common import Json, console, note, open_workspace, print_json
from qa_agents.errors import UsageError

if TYPE_CHECKING:
    from qa_agents.library.generate import Generated
    from qa_agents.library.schema import Library

app = typer.Typer(help="Inputs for testing AI systems, each with the property to hold.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--folder", help="A library of your own instead of the one that ships.")]


@app.command("list")
def list_(folder: Folder = None, as_json: Json = False) -> None:
    """What there is: kinds, versions, how many inputs each combines to."""
    from qa_agents.library.generate import generate
    from qa_agents.library.load import load
    from qa_agents.library.schema import KINDS

    found = []
    for kind in KINDS:
        library = load(kind, folder)
        parts = {
            "seeds": len(library.seeds),
            "templates": len(library.templates),
            "inputs": generate(library, 0).possible,
        }
        found.append({"kind": kind, "version": library.version, **parts, "about": library.about})
    if as_json:
        print_json(found)
        return
    from rich.table import Table

    table = Table("kind", "version", "seeds", "templates", "inputs", "about", box=None, header_style="bold")
    for row in found:
        table.add_row(*(str(value) for value in row.values()))
    console().print(table)


@app.command()
def generate(
    context: typer.Context,
    kind: Annotated[str, typer.Option("--kind", help="adversarial, boundary, cultural, bias or injection.")],
    n: Annotated[int, typer.Option("--n", min=1, max=50_000, help="How many inputs at most.")] = 50,
    seed: Annotated[int, typer.Option("--seed", help="Another number draws another selection.")] = 0,
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or promptfoo.")] = "jsonl",
    out: Annotated[Path | None, typer.Option("--out", help="Write here instead of to stdout.")] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Print the coverage matrix instead of the inputs.")
    ] = False,
    reword: Annotated[
        bool,
        typer.Option("--reword", help="Let the configured language model vary the wording; without one, as it is."),
    ] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Distinct inputs that cover as much of the library as so many can; the same call gives the same inputs.

    With --reword the wording is a model's; a wording that changes what is probed is not taken.
    """
    from qa_agents.library.export import FORMATS
    from qa_agents.library.generate import generate as draw
    from qa_agents.library.load import load
    from qa_agents.library.schema import KINDS

    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise UsageError(f"There is no library {kind}.", hint=f"There are: {', '.join(KINDS)}.")
    if form not in FORMATS:
        raise UsageError(f"{form} is no format.", hint=f"There are: {', '.join(FORMATS)}.")
    library = load(known, folder)
    drawn = _reworded(context, library, n, seed) if reword else draw(library, n, seed=seed)
    told = f"{len(drawn.inputs)} of {drawn.possible} distinct inputs of {kind}, version {library.version}."
    if as_json:
        print_json(
            {"library": kind, "version": library.version, "sha256": library.sha256, **drawn.model_dump(mode="json")}
        )
    elif coverage:
        _show_coverage(drawn.coverage)
    elif out is not None:
        try:
            out.write_text(FORMATS[form](drawn.inputs), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    else:
        print(FORMATS[form](drawn.inputs), end="")
    note(told)


def _reworded(context: typer.Context, library: "Library", n: int, seed: int) -> "Generated":
    """Drawn with the model's wordings; what came of that is told, and nothing is lost where it gives none."""
    from qa_agents.library.generate import generate as draw
    from qa_agents.library.reword import Rewording

    with open_workspace(context) as workspace:
        rewording = Rewording(workspace.models, workspace.prompts, f"library {library.kind}")
        if not rewording.absent:
            note("Asking the language model …")
        drawn = draw(library, n, seed=seed, reword=rewording)
    kept = sum("reworded" in one.made_from for one in drawn.inputs)
    if rewording.given:
        note(f"{kept} in other words; {rewording.given - kept} wordings changed what is probed and were left out.")
    if rewording.absent:
        note(f"The rest is as the library has it. {rewording.absent}")
    return drawn


def _show_coverage(coverage: dict[str, dict[str, int]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("trait", "covered", "values (number of inputs)", box=None, header_style="bold")
    for name, values in coverage.items():
        told = ", ".join(
            f"{value} {count}" if count else f"[red]{escape(value)} 0[/red]" for value, count in values.items()
        )
        table.add_row(name, f"{sum(map(bool, values.values()))}/{len(values)}", told)
    console().print(table)
