"""What to ask the reporter: at most three questions, the one that would change the decision most first.

A question is asked only when nothing in the report answers it - not a heading, not other words, not a field, not an
attachment - and never twice. Questions are fixed sentences: they quote nothing of the report.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from qa_agents.incidents.schema import Incident, Report
from qa_agents.triage.facts.extract import extract_facts
from qa_agents.triage.facts.phrases import compile_phrases, find_phrases
from qa_agents.triage.facts.signals import find_signals
from qa_agents.triage.questions.required_facts import Required, Rules, load_required_rules
from qa_agents.triage.questions.stakes import Stake
from qa_agents.triage.schema import Fact, Question, Signals

MAX_QUESTIONS = 3
FEW_WORDS = 5
"""A description with fewer words than this says nothing."""
LOG_SHARE = 0.8
"""From this share of its lines on, a description is a log rather than a report."""
_MAX_CHARS = 50_000
_ATTACHMENT_KEYS = ("attachments", "attachment", "files", "screenshots", "images")


def ask(
    report: Report,
    facts: Sequence[Fact],
    signals: Signals,
    *,
    rules: Rules | None = None,
    stakes: Mapping[str, Stake] | None = None,
    required: Required | None = None,
    component: str | None = None,
    kind: str | None = None,
    asked: Collection[str] = (),
) -> list[Question]:
    """Polite questions to the reporter, the most useful first, at most MAX_QUESTIONS; [] when enough was said.

    `stakes` says which answers would change the decision, `required` what the team's past shows for this `component`;
    `asked` holds the texts of earlier questions: what they asked for is not asked again, answered or not. A wish for
    something new is asked nothing, and a suspected security problem is asked nothing that would make the reporter publish
    how to abuse it.
    """
    case, rules = _Case(report, tuple(facts), signals), rules or load_required_rules()
    if case.is_wish:
        return []
    before = _asked_before(asked, rules)
    demanded = {name for rule in rules.require if rule.holds(component, kind) for name in rule.facts}
    found: list[tuple[tuple[float, float, int], Question]] = []
    for name, rule in rules.facts.items():
        is_open = OPEN.get(name)
        if is_open is None or name in before or not is_open(case):
            continue
        stake = (stakes or {}).get(name)
        learned = required.need(name, component) if required else None
        if rule.always or stake or learned or name in demanded:
            weight = stake.weight if stake else 0.0
            excess = learned[1].excess if learned else 0.0
            weight = max(weight, _FIRST if name in _WHOLE else _USUAL.get(name, 0.0), float(name in demanded))
            why = stake.reason if stake else ""
            basis = learned[1].told(learned[0]) if learned else ""
            question = Question(fact=name, text=rule.text, changes_decision=why, because=basis)
            found.append(((-weight, -excess, rule.order), question))
    return [question for _, question in sorted(found, key=lambda pair: pair[0])][:MAX_QUESTIONS]


def questions(report: Report, facts: Sequence[Fact], signals: Signals) -> list[str]:
    """The questions' texts, by the shipped rules alone; see `ask`."""
    return [question.text for question in ask(report, facts, signals)]


def lacking(report: Report, facts: Sequence[Fact], signals: Signals) -> frozenset[str] | None:
    """The facts that the report leaves open, whether or not anybody would ask for them; None for a wish."""
    case = _Case(report, tuple(facts), signals)
    return None if case.is_wish else frozenset(name for name, is_open in OPEN.items() if is_open(case))


def lacking_of(incident: Incident) -> frozenset[str] | None:
    """What a past report left open as it was filed."""
    short = incident.model_copy(update={"description": incident.description[:_LEARN_CHARS]})
    facts = extract_facts(short)
    return lacking(short, facts, find_signals(short, facts))


def is_wish(report: Report, facts: Sequence[Fact]) -> bool:
    """Whether the report asks for something new rather than telling what goes wrong."""
    return _Case(report, tuple(facts), Signals()).is_wish


def _asked_before(asked: Collection[str], rules: Rules) -> set[str]:
    """The facts that earlier questions asked for, in the rules' words or in a person's own."""
    fixed = {rule.text: name for name, rule in rules.facts.items()}
    found: set[str] = set()
    for text in asked:
        found |= {fixed[text]} if text in fixed else rules.asked_in(f"{text.rstrip('?. ')}?")
    return found


_LEARN_CHARS = 8_000
_WHOLE = frozenset({"description", "picture", "context"})
"""Questions without whose answer nothing else is worth asking."""
_FIRST = 10.0
_USUAL = {"steps": 1.6, "symptom": 1.5}
"""What a question weighs by itself, on the scale of Stake.weight: without steps nobody can look at the problem at all."""


