"""Files that a person named: found in what was typed, and nowhere else."""

import re
import shlex
from pathlib import Path
from typing import Literal

FileKind = Literal["report", "spec", "results", "either"]

SPEC = frozenset({".docx", ".pdf", ".feature", ".yaml", ".yml", ".html", ".htm"})
RESULTS = frozenset({".xml", ".tap", ".trx", ".sarif", ".zip"})
REPORT = frozenset({".txt", ".log", ".eml", ".jsonl", ".ndjson"})
EITHER = frozenset({".md", ".markdown", ".json", ".rst", ".text"})
_SUFFIXES = SPEC | RESULTS | REPORT | EITHER | {".csv", ".gz", ".zst"}
_WORD = re.compile(r"\"[^\"]+\"|'[^']+'|[^\s,;]+")


def named_files(typed: str) -> list[str]:
    """The words of a typed text that name a file: by a known ending, or because a file of that name with a folder exists.

    Quoted names may hold blanks. Nothing is opened.
    """
    found = []
    for raw in _WORD.findall(typed):
        quoted = raw[:1] in "\"'" and raw[-1:] == raw[:1] and len(raw) > 2
        word = raw[1:-1] if quoted else raw.rstrip(".,:;?!)").lstrip("(")
        if "://" in word or not word or (word.startswith("/") and "/" not in word[1:] and "." not in word):
            continue
        suffix = Path(word).suffix.casefold()
        if (suffix in _SUFFIXES and len(Path(word).stem) > 0) or ("/" in word and _is_file(word)):
            found.append(word)
    return list(dict.fromkeys(found))


def kind_of(name: str) -> FileKind:
    """What a file most likely is, by its ending."""
    suffix = Path(name).suffix.casefold()
    if suffix in SPEC:
        return "spec"
    if suffix in RESULTS:
        return "results"
    return "report" if suffix in REPORT else "either"


def split_arguments(text: str) -> list[str]:
    """The words behind a command as a shell would split them; by blanks where quotes do not match."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _is_file(name: str) -> bool:
    try:
        return Path(name).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False
