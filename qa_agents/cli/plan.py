"""`qa-agents plan`, `plans` and `export`: test plans from specifications."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qa_agents.cli.common import As, Json, console, note, open_workspace, print_json
from qa_agents.cli.text import one_line
from qa_agents.errors import InvalidInputError, NotFoundError, UsageError

if TYPE_CHECKING:
    from qa_agents.planning import Drafted, Named
    from qa_agents.plans.decisions import ItemVerdict
    from qa_agents.wiring import Workspace

app = typer.Typer(help="The test plans of this workspace, and your answers about their items.", no_args_is_help=True)

MAX_INPUT_BYTES = 50_000_000
Plan = Annotated[str, typer.Argument(help="Name of the plan, as `plans list` shows it.")]
Item = Annotated[str, typer.Argument(help="Id of the question (Q-…) or the case (TC-…).")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Write plan.md, plan.json, plan.html and the tables into this folder.")
]


def plan(
    context: typer.Context,
    specs: Annotated[
        list[str] | None,
        typer.Argument(help="Markdown, text, docx, PDF, HTML, OpenAPI (JSON, YAML), Gherkin; - is stdin."),
    ] = None,
    epic: Annotated[
        str | None, typer.Option("--epic", help="Key of an epic in the tracker: it and its stories are read (PAY-12).")
    ] = None,
    restricted: Annotated[
        bool, typer.Option("--restricted", help="With --epic: stories with a security level too.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the plan (default: after the first file).")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Its title.")] = "",
    out: Out = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", help="The plan.json of an earlier version: only what changed is drafted anew."),
    ] = None,
    existing: Annotated[
        list[Path] | None,
        typer.Option("--existing", help="Cases you have (CSV, JSON, Gherkin): not drafted again; repeatable."),
    ] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option("--domain", help="A domain pack, finance say; repeatable. `plans domains` lists them."),
    ] = None,
    ask: Annotated[bool, typer.Option(help="Stop for the open questions before the sign-off.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Draft anew what was drafted before.")] = False,
    as_json: Json = False,
) -> None:
    """Draft a test plan; it stops at the checkpoint for open questions, then for the sign-off.

    Exit 0 when the plan is drafted (waiting included), 2 when a specification or an epic cannot be read, 3 when the tracker
    does not answer.
    """
    from qa_agents import planning

    if not specs and epic is None:
        raise UsageError("There is nothing to plan from.", hint="Give specification files, or --epic KEY.")
    if specs and specs.count("-") > 1:
        raise UsageError("Standard input can be read once only.")
    sources = [_read(one) for one in specs or ()]
    with open_workspace(context) as workspace:
        stories, unread, levels = (
            planning.epic_sources(workspace, epic, restricted=restricted) if epic else ([], {}, {})
        )
        sources = [*stories, *sources]
        drafted = planning.draft(
            workspace,
            sources,
            unread=unread,
            levels=levels,
            name=planning.plan_name(name, [one for one, _ in sources]),
            title=title,
            previous=_read(str(previous))[1] if previous else None,
            existing=[_read(str(path)) for path in existing or ()],
            domains=domain or [],
            ask=ask,
            again=again,
        )
        written = _write(workspace, drafted, out)
    _show(drafted, as_json=as_json, written=written)


@app.command("list")
def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the plans, the newest first."""
    from qa_agents import planning

    with open_workspace(context) as workspace:
        found = [planning.drafted(workspace, name) for name in planning.names(workspace)]
    if as_json:
        print_json([_brief(one) for one in found])
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("plan", "state", "requirements", "cases", "open questions", "suspect", "review")
    for one in found:
        brief = _brief(one)
        table.add_row(*(escape(one_line(brief[key] or "", limit=40)) for key in brief))
    console().print(table if found else "There is no plan yet; `qa-agents plan SPEC` drafts one.")


@app.command()
def show(context: typer.Context, name: Plan, out: Out = None, as_json: Json = False) -> None:
    """Show a plan as it stands."""
    from qa_agents import planning

    with open_workspace(context) as workspace:
        drafted = planning.drafted(workspace, name)
        written = _write(workspace, drafted, out)
    _show(drafted, as_json=as_json, written=written)


@app.command()
def questions(
    context: typer.Context,
    name: Plan,
    all_: Annotated[bool, typer.Option("--all", help="Answered ones too.")] = False,
    as_json: Json = False,
) -> None:
    """List what the specification leaves open, the most important first, with what waits for it."""
    from qa_agents import planning
    from qa_agents.plans.decisions import open_questions

    with open_workspace(context) as workspace:
        plan = planning.plan_of(workspace, name)
    by_id = {question.id: question for question in plan.questions}
    chosen = [by_id[one] for one in open_questions(plan)]
    chosen += [question for question in plan.questions if all_ and question.answer is not None]
    if as_json:
        print_json([question.model_dump(mode="json") for question in chosen])
        return
    from qa_agents.cli.plan_view import show_question

    for question in chosen:
        show_question(question)
    if not chosen:
        console().print("Nothing is open.")


