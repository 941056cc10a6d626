"""`qa-agents serve` and `qa-agents worker`: the service and the processes that do its work."""

from typing import Annotated

import typer

from qa_agents.cli.common import note, open_workspace


def serve(
    context: typer.Context,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run one worker beside it.")] = False,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8086,
) -> None:
    """Receive webhooks until it is told to stop: what is acknowledged is on disk."""
    from qa_agents.service.run import serve as serve_

    _log_to_stderr()
    with open_workspace(context) as workspace:
        hooks = workspace.settings.hooks
        if not hooks:
            note("No hook is configured, so nothing can be received; see [hooks.NAME] in the README.")
        workspace.database  # noqa: B018 - migrated, or said why not, before anything is promised
        serve_(
            workspace,
            host,
            port,
            with_worker=with_worker,
            ready=lambda url: note(f"Listening on {url} for {', '.join(sorted(hooks)) or 'nobody'}."),
        )


def worker(
    context: typer.Context,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when nothing is due.")] = False,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Do the service's work until SIGTERM: the job in hand is finished, the others stay in the queue."""
    import threading

    from qa_agents.listening import work
    from qa_agents.service.run import stop_at_signals

    _log_to_stderr()
    stop = threading.Event()
    stop_at_signals(stop, parent)
    with open_workspace(context) as workspace:
        handled = work(workspace, stop, until_empty=until_empty)
    note(f"{handled} {'job' if handled == 1 else 'jobs'} handled.")


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
