"""From files, or bytes that were handed in, to documents whose every block can be found again in its text."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from qa_agents.errors import InvalidInputError, NotFoundError
from qa_agents.plans.read.limits import Limits
from qa_agents.plans.read.parsed import SPACE, Lines, Parsed
from qa_agents.plans.read.sandbox import parse_apart
from qa_agents.plans.schema import Block, Part, Source

DEFAULT_LIMITS = Limits()


class Document(Part):
    """One source with its text and blocks; `text[block.start:block.end] == block.text` for every block."""

    source: Source
    text: str
    blocks: list[Block]


def read_sources(inputs: Sequence[Path | tuple[str, bytes]], *, limits: Limits = DEFAULT_LIMITS) -> list[Document]:
    """Documents of the inputs, in their order, each content once; raises InvalidInputError or NotFoundError with a sentence.

    A path is a file; `("-", data)` is standard input, `("KEY-1", data)` an issue's text. All parsing happens in one child
    process under `limits`. What was not read is in `source.unread`.
    """
    if not inputs:
        raise InvalidInputError("There is nothing to read.", hint="Give at least one file, or - for standard input.")
    if len(inputs) > limits.files:
        raise InvalidInputError(
            f"{len(inputs)} files are more than {limits.files}.", hint="Read them in several plans."
        )
    files: dict[str, tuple[str, bytes]] = {}
    again: dict[str, list[str]] = {}
    total = 0
    for given in inputs:
        name, data = (given[0], given[1]) if isinstance(given, tuple) else _file(given, limits)
        if len(data) > limits.file_bytes:
            raise InvalidInputError(f"{name} is larger than {limits.file_bytes // 1_000_000} MB.", hint="Split it.")
        total += len(data)
        if total > limits.total_bytes:
            raise InvalidInputError(f"The files together are larger than {limits.total_bytes // 1_000_000} MB.")
        digest = hashlib.sha256(data).hexdigest()
        if digest in files:
            again.setdefault(digest, []).append(name)
        files.setdefault(digest, (name, data))
    parsed = parse_apart(list(files.values()), limits)
    documents = []
    for (digest, (name, _)), result in zip(files.items(), parsed, strict=True):
        result.unread += [f"{other} has the same content: read once." for other in again.get(digest, [])]
        documents.append(document_of(name, digest, result))
    return documents


def _file(path: Path, limits: Limits) -> tuple[str, bytes]:
    if not path.exists():
        raise NotFoundError(f"There is no file {path}.")
    if not path.is_file():
        raise InvalidInputError(f"{path} is not a file.", hint="Give the files themselves.")
    try:
        with path.open("rb") as stream:
            return path.name, stream.read(limits.file_bytes + 1)
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}.") from None


def document_of(name: str, sha256: str, parsed: Parsed) -> Document:
    """The schema's form of what a reader found; ids come from content, never from position."""
    unread = list(parsed.unread)
    if not parsed.text.strip():
        unread.append("The file holds no text.")
    source = Source(
        id=f"SRC-{sha256[:12]}", name=name, media=parsed.media, sha256=sha256, chars=len(parsed.text), unread=unread
    )
    lines = Lines(parsed.text)
    seen: dict[str, int] = {}
    blocks = []
    for raw in parsed.blocks:
        text = parsed.text[raw.start : raw.end]
        key = "\x1f".join([name, raw.kind, *raw.heading_path, SPACE.sub(" ", text).strip()])
        seen[key] = seen.get(key, 0) + 1
        digest = hashlib.sha256(f"{key}\x1f{seen[key]}".encode(errors="replace")).hexdigest()
        blocks.append(
            Block(
                id=f"BLK-{digest[:12]}",
                source_id=source.id,
                heading_path=raw.heading_path,
                kind=raw.kind,
                text=text,
                line_start=lines.number(raw.start),
                line_end=lines.number(max(raw.end - 1, raw.start)),
                start=raw.start,
                end=raw.end,
                cells=raw.cells,
                data=raw.data,
            )
        )
    return Document(source=source, text=parsed.text, blocks=blocks)