@app.command()
def answer(
    context: typer.Context,
    name: Plan,
    item: Item,
    text: Annotated[str, typer.Argument(help="Your answer; `assume` accepts the default assumption.")],
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Answer one question; the cases that waited for it go on, and only those."""
    _decide(context, name, item, "answer", reviewer, as_json, text=text)


@app.command()
def accept(context: typer.Context, name: Plan, item: Item, reviewer: As = None, as_json: Json = False) -> None:
    """Accept one case as it is."""
    _decide(context, name, item, "accept", reviewer, as_json)


@app.command()
def reject(
    context: typer.Context,
    name: Plan,
    item: Item,
    reason: Annotated[str, typer.Option("--reason", help="Why it is not wanted.")],
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Take one case out of the plan; it stays out of later drafts."""
    _decide(context, name, item, "reject", reviewer, as_json, text=reason)


@app.command()
def edit(
    context: typer.Context,
    name: Plan,
    item: Item,
    set_: Annotated[
        list[str], typer.Option("--set", help="FIELD=VALUE; a step is `action => what is observed`, one a line.")
    ],
    reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Change fields of one case; no later draft overwrites them."""
    pairs = [one.partition("=") for one in set_]
    if any(not equals or not field.strip() for field, equals, _ in pairs):
        raise UsageError("--set takes FIELD=VALUE.", hint="For example --set priority=high.")
    edits = {field.strip(): value.strip() for field, _, value in pairs}
    _decide(context, name, item, "edit", reviewer, as_json, edits=edits)


@app.command()
def domains(as_json: Json = False) -> None:
    """List the domain packs: what each looks for, and the standards it rests on."""
    from qa_agents.plans.domains import load_pack, pack_names

    packs = [load_pack(name) for name in pack_names()]
    if as_json:
        print_json([{"name": pack.name, "title": pack.title} for pack in packs])
        return
    for pack in packs:
        console().print(f"{pack.name:22} {pack.title}", markup=False)


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of a plan, or a plan.json.")],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="gherkin, testrail, xray-json, xray-csv, zephyr, qase, csv, pytest, …; `all` for each."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path(),
    blocked: Annotated[bool, typer.Option("--blocked", help="Cases too that wait for an unanswered question.")] = False,
    as_json: Json = False,
) -> None:
    """Write a plan's cases in the format of a test-management system, or as runnable tests."""
    from qa_agents import planning
    from qa_agents.plans.export import export_plan

    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        plan = planning.as_plan(_read(name)[1], path.name)
    else:
        with open_workspace(context) as workspace:
            plan = planning.plan_of(workspace, name)
    written = export_plan(plan, to, out, blocked=blocked)
    if as_json:
        print_json({"written": [str(one) for one in written]})
    else:
        for one in written:
            note(f"written: {one}")


def _decide(
    context: typer.Context,
    name: str,
    item: str,
    verdict: "ItemVerdict",
    reviewer: str | None,
    as_json: bool,
    **what: Any,
) -> None:
    from qa_agents import planning
    from qa_agents.plurals import counted

    with open_workspace(context) as workspace:
        token = workspace.settings.reviewer_token
        drafted = planning.decide_item(workspace, name, item, verdict, reviewer=reviewer, token=token, **what)
    if as_json:
        print_json(_brief(drafted))
    else:
        brief = _brief(drafted)
        console().print(
            f"{item}: {verdict}. The plan has {counted(brief['cases'], 'case')} and "
            f"{counted(brief['open_questions'], 'open question')}; "
            f"it waits as {brief['review']}.",
            markup=False,
        )


def _read(name: str) -> "Named":
    if name == "-":
        body, label = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1), "-"
    else:
        path = Path(name)
        try:
            with path.open("rb") as file:
                body, label = file.read(MAX_INPUT_BYTES + 1), path.name
        except FileNotFoundError:
            raise NotFoundError(f"There is no file {name}.", hint="Check the path.") from None
        except OSError as error:
            raise InvalidInputError(
                f"{name} cannot be read ({error.strerror}).", hint="Give a readable file."
            ) from None
    if len(body) > MAX_INPUT_BYTES:
        raise InvalidInputError(f"{label} is larger than {MAX_INPUT_BYTES // 1_000_000} MB.", hint="Split it.")
    return label, body


def _write(workspace: "Workspace", drafted: "Drafted", out: Path | None) -> list[Path]:
    if out is None:
        return []
    from qa_agents import planning
    from qa_agents.plans.export import write_plan

    return write_plan(drafted.plan, out, texts=planning.source_texts(workspace, drafted.name))


def _brief(drafted: "Drafted") -> dict[str, Any]:
    from qa_agents.plans.decisions import open_questions

    plan = drafted.plan
    return {
        "name": drafted.name,
        "state": drafted.account.state,
        "requirements": len(plan.requirements),
        "cases": len(plan.cases),
        "open_questions": len(open_questions(plan)),
        "suspect": sum(case.suspect is not None for case in plan.cases),
        "review": drafted.review_id,
    }


def _show(drafted: "Drafted", *, as_json: bool, written: list[Path]) -> None:
    if as_json:
        document = drafted.plan.model_dump(mode="json")
        state = {"name": drafted.name, "state": drafted.account.state, "review_id": drafted.review_id}
        print_json({**document, **state, "written": [str(path) for path in written]})
        return
    from qa_agents.cli.plan_view import show_plan

    show_plan(drafted)
    for path in written:
        note(f"written: {path}")