@dataclass(frozen=True)
class _Case:
    """What the questions look at."""

    report: Report
    facts: tuple[Fact, ...]
    signals: Signals

    def has(self, *names: str) -> bool:
        """Whether a fact of one of these names was found."""
        return any(fact.name in names for fact in self.facts)

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the text says so in other words."""
        return next(find_phrases(pattern, self.text), None) is not None

    @cached_property
    def text(self) -> str:
        return self.report.text[:_MAX_CHARS]

    @cached_property
    def lines(self) -> list[str]:
        return [line for line in self.report.description[:_MAX_CHARS].splitlines() if line.strip()]

    @property
    def is_empty(self) -> bool:
        """Whether the description says nothing: blank, a few words, or the summary again."""
        words = self.report.description[:_MAX_CHARS].split()
        return len(words) < FEW_WORDS or self.report.description.strip() == self.report.summary.strip()

    @cached_property
    def is_log(self) -> bool:
        """Whether next to nothing but log lines, frames or code was sent."""
        return len(self.lines) >= 5 and sum(bool(_LOG_LINE.search(line)) for line in self.lines) >= LOG_SHARE * len(
            self.lines
        )

    @cached_property
    def is_picture(self) -> bool:
        """Whether the description is a picture with hardly a word beside it."""
        words = len(_PICTURE.sub(" ", self.report.description[:_MAX_CHARS]).split())
        return bool(_PICTURE.search(self.report.description[:_MAX_CHARS])) and words < 2 * FEW_WORDS

    @cached_property
    def is_wish(self) -> bool:
        """Whether it asks for something new: nothing to reproduce, no version to name."""
        asked = _WISH.match(self.report.summary[:300]) or _WISH_TOLD.match(self.report.description[:300])
        return bool(asked) and not self.has("exception", "stack_frame", "error_code", "actual")

    @cached_property
    def has_attachment(self) -> bool:
        """Whether something is attached or linked that may answer what the text leaves open."""
        extra = self.report.model_extra or {}
        return any(extra.get(key) for key in _ATTACHMENT_KEYS) or bool(_ATTACHED.search(self.text))

    @cached_property
    def has_code(self) -> bool:
        """Whether there is an example to run: code, a command, or something attached or linked."""
        return self.has_attachment or bool(_CODE.search(self.text))

    @cached_property
    def has_log(self) -> bool:
        """Whether there is a log, a trace or the text of an error."""
        return (
            self.has("exception", "stack_frame", "error_code") or self.has_attachment or bool(_LOGGED.search(self.text))
        )

    @cached_property
    def has_picture(self) -> bool:
        """Whether there is a picture, or something attached that may be one."""
        return self.has_attachment or bool(_PICTURE.search(self.text))

    @cached_property
    def has_steps(self) -> bool:
        return self.has("steps") or self.has_attachment or self.says(_DOING) or bool(_CODE.search(self.text))

    @cached_property
    def has_expectation(self) -> bool:
        """Whether it says what should happen, or that is plain: nobody expects a crash or an error."""
        return self.has("expected", "error_code", "exception", "stack_frame", "impact") or self.says(_SHOULD)

    @cached_property
    def has_symptom(self) -> bool:
        return self.has("actual", "error_code", "exception", "stack_frame", "impact") or self.says(_INSTEAD)

    @cached_property
    def has_version(self) -> bool:
        return bool(self.report.version) or self.has("version") or self.says(_ANY_VERSION)

    @cached_property
    def has_environment(self) -> bool:
        return bool(self.report.platform) or self.has("os", "platform")

    @cached_property
    def has_frequency(self) -> bool:
        return self.has("steps") or self.says(_HOW_OFTEN)


def _is_told(case: _Case) -> bool:
    """Whether there is a description to ask details about."""
    return not (case.is_empty or case.is_picture or case.is_log)


OPEN: dict[str, Callable[[_Case], bool]] = {
    "description": lambda case: case.is_empty and not case.has_attachment,
    "picture": lambda case: case.is_picture or (case.is_empty and case.has_attachment),
    "context": lambda case: case.is_log and not (case.has("steps") and case.has("expected")),
    "steps": lambda case: _is_told(case) and not case.has_steps and not case.signals.security,
    "symptom": lambda case: _is_told(case) and not case.has_symptom,
    "version": lambda case: not case.has_version,
    "expected": lambda case: _is_told(case) and not case.has_expectation,
    "environment": lambda case: not case.has_environment,
    "frequency": lambda case: _is_told(case) and not case.has_frequency,
    "code": lambda case: _is_told(case) and not case.has_code and not case.signals.security,
    "log": lambda case: _is_told(case) and not case.has_log,
    "screenshot": lambda case: _is_told(case) and not case.has_picture,
    "impact": _is_told,
    "reach": _is_told,
    "workaround": _is_told,
    "area": _is_told,
}
"""When nothing in the report answers the question. Whether the last four are open is for the stakes to say: the rubric and
the vote know."""

_LOG_LINE = re.compile(
    r"^\s{0,40}(?:\[?\d{4}-\d\d-\d\d[T ]|\[?\d\d:\d\d:\d\d|\[?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\b"
    r"|[VDIWEF]/[\w.-]{1,40}[ (:]"
    r"|at [\w$.<>]{1,200}\(|File \"|Caused by:|Traceback|\d{1,3} {1,6}\S{1,60} {1,40}0x|#\d{1,3} "
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\.\.\. \d+ more"
    r"|(?:[\w$]{1,40}\.){1,8}\w{0,40}(?:Exception|Error)\b|!\w|\{?\"\w{1,40}\":)"
)
_PICTURE = re.compile(
    r"!\[[^\]\n]{0,200}\]\([^)\n]{1,500}\)|![^!\s|][^!\n|]{0,200}\.(?:png|jpe?g|gif|bmp|webp)(?:\|[^!\n]{0,60})?!"
    r"|<img\s[^>]{1,400}>|\[\^[^\]\n]{1,200}\]|https?://\S{1,300}\.(?:png|jpe?g|gif|mp4|mov)\b",
    re.IGNORECASE,
)
_ATTACHED = re.compile(
    r"!\[|\[\^[^\]\n]{1,200}\]|![^!\s|][^!\n|]{0,200}\.(?:png|jpe?g|gif|mp4)|<img\s|\b(?:attached|attachment"
    r"|attachments|screenshot|screenshots"
    r"|screen shot|screencast|video|recording)\b|https?://(?:gist\.|pastebin\.|jsfiddle\.|codepen\.|codesandbox\."
    r"|stackblitz\.|github\.com/)",
    re.IGNORECASE,
)
_CODE = re.compile(r"\{code|\{noformat|^[ \t]{0,8}```|^[ \t]{0,8}\$ \w", re.MULTILINE)
_LOGGED = re.compile(r"\{noformat|\b(?:logcat|stack ?trace|traceback|crash log|console output)\b", re.IGNORECASE)
_WISH = re.compile(
    r"(?i)\s{0,9}(?:[\w .-]{1,30}:\s{0,3}){0,2}(?:feature request|enhancement|add|implement|support for|allow|provide"
    r"|as an? [\w ]{2,40}i (?:want|would)"
    r"|document|update|upgrade|refactor|create|investigate|spike|remove|deprecate|rename|port|migrate)\b"
)
_WISH_TOLD = re.compile(
    r"(?i)\s{0,9}(?:\{html\}\s{0,4})?(?:as an? [\w ]{2,40}, ?i (?:want|would|need)|we (?:want|need|would like) "
    r"|(?:we )?need to |please (?:add|implement) |it would be (?:nice|great|useful|good|helpful)|feature request)"
)
_DOING = compile_phrases(
    [
        "when|if|after|once|whenever|while i|you|we|user|users|clicking|opening|pressing|tapping|running|trying"
        "|selecting|scrolling|building|launching|installing|adding|setting|using|calling|changing|switching"
        "|navigating|entering|logging|uploading|saving|closing|sending",
        "when|if|after|once|whenever the user|users|app|customer|client ...  clicks|opens|presses|taps|runs|tries"
        "|selects|scrolls|enters|logs|uploads|saves|closes|sends|submits",
        "steps",
        "to reproduce",
        "reproduce this|it|by",
        "open|click|tap|press|run|launch|go ... then|and",
        "just|simply|try to|tried to run|open|click|call|create|build|install|use",
        "try running|opening|calling|to",
    ]
)
_SHOULD = compile_phrases(
    [
        "should",
        "shouldn't",
        "expect*",
        "supposed to",
        "instead of",
        "ought to",
        "rather than",
        "must|has to be",
        "i want*",
        "used to work",
        "works|worked ... fine|correctly|ok|before|in|on|with",
        "correct behaviour|behavior",
    ]
)
_INSTEAD = compile_phrases(
    [
        "but",
        "instead",
        "does|is|are|was|were|did|do not",
        "doesn't|isn't|aren't|won't|don't|didn't|wasn't",
        "nothing happens",
        "no longer",
        "shows|returns|displays|gives|gets|appears|throws|wrong|incorrect|missing|error|error:|fails|failed|bug",
    ]
)
_ANY_VERSION = compile_phrases(
    [
        "latest|current|newest|recent|all|any|every ... version*|release*|build*|sdk*|master|main|nightly",
        "on master|main|trunk|head",
        "nightly build*",
    ]
)
_HOW_OFTEN = compile_phrases(
    [
        "always",
        "sometimes",
        "every|each ... time",
        "intermittent*",
        "random*",
        "occasional*",
        "often",
        "rarely",
        "never",
        "once",
        "100%",
        "consistently",
        "sporadic*",
        "frequent*",
        "whenever",
        "regression*",
        "used to",
        "since",
        "again",
        "times",
    ]
)
