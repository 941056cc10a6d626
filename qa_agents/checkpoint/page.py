"""One readable page per report for auditors: what came, was seen, proposed, decided, written and undone. Pure: dicts to HTML.

A story is plain JSON as `export.story` gathers it; nothing in it is trusted, and any part of it may be missing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from qa_agents.checkpoint.chain import moment
from qa_agents.checkpoint.markup import Markup, Writer, document, tag
from qa_agents.checkpoint.schema import PENDING

Story = dict[str, Any]
_SIMILAR = 10

EVENTS = {
    "received": "The report came in",
    "invalid": "It was no valid report and was refused",
    "triaged": "A verdict was made",
    "drafted": "A test plan was drafted",
    "summarised": "A test run was summarised",
    "model_asked": "A language model was asked",
    "item_decided": "A person decided about one item of the plan",
    "certified": "The quality gate was certified",
    "review_opened": "It stopped for a person",
    "voted": "A person answered; more answers are needed",
    "decided": "A person decided",
    "deferred": "A person put it off",
    "delegated": "A person handed it on",
    "rerouted": "It waited too long and was handed on",
    "refused": "An answer was refused",
    "superseded": "What waited was replaced by something newer",
    "action_done": "A change was made in the tracker",
    "action_failed": "A change in the tracker was refused",
    "action_undone": "A change was taken back, or given up before it was made",
    "undo_conflict": "A change was left as it is: somebody had changed it since",
    "held": "What was to go through without a person was held back for one",
    "recorded": "The run was finished",
    "failed": "The run failed and will be taken up again",
    "second_look": "A second person looked, without seeing the first answer",
    "canary_decided": "A planted case was answered",
    "audited": "An automatic decision was checked afterwards",
    "stopped": "All outside effects were stopped",
    "resumed": "Outside effects were allowed again",
    "gate_calibrated": "The gate's bound was calibrated",
    "gate_alarm": "Reports changed so much that the gate's bound no longer holds",
    "gate_acknowledged": "A person accepted that reports have changed",
    "redacted": "Payloads were erased",
    "anchored": "Anchors outside the database were begun",
}
"""What happened, in words, by the ledger's event; an unknown event is shown as it is."""

_PARTS = (
    ("came", "What came"),
    ("seen", "What was seen"),
    ("proposed", "What was proposed, and why it stopped"),
    ("decided", "Who decided"),
    ("written", "What was written"),
    ("undone", "What was undone"),
    ("record", "The record"),
)


def report_page(story: Story, mask: Callable[[str], str]) -> str:
    """The page of one report. `mask` hides secrets in a text; it is applied to everything that is shown."""
    write = Writer(mask)
    parts: dict[str, Callable[[Writer, Story], Iterable[Markup]]] = {
        "came": _came,
        "seen": _seen,
        "proposed": _proposed,
        "decided": _decided,
        "written": _written,
        "undone": _undone,
        "record": _record,
    }
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _PARTS)
    sections = "".join(
        f'<section id="{name}"><h2>{title}</h2>{"".join(parts[name](write, story))}</section>\n'
        for name, title in _PARTS
    )
    head = tag("h1", write.text(f"{story['report_id']}: {_summary(story)}"))
    nav = f'<nav aria-label="On this page"><ul><li><a href="index.html">All reports</a></li>{links}</ul></nav>'
    title = write.text(f"{story['report_id']} – audit page")
    return document(title, Markup(f"<header>{head}{_standing(write, story)}{nav}</header>\n<main>\n{sections}</main>"))


def _summary(story: Story) -> str:
    reports = [run["report"] for run in story["runs"] if run.get("report")]
    if not reports:
        return "(erased)" if story.get("erased") else "(no readable report)"
    return str(reports[-1].get("summary") or "(no summary)")[:300]


def _standing(write: Writer, story: Story) -> Markup:
    states = "; ".join(f"{account['state']} (from {account['source']})" for account in story["accounts"])
    return tag("p", write.text(f"Now: {states or 'not on account'}. Exported {moment(story['exported_at'])}."), "soft")


