"""Reliability curves: from a score to the rate of right answers, measured on what became of the team's own past reports.

Isotonic regression by pool-adjacent-violators: Ayer, Brunk, Ewing, Reid and Silverman, "An empirical distribution
function for sampling with incomplete information", 1955; Barlow et al., "Statistical inference under order
restrictions", 1972.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

MIN_BLOCK = 20
"""A rate is measured on at least so many cases, so that none is a guess."""


class Rate(NamedTuple):
    """A measured rate: `kept` of `n` past cases of this strength were right."""

    probability: float
    kept: int
    n: int


class Block(BaseModel):
    """Cases of neighbouring strength that share one rate; `low` is the weakest of them."""

    model_config = ConfigDict(frozen=True)

    low: float
    kept: int = Field(ge=0)
    n: int = Field(gt=0)

    @property
    def rate(self) -> float:
        """Share of the cases that were right, 0 to 1."""
        return self.kept / self.n


class Curve(BaseModel):
    """A reliability curve: a rising staircase of blocks, the weakest first."""

    model_config = ConfigDict(frozen=True)

    blocks: list[Block] = Field(min_length=1)

    @property
    def n(self) -> int:
        """How many cases the curve rests on."""
        return sum(block.n for block in self.blocks)

    def predict(self, score: float) -> Rate:
        """The rate measured at this strength; between two blocks the weaker one answers, below all the weakest."""
        block = next((block for block in reversed(self.blocks) if block.low <= score), self.blocks[0])
        return Rate(block.rate, block.kept, block.n)


def fit_reliability(scores: Sequence[float], hits: Sequence[bool], min_block: int = MIN_BLOCK) -> Curve:
    """Fit the rising staircase nearest to the outcomes, no step resting on fewer than `min_block` cases.

    Rates lie in [0, 1], never fall with the score, and average to the share of hits. Fewer cases than `min_block` give
    one step. Raises ValueError when there are no cases or the lengths differ.
    """
    if not scores or len(scores) != len(hits):
        raise ValueError("scores and hits must be equally many, and at least one")
    blocks: list[Block] = []
    for block in _equal_scores(scores, hits):
        blocks.append(block)
        while len(blocks) > 1 and blocks[-2].rate >= blocks[-1].rate:
            blocks[-2:] = [_join(blocks[-2], blocks[-1])]
    return Curve(blocks=_without_small(blocks, min_block))


def _equal_scores(scores: Sequence[float], hits: Sequence[bool]) -> Iterator[Block]:
    """One block per distinct score, rising: cases of one strength cannot get different rates."""
    by_score: dict[float, list[bool]] = defaultdict(list)
    for score, hit in zip(scores, hits, strict=True):
        by_score[score].append(bool(hit))
    for score in sorted(by_score):
        yield Block(low=score, kept=sum(by_score[score]), n=len(by_score[score]))


def _without_small(blocks: list[Block], min_block: int) -> list[Block]:
    """Join every block below `min_block` with the neighbour whose rate is nearer; joining keeps the order of rates."""
    blocks = list(blocks)
    while len(blocks) > 1 and min(block.n for block in blocks) < min_block:
        at = min(range(len(blocks)), key=lambda index: blocks[index].n)
        beside = [index for index in (at - 1, at + 1) if 0 <= index < len(blocks)]
        nearer = min(beside, key=lambda index: abs(blocks[index].rate - blocks[at].rate))
        start = min(at, nearer)
        blocks[start : start + 2] = [_join(blocks[start], blocks[start + 1])]
    return blocks


def _join(left: Block, right: Block) -> Block:
    return Block(low=left.low, kept=left.kept + right.kept, n=left.n + right.n)
