"""From the bytes of one file to its text and blocks: the work that the child process does."""

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.docx import read_docx
from qa_agents.plans.read.gherkin import read_gherkin
from qa_agents.plans.read.html import read_html
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.markdown import read_markdown
from qa_agents.plans.read.media import media_of, text_of
from qa_agents.plans.read.openapi import read_openapi
from qa_agents.plans.read.parsed import Parsed, RawBlock
from qa_agents.plans.read.pdf import read_pdf
from qa_agents.plans.read.plaintext import read_text


def parse(name: str, data: bytes, limits: Limits) -> Parsed:
    """Text and blocks of one file; raises InvalidInputError with a sentence for what a reader refuses.

    A crafted file may make a library raise anything else; `child.answer` turns that into a sentence too.
    """
    try:
        return _bounded(_parse(name, data, limits), limits)
    except RecursionError:
        raise InvalidInputError("The file is nested too deeply.") from None


def _parse(name: str, data: bytes, limits: Limits) -> Parsed:
    media = media_of(name, data)
    if media == "pdf":
        return read_pdf(data, limits)
    if media == "docx":
        return read_docx(data, limits)
    text, notes = text_of(name, data)
    if len(text) > limits.text_chars:
        if media in ("openapi", "gherkin"):
            raise InvalidInputError(f"The file is longer than {limits.text_chars} characters.", hint="Split it.")
        notes.append(
            f"The last {len(text) - limits.text_chars} characters: not read; the limit is {limits.text_chars}."
        )
        text = text[: limits.text_chars]
    if media == "data":
        parsed = Parsed(
            "text/plain", text, [RawBlock("code", 0, len(text), data={"language": "data"})] if text.strip() else []
        )
    else:
        parsed = READERS[media](text, limits)
    parsed.unread[:0] = notes
    return parsed


READERS = {
    "markdown": read_markdown,
    "text": read_text,
    "html": read_html,
    "openapi": read_openapi,
    "gherkin": read_gherkin,
}
"""Media to its reader; pdf and docx are read from bytes."""


def _bounded(parsed: Parsed, limits: Limits) -> Parsed:
    if len(parsed.text) > limits.text_chars * 2:
        raise InvalidInputError(f"The text of the file is longer than {limits.text_chars} characters.")
    if len(parsed.blocks) > limits.blocks:
        parsed.unread.append(f"Blocks after the first {limits.blocks}: not read.")
        parsed.blocks = parsed.blocks[: limits.blocks]
    parsed.blocks = [block for block in parsed.blocks if 0 <= block.start < block.end <= len(parsed.text)]
    parsed.unread = [sentence[:300] for sentence in parsed.unread]
    return parsed
