"""The short story as messages for Slack (Block Kit) and Teams (Adaptive Cards); all text is plain: no mention, link or markup."""

from collections.abc import Sequence
from typing import Any

from qa_agents.results.narrate.executives import LIGHTS, what_changed
from qa_agents.results.narrate.story import Line, text_of
from qa_agents.results.summary import Summary

_SLACK_TEXT, _SLACK_HEADER, _SLACK_BLOCKS = 2_900, 150, 50
_TEAMS_TEXT = 2_000
_LINE = 400
"""Of a list: three lists of _SHOWN such lines keep a message below Teams' 28 KB."""
_SIGNS = {"red": "🔴", "yellow": "🟡", "green": "🟢"}
_COLOURS = {"red": "Attention", "yellow": "Warning", "green": "Good"}
_SHOWN = 5


def as_slack(summary: Summary, sentences: Sequence[Line]) -> dict[str, Any]:
    """A message for an incoming webhook or chat.postMessage (https://api.slack.com/reference/block-kit), all plain_text."""
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(_title(summary), _SLACK_HEADER)}]
    blocks.append({"type": "section", "text": _plain(" ".join(text_of(line) for line in sentences))})
    for heading, lines in _lists(summary):
        blocks.append({"type": "divider"})
        blocks.append({"type": "section", "text": _plain("\n".join([heading, *(f"• {line}" for line in lines)]))})
    where = " · ".join(part for part in (summary.run.branch, summary.run.commit[:12], summary.run.environment) if part)
    if where:
        blocks.append({"type": "context", "elements": [_plain(where)]})
    return {"text": f"{_title(summary)}: {text_of(sentences[0])}"[:_SLACK_TEXT], "blocks": blocks[:_SLACK_BLOCKS]}


def as_teams(summary: Summary, sentences: Sequence[Line]) -> dict[str, Any]:
    """A message for a Teams workflow webhook: an Adaptive Card 1.5 (https://adaptivecards.io) of TextRuns, not of Markdown."""
    body = [
        _run(_title(summary), weight="Bolder", size="Large", color=_COLOURS[summary.light]),
        *(_run(text_of(line)) for line in sentences),
    ]
    for heading, lines in _lists(summary):
        body.append(_run(heading, weight="Bolder"))
        body += [_run(f"• {line}") for line in lines]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.5",
        "fallbackText": f"{_title(summary)}: {text_of(sentences[0])}"[:_TEAMS_TEXT],
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _title(summary: Summary) -> str:
    return f"{_SIGNS[summary.light]} {LIGHTS[summary.light]}: tests of {summary.run.run_id}"


def _lists(summary: Summary) -> list[tuple[str, list[str]]]:
    causes = [
        f"{cause.id} {cause.title} ({cause.extent})"
        for cause in summary.causes
        if cause.kind in ("new", "failing", "suspected")
    ]
    lists = [
        ("Causes", causes[:_SHOWN]),
        ("What changed", [text_of(line) for line in what_changed(summary)][:_SHOWN]),
        ("To decide", [one.question for one in summary.decide][:_SHOWN]),
    ]
    return [(heading, [_cut(line, _LINE) for line in lines]) for heading, lines in lists if lines]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _plain(text: str, limit: int = _SLACK_TEXT) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, limit), "emoji": False}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": _cut(text, _TEAMS_TEXT), **style}]}
