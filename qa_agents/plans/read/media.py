"""What a file is, by what it holds first and by its name second; and its bytes as text."""

import re
from pathlib import PurePath

from qa_agents.errors import InvalidInputError
from qa_agents.plans.read.openapi import is_description

SUFFIXES = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdown": "markdown",
    ".mdx": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".adoc": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".feature": "gherkin",
    ".docx": "docx",
    ".pdf": "pdf",
    ".json": "data",
    ".yaml": "data",
    ".yml": "data",
}
FEATURE = re.compile(
    r"\A(?:\s*(?:#[^\n]*|@[^\n]*)?\n)*\s*Feature:[^\n]*\n(?:.*\n)*?\s*(?:Scenario|Background|Rule|Example)\b"
)
HTML = re.compile(r"\A\s*(?:<!--.{0,2000}?-->\s*)?(?:<!doctype html|<html[\s>])", re.IGNORECASE | re.DOTALL)
MARKED = re.compile(r"^(?:#{1,6} \S|```|[-*] \S|\|.*\||(?:=|-){3,}[ \t]*$)", re.MULTILINE)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")


def media_of(name: str, data: bytes) -> str:
    """One of pdf, docx, openapi, gherkin, html, markdown, text, data; raises InvalidInputError for what is none of them."""
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data[:4] == b"PK\x03\x04":
        if b"word/" in data:
            return "docx"
        raise InvalidInputError(
            f"{name} is an archive, not a document.", hint="Unpack it and give the files that are to be read."
        )
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise InvalidInputError(f"{name} is an old Word file.", hint="Save it as .docx or PDF.")
    suffix = SUFFIXES.get(PurePath(name).suffix.lower())
    if suffix in ("pdf", "docx"):
        raise InvalidInputError(f"{name} is not a {suffix.upper()} file, whatever its name says.")
    head = text_of(name, data[:40_000])[0]
    if head and len(CONTROL.findall(head)) > len(head) // 50:
        raise InvalidInputError(
            f"{name} is not text.", hint="Markdown, text, HTML, docx, PDF, OpenAPI and Gherkin are read."
        )
    if suffix == "data" or suffix is None:
        if is_description(head):
            return "openapi"
        if suffix == "data":
            return "data"
    if HTML.match(head):
        return "html"
    if suffix != "markdown" and FEATURE.match(head):
        return "gherkin"
    return suffix or ("markdown" if MARKED.search(head) else "text")


def text_of(name: str, data: bytes) -> tuple[str, list[str]]:
    """Characters of the bytes with `\\n` line ends, and what had to be guessed; never fails, never keeps a lone surrogate."""
    notes: list[str] = []
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
            notes.append("The file is not UTF-8; it was read as Windows-1252.")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
    return text, notes
