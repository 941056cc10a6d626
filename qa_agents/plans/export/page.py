"""`plan.html`: the specification beside its cases, quotes highlighted, filters without a script. One file, nothing loaded."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from qa_agents.plans.schema import NOT_TESTED, Question, Requirement, TestCase, TestPlan
from qa_agents.plurals import counted

_FILTERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("priority", "Priority", ("high", "medium", "low")),
    ("polarity", "Polarity", ("positive", "negative", "boundary")),
    ("basis", "Basis", ("quote", "derived", "assumption")),
)
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --mark: #ffe58a; --on: #1d1d1d; --soft: #8881; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --mark: #6b5900; --on: #fff; --accent: #7db8f5; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
header, fieldset, main, footer { padding: .5rem 1rem; }
h1 { font-size: 1.4rem; margin: .3rem 0; } h2 { font-size: 1.15rem; } h3 { font-size: 1rem; margin: 0; }
a { color: var(--accent); }
fieldset { border: 0; display: inline-flex; gap: .7rem; flex-wrap: wrap; margin: 0; }
legend { float: left; font-weight: 600; padding-right: .5rem; }
label { display: inline-flex; gap: .3rem; align-items: center; min-height: 24px; }
main { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1.5rem; }
.spec, .cases { max-height: calc(100vh - 4rem); overflow: auto; padding: .8rem; }
.spec, .cases { border: 1px solid var(--line); border-radius: 6px; }
.spec pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
mark { background: var(--mark); color: var(--on); } mark a { color: inherit; }
mark:target, article:target { outline: 3px solid var(--accent); }
article { border-bottom: 1px solid var(--line); padding: .7rem 0; }
blockquote { margin: .3rem 0; padding-left: .7rem; border-left: 3px solid var(--line); overflow-wrap: anywhere; }
.case { background: var(--soft); border-radius: 6px; padding: .5rem .7rem; margin: .5rem 0; overflow-wrap: anywhere; }
.meta { font-size: .85rem; } .suspect { font-weight: 600; } ol { margin: .3rem 0; padding-left: 1.4rem; }
@media (max-width: 50rem) { main { grid-template-columns: minmax(0, 1fr); } .spec, .cases { max-height: none; } }
@media print { fieldset { display: none; } .spec, .cases { max-height: none; overflow: visible; } }
"""


def html(plan: TestPlan, texts: Mapping[str, str]) -> dict[str, str]:
    """`plan.html` for the plan; `texts` gives each source's text as it was read, by source id."""
    title = escape(plan.title)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{title}</title><style>{_STYLE}{_filter_rules()}</style></head><body>",
        f"<header><h1>{title}</h1><p>{_summary(plan)}</p></header>",
        *(_filter(*one) for one in _FILTERS),
        '<main><section class="spec" aria-label="Specification" tabindex="0">',
        *(_source(plan, source.id, source.name, texts.get(source.id, "")) for source in plan.sources),
        '</section><section class="cases" aria-label="Requirements and cases" tabindex="0">',
        *_questions(plan.questions),
        "<h2>Requirements and cases</h2>",
        *(
            _requirement(one, [case for case in plan.cases if one.id in case.requirement_ids])
            for one in plan.requirements
        ),
        *_gaps(plan),
        "</section></main></body></html>",
    ]
    return {"plan.html": "\n".join(parts) + "\n"}


def _summary(plan: TestPlan) -> str:
    coverage = ", ".join(f"{one.technique} {one.covered}/{one.items}" for one in plan.coverage if one.items)
    return escape(
        f"{plan.id}: {counted(len(plan.requirements), 'requirement')}, {counted(len(plan.cases), 'case')}, "
        f"{counted(len(plan.questions), 'question')}. {coverage}"
    )


def _filter(name: str, title: str, values: Sequence[str]) -> str:
    radios = [f'<label><input type="radio" name="{name}" id="{name}-all" checked>all</label>']
    radios += [f'<label><input type="radio" name="{name}" id="{name}-{value}">{value}</label>' for value in values]
    return f"<fieldset><legend>{title}</legend>{''.join(radios)}</fieldset>"


def _filter_rules() -> str:
    return "".join(
        f"body:has(#{name}-{value}:checked) .case:not([data-{name}={value}]){{display:none}}"
        for name, _, values in _FILTERS
        for value in values
    )


def _source(plan: TestPlan, source_id: str, name: str, text: str) -> str:
    own = [one for one in plan.requirements if one.source_id == source_id]
    return f"<h2>{escape(name)}</h2><pre>{''.join(_marked(text, own))}</pre>"


def _marked(text: str, requirements: Iterable[Requirement]) -> Iterable[str]:
    """The text with each quote marked and linked to its cases; where quotes overlap, the longer one is marked."""
    at = 0
    for one in sorted(requirements, key=lambda each: (each.start, -each.end)):
        if one.start < at or text[one.start : one.end] != one.quote:
            continue
        yield escape(text[at : one.start])
        yield f'<mark id="q-{escape(one.id)}"><a href="#{escape(one.id)}">{escape(one.quote)}</a></mark>'
        at = one.end
    yield escape(text[at:])


def _questions(questions: Sequence[Question]) -> Iterable[str]:
    if questions:
        yield "<h2>Questions</h2><ul>"
    for one in questions:
        said = f"answered: {one.answer}" if one.answer is not None else f"assumed: {one.default_assumption}"
        yield f"<li><strong>{escape(one.id)}</strong> {escape(one.text)} <em>{escape(said)}</em></li>"
    if questions:
        yield "</ul>"


def _requirement(one: Requirement, cases: Sequence[TestCase]) -> str:
    none = "not tested: " + one.kind.replace("_", " ") if one.kind in NOT_TESTED else "no case"
    body = "".join(map(_case, cases)) or f"<p><strong>{escape(none)}</strong></p>"
    where = " › ".join(one.heading_path)
    return (
        f'<article id="{escape(one.id)}"><h3><a href="#q-{escape(one.id)}">{escape(one.explicit_id or one.id)}</a></h3>'
        f"<blockquote>{escape(one.quote)}</blockquote>"
        f'<p class="meta">{escape(where)} · line {one.line} · {escape(one.kind)} · {escape(one.modality)}</p>{body}</article>'
    )


def _case(case: TestCase) -> str:
    marks = [case.technique, case.polarity, case.priority, case.expected_basis, *case.question_ids, *case.incident_ids]
    suspect = f'<p class="suspect">suspect: {escape(case.suspect)}</p>' if case.suspect else ""
    given = "".join(f"<li>given {escape(text)}</li>" for text in case.preconditions)
    steps = "".join(
        f"<li>{escape(step.action)}{' (' + escape(step.data) + ')' if step.data else ''} → {escape(step.expected)}</li>"
        for step in case.steps
    )
    return (
        f'<div class="case" data-priority="{case.priority}" data-polarity="{case.polarity}" data-basis="{case.expected_basis}">'
        f'<strong>{escape(case.title)}</strong> <span class="meta">{escape(case.id)} · {escape(", ".join(marks))}</span>'
        f"{suspect}{f'<ul>{given}</ul>' if given else ''}<ol>{steps}</ol></div>"
    )


def _gaps(plan: TestPlan) -> Iterable[str]:
    sentences = [f"{gap.kind} {gap.ref}: {gap.why}" for gap in plan.gaps]
    sentences += [f"{source.name}: {one}" for source in plan.sources for one in source.unread] + plan.left_out
    if sentences:
        yield "<h2>Gaps, what was not read, what was left out</h2><ul>"
        yield from (f"<li>{escape(sentence)}</li>" for sentence in sentences)
        yield "</ul>"
