"""`qa-agents db`: the database's schema."""

import typer

from qa_agents.cli.common import Json, console, open_workspace, print_json

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context, as_json: Json = False) -> None:
    """Bring the database to this release's schema, once, however many processes ask for it at the same time."""
    with open_workspace(context) as workspace:
        schema, engine = workspace.upgrade(), workspace.database.dialect
    if as_json:
        print_json({"engine": engine, "schema": schema})
    else:
        console().print(f"The {engine} database is at schema {schema}.")