def _came(write: Writer, story: Story) -> Iterator[Markup]:
    for account in story["accounts"]:
        yield write.pairs(
            (
                ("Source", account["source"]),
                ("First received", moment(account["received_at"])),
                ("Versions received", account["version"]),
                ("SHA-256 of the bytes", tag("code", write.text(account["raw_sha256"]))),
                ("Problem", account["error"]),
            )
        )
        if account.get("raw"):
            yield tag("p", "The bytes, as text:", "soft")
            yield tag("pre", write.text(account["raw"]))
    for number, run in enumerate(story["runs"], start=1):
        yield from _problems(write, run)
        if run.get("report"):
            yield _report(write, run, f"Version {number}, received {moment(run['started_at'])}")


def _report(write: Writer, run: Story, title: str) -> Markup:
    report = run["report"]
    known = ("product", "version", "platform", "reporter", "created", "labels")
    others = {name: report[name] for name in report if name not in {*known, "id", "summary", "description"}}
    return tag(
        "div",
        Markup(
            tag("h3", title)
            + write.pairs([("Summary", report.get("summary"))])
            + write.pairs((name.capitalize(), _plain(report.get(name))) for name in known)
            + tag("pre", write.text(report.get("description") or "(no description)"))
            + write.pairs((name, _plain(value)) for name, value in others.items())
        ),
        "card",
    )


def _seen(write: Writer, story: Story) -> Iterator[Markup]:
    for run, verdict in _verdicts(story):
        yield _run_title(write, story, run)
        signals = _dict(verdict.get("signals"))
        for name, says in (("hidden", "Hidden in the report"), ("secrets", "Kinds of secrets found and masked")):
            if signals.get(name):
                yield tag("h3", says)
                yield write.items(signals[name])
        marked = [(name, fact) for name, facts in signals.items() for fact in _dicts(facts)]
        rows = ((name.replace("_", " "), f"“{fact.get('quote')}”", _where(fact)) for name, fact in marked)
        yield write.table("Signals: what about the text itself matters", ("signal", "quote", "where"), rows)
        facts = (
            (_word(f.get("name")), f.get("value"), f"“{f.get('quote')}”", _where(f))
            for f in _dicts(verdict.get("facts"))
        )
        yield write.table("Facts, with the words they rest on", ("fact", "value", "quote", "where"), facts)
        relations = (
            (r.get("incident_id"), r.get("kind"), r.get("state"), _plain(r.get("same")), _plain(r.get("differs")))
            for r in _dicts(verdict.get("relations"))
        )
        head = ("incident", "relation", "state then", "same", "different")
        yield write.table("How it relates to past incidents", head, relations)
        similar = (
            (s.get("incident_id"), f"{float(s.get('score') or 0):.2f}", _plain(s.get("shared")))
            for s in _dicts(verdict.get("similar"))[:_SIMILAR]
        )
        yield write.table(
            "Nearest in memory (a score is no probability)", ("incident", "score", "shared words"), similar
        )


def _proposed(write: Writer, story: Story) -> Iterator[Markup]:
    for run, verdict in _verdicts(story):
        yield _run_title(write, story, run)
        proposals = _dict(verdict.get("proposals"))
        rows = (_proposal(write, name, _dict(proposal)) for name, proposal in proposals.items())
        head = ("field", "proposed", "probability", "because", "against, or instead")
        yield write.table("Proposals", head, rows)
        hypothesis = _dict(verdict.get("hypothesis"))
        if hypothesis:
            yield tag("h3", "Hypothesis")
            yield tag("p", write.text(hypothesis.get("text")))
            yield write.items(_evidence(hypothesis.get("evidence")))
        if verdict.get("missing"):
            yield tag("h3", "Asked of the reporter")
            yield write.items(_questions(verdict))
        planned = (
            (_word(a.get("kind")), _parts(write, _dict(a.get("params"))), a.get("because"))
            for a in _dicts(verdict.get("actions"))
        )
        yield write.table("What would be written", ("change", "what", "why"), planned)
        gate = _dict(verdict.get("gate"))
        stopped = gate.get("decision") != "auto"
        yield tag("h3", "Why it stopped" if stopped else "Why it did not stop")
        yield tag("p", write.text(f"The gate said {gate.get('decision', 'nothing')}."))
        yield write.items(gate.get("reasons") or ())
        yield tag("p", Markup("Verdict, SHA-256 " + tag("code", write.text(run["outcome_sha256"]))), "soft")


