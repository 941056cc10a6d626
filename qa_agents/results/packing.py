"""A run's results as a few compressed blocks of bytes: small to keep, and read as columns without making an object per test."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from qa_agents.errors import StorageError
from qa_agents.results.schema import Outcome, TestResult

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""What the codes in `Columns.outcomes` mean, by position."""
CODES: Mapping[Outcome, int] = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_INCONSISTENT = 0x80
_NO_TIME = -1
_MICROSECONDS = 1_000_000
_MAX_SECONDS = 9e12
_ROW_BYTES = 4 + 1 + 8
_LEVEL = 3


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Every result of one run, in the order it was read; four arrays of equal length.

    A test that stands in the run twice has two rows.
    """

    tests: NDArray[np.int64]
    """The store's key of the test; `RunStore.tests` turns keys into suite and name."""
    outcomes: NDArray[np.uint8]
    """Position in OUTCOMES."""
    inconsistent: NDArray[np.bool_]
    """Whether tries within the run disagreed."""
    seconds: NDArray[np.float64]
    """Duration to the microsecond; NaN where unknown."""

    @property
    def red(self) -> NDArray[np.bool_]:
        """Whether each result failed or broke."""
        red: NDArray[np.bool_] = (self.outcomes == CODES["failed"]) | (self.outcomes == CODES["error"])
        return red

    def __len__(self) -> int:
        return len(self.tests)


def pack_columns(keys: Sequence[int], results: Sequence[TestResult]) -> bytes:
    """Key, outcome and time of each result as compressed bytes; `keys` are the results' tests, in the same order."""
    tests = np.asarray(keys, dtype="<u4")
    outcomes = np.fromiter(
        (CODES[result.outcome] | (_INCONSISTENT if result.is_inconsistent else 0) for result in results),
        dtype=np.uint8,
        count=len(results),
    )
    times = np.fromiter((_micros(result.seconds) for result in results), dtype="<i8", count=len(results))
    # The bytes of equal weight side by side: the high ones are all alike, which is what makes it small.
    raw = _transposed(tests, 4) + outcomes.tobytes() + _transposed(times, 8)
    return zlib.compress(raw, _LEVEL)


def unpack_columns(packed: bytes) -> Columns:
    """What `pack_columns` packed. Raises StorageError when the bytes are damaged."""
    raw = np.frombuffer(_inflated(packed), dtype=np.uint8)
    if len(raw) % _ROW_BYTES:
        raise _damaged()
    count = len(raw) // _ROW_BYTES
    tests = _restored(raw[: 4 * count], 4, "<u4").astype(np.int64)
    codes = raw[4 * count : 5 * count]
    outcomes = codes & np.uint8(_INCONSISTENT - 1)
    times = _restored(raw[5 * count :], 8, "<i8")
    if count and outcomes.max() >= len(OUTCOMES):
        raise _damaged()
    seconds = np.where(times == _NO_TIME, np.nan, times / _MICROSECONDS)
    return Columns(tests, outcomes, (codes & _INCONSISTENT) != 0, seconds)


def pack_json(value: Any) -> bytes:
    """A JSON value as compressed bytes; lone surrogates, which UTF-8 cannot carry, become U+FFFD."""
    return zlib.compress(
        json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), _LEVEL
    )


def unpack_json(packed: bytes) -> Any:
    """What `pack_json` packed. Raises StorageError when the bytes are damaged."""
    try:
        return json.loads(_inflated(packed))
    except ValueError:
        raise _damaged() from None


def _micros(seconds: float | None) -> int:
    return _NO_TIME if seconds is None else round(min(seconds, _MAX_SECONDS) * _MICROSECONDS)


def _transposed(values: NDArray[Any], width: int) -> bytes:
    return np.ascontiguousarray(values.view(np.uint8).reshape(-1, width).T).tobytes()


def _restored(raw: NDArray[np.uint8], width: int, kind: str) -> NDArray[Any]:
    return np.ascontiguousarray(raw.reshape(width, -1).T).view(kind).reshape(-1)


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompress(packed)
    except zlib.error:
        raise _damaged() from None


def _damaged() -> StorageError:
    return StorageError("A stored test run is damaged.", hint="Restore a copy of the workspace, or prune that run.")
