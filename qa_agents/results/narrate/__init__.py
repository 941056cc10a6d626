"""Tells what a run means: for executives, engineers and auditors; as Markdown, HTML, Slack and Teams messages."""

import json
from collections.abc import Callable, Sequence

from qa_agents.results.narrate.auditors import for_auditors
from qa_agents.results.narrate.blocks import as_slack, as_teams
from qa_agents.results.narrate.engineers import for_engineers
from qa_agents.results.narrate.executives import WORDED, for_executives, three_sentences
from qa_agents.results.narrate.html import as_html
from qa_agents.results.narrate.markdown import as_markdown
from qa_agents.results.narrate.story import Line, sources
from qa_agents.results.schema import Run
from qa_agents.results.store import StoredRun
from qa_agents.results.summary import Summary

__all__ = ["pages"]


def pages(
    summary: Summary,
    *,
    run: Run | None = None,
    history: Sequence[StoredRun] = (),
    opening: Sequence[str] = (),
    mask: Callable[[str], str] = lambda text: text,
) -> dict[str, str]:
    """File name to content: one page for each kind of reader, one HTML page for all of them, two messages.

    `run` adds the commands to run a failing test again; `history` (the last runs, oldest first) the trend; `opening` are
    sentences that replace the templates' and were checked against the data. `mask` hides secrets in every text. Pure.
    """
    short, engineers, audit = for_executives(summary, opening), for_engineers(summary, run), for_auditors(summary)
    counted = sources(summary)
    sentences: Sequence[Line] = [(one,) for one in (*opening, *[WORDED] * bool(opening))] or three_sentences(summary)
    made = {
        "executives.md": as_markdown(summary, (short, counted)),
        "engineers.md": as_markdown(summary, (short, engineers, counted)),
        "audit.md": as_markdown(summary, (short, audit, counted)),
        "slack.json": json.dumps(as_slack(summary, sentences), ensure_ascii=False, indent=1),
        "teams.json": json.dumps(as_teams(summary, sentences), ensure_ascii=False, indent=1),
    }
    return {
        "summary.html": as_html(summary, (short, engineers, audit, counted), history, mask),
        **{name: mask(text) for name, text in made.items()},
    }