def _questions(verdict: Story) -> list[str]:
    """The questions, each with what an answer would change, else with why it is asked."""
    told = [
        (str(one.get("text") or ""), str(one.get("changes_decision") or one.get("because") or ""))
        for one in _dicts(verdict.get("questions"))
    ]
    return [f"{text} ({why})" if why else text for text, why in told if text] or [
        _plain(text) for text in verdict["missing"]
    ]


def _proposal(write: Writer, name: str, proposal: Story) -> tuple[object, ...]:
    probability = proposal.get("probability")
    instead = [str(other.get("value")) for other in _dicts(proposal.get("alternatives"))]
    against = [*_evidence(proposal.get("against")), *([f"considered: {', '.join(instead)}"] if instead else [])]
    return (
        name,
        proposal.get("value") or "undetermined",
        "not measured" if probability is None else f"{float(probability):.2f}",
        write.items(_evidence(proposal.get("evidence"))) or "–",
        write.items(against) or "–",
    )


def _decided(write: Writer, story: Story) -> Iterator[Markup]:
    if not story["reviews"]:
        yield tag("p", "No person was asked.")
    for review in story["reviews"]:
        requires = _dict(review.get("requires"))
        needed = f"{requires.get('approvals')} ({requires.get('rule')})" if requires else ""
        same = {
            True: tag("span", "yes", "good"),
            False: tag("span", "NO: it was changed since", "bad"),
            None: tag("span", "erased on request"),
        }[review["shown_matches"]]
        yield tag(
            "div",
            Markup(
                tag("h3", write.text(f"{review.get('form') or 'approval'} {review['review_id']}: {review['state']}"))
                + write.pairs(
                    (
                        ("Opened", moment(review["opened_at"])),
                        ("Approvals needed", needed),
                        ("Proposed by", requires.get("proposer") or "qa-agents"),
                        ("Handed to", review.get("assigned_to")),
                        ("Digest of what was shown", tag("code", write.text(review["digest"]))),
                        ("What is stored has this digest", same),
                    )
                )
                + "".join(_answer(write, review, answer) for answer in review["answers"])
                + (
                    ""
                    if review["answers"]
                    else tag("p", "Nobody has answered yet." if _waits(review) else "Nobody answered.")
                )
            ),
            "card",
        )


def _answer(write: Writer, review: Story, answer: Story) -> Markup:
    body = _dict(answer.get("body"))
    exact = body.get("digest") == review["digest"]
    author = f"exactly what {answer['author']} put forward" if answer.get("author") else f"digest {body.get('digest')}"
    about = tag("span", "exactly what was shown", "good") if exact else write.text(author)
    kind = {"second": "second look: ", "canary": "planted case: "}.get(str(answer.get("purpose")), "")
    auth = f", recognised by: {body['auth']}" if body.get("auth") else ""
    roles = f" ({', '.join(map(str, body['roles']))})" if body.get("roles") else ""
    return write.pairs(
        (
            ("Who", f"{body.get('reviewer')}{roles}{auth}"),
            ("Answer", tag("strong", write.text(f"{kind}{body.get('verdict')}"))),
            ("When", moment(answer["at"])),
            ("About", about),
            ("Reason", body.get("reason_code")),
            ("In their words", body.get("note")),
            ("Changed to", _named(body.get("edits"))),
            ("Asked the reporter", _plain(body.get("questions"))),
            ("Answers", _named(body.get("answers"))),
            ("Until", body.get("until")),
            ("Handed to", body.get("to")),
            ("Accountable", body.get("accountable")),
            ("Let pass", write.items(map(_waiver, _dicts(body.get("waivers"))))),
        )
    )


