"""What a format is: how its files are known by their content, and the function that reads them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qa_agents.results.read.json_text import Row
from qa_agents.results.read.reading import Item, Reading
from qa_agents.results.read.xml import Part


@dataclass(frozen=True, slots=True)
class XmlFormat:
    """`recognises` sees the root's full name and its attributes; `whole` names the elements that come complete."""

    flavour: str
    recognises: Callable[[str, Mapping[str, str]], bool]
    read: Callable[[Iterator[Part], Reading], Iterator[Item]]
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """`recognises` and `read` see the whole document."""

    flavour: str
    recognises: Callable[[Any], bool]
    read: Callable[[Any, Reading], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class LinesFormat:
    """`recognises` sees the first rows that are JSON, `read` all of them."""

    flavour: str
    recognises: Callable[[Sequence[Any]], bool]
    read: Callable[[Iterator[Row], Reading], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class TextFormat:
    """`recognises` sees the beginning of the text, `read` all of it."""

    flavour: str
    recognises: Callable[[str], bool]
    read: Callable[[str, Reading], Iterator[Item]]


Format = XmlFormat | JsonFormat | LinesFormat | TextFormat
