"""The three sentences in a model's words: only the wording is taken, and only when every number in it stands in what it cites."""

import re
from collections.abc import Callable

from qa_agents.llm.answers import Narration
from qa_agents.llm.checks import has_link, untraced
from qa_agents.llm.gateway import Gateway
from qa_agents.llm.schema import RenderedPrompt
from qa_agents.plurals import counted
from qa_agents.results.narrate.executives import three_sentences, what_changed
from qa_agents.results.narrate.story import text_of
from qa_agents.results.summary import Summary

USE = "results.narration"
PROMPT = "results/narration"
MAX_SENTENCES, MAX_CHARS = 5, 400
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_WORD = re.compile(
    rf"\b(?:{'|'.join([*_WORDS[2:], 'dozens?', 'hundreds?', 'thousands?', 'half', 'twice'])})\b", re.IGNORECASE
)
"""Numbers in words, which must stand in the findings as they are, or as digits. `one` is a pronoun too often."""
_NEVER = re.compile(
    r"\b(?:you (?:can|may|should) (?:ship|release|merge)|safe to|ready to ship|should be released)\b", re.IGNORECASE
)
_VERDICT = re.compile(
    r"\b(?:all|no|not|none|nothing|never|every|only|passed|passes|green|fine|fixed|mended|resolved|new|newly|caused?|because)\b",
    re.IGNORECASE,
)
"""Words that turn a sentence around without any number: taken only where the finding has them too."""
_NAME = re.compile(r"\b\w+(?:(?:::|[._/#-])\w+)+")
"""Names of tests, files and errors."""


def findings(summary: Summary) -> list[str]:
    """What a model is shown, one line each: what the templates say, no test's output."""
    lines = [text_of(line) for line in (*three_sentences(summary), *what_changed(summary))]
    lines += [f"{cause.id} explains {counted(cause.size, 'test')}: {cause.title[:160]}" for cause in summary.causes[:8]]
    return list(dict.fromkeys(lines))


def worded(
    summary: Summary, gateway: Gateway, render: Callable[..., RenderedPrompt], *, key: str
) -> tuple[tuple[str, ...], str]:
    """The sentences of a model that stood every check, and ""; or none, and one sentence that says why."""
    if not gateway.available or not gateway.allows(USE):
        return (), ""
    known = findings(summary)
    prompt = render(PROMPT, findings="\n".join(f"{at}. {line}" for at, line in enumerate(known, start=1)))
    answer = gateway.ask(prompt, Narration, role="fast", budget_key=key)
    if answer.value is None:
        return (), f"The words are the templates': {answer.detail or answer.reason}."
    sentences = []
    for told in answer.value.sentences[:MAX_SENTENCES]:
        problem = refused(told.text, [known[at - 1] for at in told.findings if 0 < at <= len(known)])
        if problem:
            return (), f"The words are the templates': the model's {problem}."
        sentences.append(" ".join(told.text.split()))
    return tuple(sentences), ""


def refused(sentence: str, cited: list[str]) -> str:
    """Why a sentence cannot be taken, as a clause after “the model's”; "" where it can."""
    if not cited:
        return "sentence cites no finding"
    if len(sentence) > MAX_CHARS:
        return "sentence is too long"
    if has_link(sentence):
        return "sentence holds a link"
    if _NEVER.search(sentence):
        return "sentence decides what a person must decide"
    strange = untraced(sentence, cited)
    if strange:
        return f"number {sorted(strange)[0]} stands in no finding that it cites"
    everything = " ".join(cited).lower()
    for pattern, kind in ((_VERDICT, "word"), (_NAME, "name")):
        for found in pattern.finditer(sentence):
            if found[0].lower() not in everything:
                return f"{kind} “{found[0][:60]}” stands in no finding that it cites"
    for found in _WORD.finditer(sentence):
        word = found[0].lower()
        digits = str(_WORDS.index(word)) if word in _WORDS else ""
        if not re.search(rf"\b{word}\b", everything) and not (digits and re.search(rf"\b{digits}\b", everything)):
            return f"“{word}” stands in no finding that it cites"
    return ""