def _waiver(waiver: Story) -> str:
    until = str(waiver.get("expires"))[:16].replace("T", " ")
    return f"{waiver.get('item')}: {waiver.get('reason')} (owner {waiver.get('owner')}, until {until} UTC)"


def _written(write: Writer, story: Story) -> Iterator[Markup]:
    rows = [_change(write, action) for action in story["actions"] if not action.get("undoes")]
    head = ("change", "before", "after", "state", "when", "key")
    yield write.table("Changes in the tracker, in order", head, rows) or tag("p", "Nothing was written.")


def _undone(write: Writer, story: Story) -> Iterator[Markup]:
    rows = [_change(write, action) for action in story["actions"] if action.get("undoes")]
    head = ("change", "before", "after", "state", "when", "key")
    yield write.table("Changes that take an earlier one back", head, rows) or tag("p", "Nothing was undone.")


def _change(write: Writer, action: Story) -> tuple[object, ...]:
    body, applied = _dict(action.get("body")), _dict(action.get("before"))
    params, before = _dict(body.get("params")), _dict(applied.get("before"))
    field = f" {params['field']}" if "field" in params else ""
    after = applied.get("after") or {name: value for name, value in params.items() if name not in ("field", "expect")}
    state = f"{action['state']}: {action['error']}" if action.get("error") else action["state"]
    return (
        f"{_word(body.get('kind'))}{field} on {body.get('target')}",
        _parts(write, before) if before else "nothing",
        _parts(write, _dict(after)) if action["state"] in ("done", "undone") else "–",
        state,
        moment(action["done_at"]) if action.get("done_at") else "–",
        tag("code", write.text(str(action["key"])[:12])),
    )


def _record(write: Writer, story: Story) -> Iterator[Markup]:
    yield tag("p", write.text(story["chain"]), "good" if story["chain_holds"] else "bad")
    rows = (
        (
            entry["seq"],
            tag("span", write.text(moment(entry["at"])), "when"),
            EVENTS.get(entry["event"], entry["event"]),
            entry["actor"],
            tag("em", "payload erased") if entry["payload"] is None else write.json(entry["payload"]),
            tag("code", write.text(entry["hash"][:12])),
        )
        for entry in story["entries"]
    )
    table = write.table("Ledger entries about this report", ("no.", "when", "what", "who", "payload", "hash"), rows)
    yield tag("div", table, "record")


def _problems(write: Writer, run: Story) -> Iterator[Markup]:
    for problem in run["problems"]:
        yield tag("p", write.text(problem), "bad")


def _verdicts(story: Story) -> list[tuple[Story, Story]]:
    return [(run, _dict(run.get("verdict"))) for run in story["runs"] if run.get("verdict")]


def _run_title(write: Writer, story: Story, run: Story) -> Markup:
    if len(_verdicts(story)) == 1:
        return Markup("")
    return tag("h3", write.text(f"Run {run['run_id']}, {moment(run['started_at'])} ({run['state']})"))


def _waits(review: Story) -> bool:
    return review["state"] in PENDING


def _parts(write: Writer, parts: Story) -> Markup:
    """A change's parameters, or the value they come down to; one level of nesting is laid flat."""
    nested = _dict(parts.get("fields"))
    flat = {name: value for name, value in (parts | nested).items() if not (nested and name == "fields")}
    if len(flat) == 1:
        (only,) = flat.values()
        return _parts(write, only) if isinstance(only, dict) else write.text(_plain(only))
    return write.pairs((_word(name), _plain(value)) for name, value in flat.items())


def _word(name: object) -> str:
    return str(name).replace("_", " ")


def _where(fact: Story) -> str:
    return f"{fact.get('field')} {fact.get('start')}–{fact.get('end')}"


def _evidence(values: object) -> list[str]:
    return [f"{e.get('text')} ({e['ref']})" if e.get("ref") else str(e.get("text")) for e in _dicts(values)]


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(str(part) for part in value)
    if isinstance(value, dict):
        return _named(value)
    return "" if value is None else str(value)


def _named(value: object) -> str:
    return "; ".join(f"{name}: {part}" for name, part in _dict(value).items())


def _dict(value: object) -> Story:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[Story]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
