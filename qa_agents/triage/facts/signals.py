"""What about the report's text itself matters to the gate: security, lost data, money, privacy, law, injection, hidden text.

Signals only raise the need for a person. They are read off by word families (signals.toml) and fail closed: what is
not plainly denied counts. An injection signal is a hint, not a filter - what protects is that no text can act.
"""

import codecs
import functools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from qa_agents.errors import InvalidInputError
from qa_agents.incidents.schema import Report
from qa_agents.llm.redact import find_secrets
from qa_agents.triage.facts.hidden import ENCODED, Hidden, find_hidden, language_of, plain
from qa_agents.triage.facts.lexicon import Shape
from qa_agents.triage.facts.phrases import (
    Phrases,
    blank_out,
    compile_phrases,
    find_phrases,
    is_negated,
    sentence_around,
)
from qa_agents.triage.schema import Fact, Signals

RULES_PATH = Path(__file__).with_name("signals.toml")
MAX_PER_SIGNAL = 8
MAX_CHARS = 200_000

FieldName = Literal["summary", "description"]
FIELDS: tuple[FieldName, ...] = ("summary", "description")
STATED = ("security", "data_loss", "money", "privacy", "legal")
"""The signals that count unless denied."""


class Family(BaseModel):
    """Phrases that mean the same to the gate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phrases: Phrases

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """All phrases as one pattern."""
        return compile_phrases(self.phrases)


class SignalRules(BaseModel):
    """The word families, as read from a rules file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    security: Family
    data_loss: Family
    money: Family
    privacy: Family
    legal: Family
    injection: dict[str, Family]


def load_rules(path: Path | None = None) -> SignalRules:
    """The rules at `path`, or those that ship. Raises InvalidInputError naming what is wrong."""
    return _shipped_rules() if path is None else _read_rules(path)


def find_signals(report: Report, facts: Sequence[Fact], rules: SignalRules | None = None) -> Signals:
    """Every signal of the report's summary and description, each quoted with offsets, its value `<signal>/<phrase>`.

    A word within a stack frame, an endpoint or a dotted name is code, not a statement, and does not count; injection counts
    everywhere, in hidden and encoded text too. Total: hostile text gives signals, never an exception.
    """
    rules = rules or load_rules()
    found: dict[str, list[Fact]] = {name: [] for name in (*STATED, "injection")}
    hidden: list[str] = []
    secrets: set[str] = set()
    for field in FIELDS:
        text: str = getattr(report, field)[:MAX_CHARS]
        spans = find_secrets(text)
        secrets.update(span.name for span in spans)
        text = blank_out(text, ((span.start, span.end) for span in spans))
        code = [(fact.start, fact.end) for fact in facts if fact.field == field and fact.name in _CODE]
        for name in STATED:
            for match in find_phrases(getattr(rules, name).pattern, text):
                inside_code = any(start <= match.start() and match.end() <= end for start, end in code)
                if not inside_code and not is_negated(text, *match.span()):
                    _add(found[name], field, text, *match.span(), f"{name}/{match.group()}")
        concealed = find_hidden(text.replace("\x00", "■"))
        hidden += map(str, concealed)
        for start, end, rule in _injections(rules.injection, text, concealed):
            _add(found["injection"], field, text, start, end, f"injection/{rule}")
    return Signals(**found, hidden=hidden, secrets=sorted(secrets), language=language_of(report.text))


def _injections(
    families: Mapping[str, Family], text: str, concealed: Sequence[Hidden]
) -> Iterator[tuple[int, int, str]]:
    """Where text is addressed to whoever reads it: in plain words, in markup, in what is hidden or encoded."""
    folded = plain(text)
    for rule, start, end in _addressing(families, folded.text):
        yield *folded.original(start, end), rule
    for rule, start, end in _addressing(families, codecs.encode(folded.text[:_ROT13_CHARS], "rot13")):
        yield *folded.original(start, end), f"{rule} in rot13"
    for one in concealed:
        if one.kind in ENCODED and (first := next(_addressing(families, plain(one.content).text), None)):
            yield one.start, one.end, f"{first[0]} in {one.kind}"


def _addressing(families: Mapping[str, Family], text: str) -> Iterator[tuple[str, int, int]]:
    for rule, family in families.items():
        for match in find_phrases(family.pattern, text):
            yield rule, *match.span()
    for rule, shape in _MARKUP:
        for match in shape.scan(text):
            yield rule, *match.span()


def _add(facts: list[Fact], field: FieldName, text: str, start: int, end: int, value: str) -> None:
    """Add the sentence around the finding, unless the same sentence or enough of its kind are there."""
    start, end = sentence_around(text, start, end)
    quote = text[start:end]
    if len(facts) < MAX_PER_SIGNAL and "\x00" not in quote and all(fact.quote != quote for fact in facts):
        value = " ".join(value.split())
        facts.append(Fact(name="impact", value=value, quote=quote, field=field, start=start, end=end))


@functools.cache
def _shipped_rules() -> SignalRules:
    return _read_rules(RULES_PATH)


def _read_rules(path: Path) -> SignalRules:
    try:
        return SignalRules.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidInputError(f"{path.name}: {place}: {first['msg']}.", hint="Correct the signal rules.") from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path.name} cannot be read: {error}.", hint="Correct the signal rules.") from None


_ROT13_CHARS = 20_000
_CODE = frozenset({"stack_frame", "endpoint", "identifier", "exception"})
_MARKUP = (
    ("role tag", Shape(r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|</?(?:system|assistant|instructions?|system_message"
                       r"|bug_report"
                       r"|untrusted\w{0,20}|tool_result|function_call|user_input|INFORMATION)(?:\s[^<>\n]{0,80})?>"
                       r"|\(system_message\)", "<|", "INST]", "SYS>>", "<", "(system_message)")),
    ("role line", Shape(r"^[ \t#>*-]{0,8}(?:(?:system|admin|security) (?:override|prompt|message|notice|instructions?)|assistant"
                        r"|ai agent|agent instructions?|human)[ \t*]{0,4}:", lower=True)),
    ("agent file", Shape(r"\b(?:agents?|claude|skill|gemini|copilot-instructions)\.md\b", ".md", lower=True)),
    ("secret variable", Shape(r"\b(?:echo|printf?|cat|curl|send|post|include|reveal|output|result)\b[^\n]{0,60}?"
                              r"\$\{?[A-Z][A-Z0-9_]{0,30}(?:TOKEN|SECRET|PASSWORD|KEY)\b", "$")),
    ("planted image", Shape(r"!\[[^\]\n]{0,100}\]\(https?://[^)\s]{1,300}?(?:\{|%7b|\$\{|=\[)", "](http", lower=True)),
    ("forged verdict", Shape(r"[\"'](?:needs_human|verdict|approved_by|auto_approve|gate_decision)[\"']\s{0,3}:", lower=True)),
    ("forged verdict", Shape(r"\bconfidence[\"']?\s{0,2}[=:]\s{0,2}(?:1(?:\.0{1,3})?|0?\.9\d{0,3})\b", "confidence", lower=True)),
    ("override", Shape(r"忽略.{0,12}(?:指令|指示|提示|说明)|(?:指示|命令).{0,10}無視|игнорируй.{0,40}(?:инструкц|указан)"
                       r"|تجاهل.{0,30}التعليمات"
                       r"|이전.{0,12}지시.{0,12}무시", "忽略", "無視", "игнор", "تجاهل", "무시", lower=True)),
)  # fmt: skip
