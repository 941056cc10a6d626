"""The team's visible rule from factors to severity levels: a TOML that people edit, checked when it is read."""

import functools
import hashlib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from qa_agents.errors import InvalidInputError
from qa_agents.triage.facts.phrases import Phrases, compile_phrases

RUBRIC_PATH = Path(__file__).with_name("rubric.toml")


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Level(_Rule):
    """One level of the rubric, and what teams call it."""

    name: str = Field(min_length=1)
    words: list[str] = []


class Opinion(_Rule):
    """How similar incidents are heard."""

    ranking: list[str] = []
    neighbours: int = Field(7, ge=1)
    needed: int = Field(3, ge=1)
    disagreement: int = Field(2, ge=1)
    regression_of_fixed: float = Field(-1.0, ge=-3, le=0)
    """Shift where something that had been fixed is back, by a relation and not by what the report says."""


class Impact(_Rule):
    """One kind of impact: the level it gives, and what says it - phrases, or a signal of the report."""

    name: str = Field(min_length=1)
    level: int = Field(ge=1)
    floor: int | None = None
    signal: Literal["security", "data_loss", "money", "privacy"] | None = None
    phrases: list[str] = []

    @functools.cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """The phrases as one pattern; None without phrases."""
        return compile_phrases(self.phrases) if self.phrases else None


class Shift(_Rule):
    """One value of a factor: by how many levels it moves (negative is more severe), and what says it."""

    shift: float = Field(ge=-3, le=3)
    phrases: Phrases

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """The phrases as one pattern."""
        return compile_phrases(self.phrases)


class Rubric(_Rule):
    """The team's rule from factors to levels, as read from a TOML file."""

    version: str
    levels: list[Level] = Field(min_length=2)
    opinion: Opinion = Opinion()
    impact: list[Impact] = Field(min_length=1)
    factors: dict[str, dict[str, Shift]] = {}
    sha256: str = ""
    """Hash of the file, for the record."""

    @field_validator("levels")
    @classmethod
    def _distinct(cls, levels: list[Level]) -> list[Level]:
        if len({level.name for level in levels}) < len(levels):
            raise ValueError("two levels have one name")
        return levels

    @model_validator(mode="after")
    def _usable(self) -> "Rubric":
        for impact in self.impact:
            if max(impact.level, impact.floor or 0) > len(self.levels):
                raise ValueError(f"impact {impact.name}: there is no level {max(impact.level, impact.floor or 0)}")
            if not impact.phrases and not impact.signal:
                raise ValueError(f"impact {impact.name}: neither phrases nor a signal says when it holds")
            _ = impact.pattern
        for values in self.factors.values():
            for value in values.values():
                _ = value.pattern
        return self

    def ordered(self, vocabulary: Iterable[str]) -> list[str]:
        """The words of `vocabulary` that the ranking, or a number in each of them, puts in order; most severe first."""
        words = sorted(set(vocabulary))
        numbers = [int(match[0]) if (match := re.search(r"\d{1,4}", word)) else None for word in words]
        if words and None not in numbers:
            return [
                word for _, word in sorted(zip(numbers, words, strict=True), key=lambda pair: (pair[0] or 0, pair[1]))
            ]
        rank = {word.casefold(): place for place, word in enumerate(self.opinion.ranking)}
        return sorted((word for word in words if word.casefold() in rank), key=lambda word: rank[word.casefold()])

    def word_for(self, level: int, vocabulary: Iterable[str]) -> str:
        """What the team calls `level` (1 is the most severe); the rubric's own name where the team's words say nothing."""
        vocabulary = list(vocabulary)
        known = {word.casefold(): word for word in vocabulary}
        for word in (self.levels[level - 1].name, *self.levels[level - 1].words):
            if word.casefold() in known:
                return known[word.casefold()]
        ordered = self.ordered(vocabulary)
        if len(ordered) < 2:
            return self.levels[level - 1].name
        return ordered[round((level - 1) * (len(ordered) - 1) / (len(self.levels) - 1))]

    def level_of(self, word: str, vocabulary: Iterable[str]) -> int | None:
        """The level that the team's `word` stands for; None when nothing says."""
        for number, level in enumerate(self.levels, start=1):
            if word.casefold() in {level.name.casefold(), *map(str.casefold, level.words)}:
                return number
        ordered = self.ordered(vocabulary)
        if word not in ordered or len(ordered) < 2:
            return None
        return 1 + round(ordered.index(word) * (len(self.levels) - 1) / (len(ordered) - 1))

    def top_words(self, vocabulary: Iterable[str] = ()) -> frozenset[str]:
        """Every word for the highest level, in the usual spellings, with the team's own highest word."""
        words = {self.levels[0].name, *self.levels[0].words, *self.ordered(vocabulary)[:1]}
        words |= {word for word in vocabulary if self.level_of(word, vocabulary) == 1}
        return frozenset(
            spelling for word in words for spelling in (word, word.lower(), word.upper(), word.capitalize())
        )


def load_rubric(path: Path | None = None) -> Rubric:
    """The rubric at `path`, or the one that ships. Raises InvalidInputError naming what is wrong with it."""
    return _shipped_rubric() if path is None else _read_rubric(path)


@functools.cache
def _shipped_rubric() -> Rubric:
    return _read_rubric(RUBRIC_PATH)


def _read_rubric(path: Path) -> Rubric:
    hint = "Correct it, or remove the setting to use the rubric that ships."
    try:
        body = path.read_bytes()
        return Rubric.model_validate({**tomllib.loads(body.decode()), "sha256": hashlib.sha256(body).hexdigest()})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "rubric"
        raise InvalidInputError(f"The rubric {path.name} is wrong at {place}: {first['msg']}.", hint=hint) from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"The rubric {path.name} cannot be read: {error}.", hint=hint) from None
