"""One byte sequence per JSON value, so that a hash means the value: RFC 8785 for the subset stored here."""

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """`value` as UTF-8 JSON with sorted keys and no blanks.

    Like RFC 8785 for objects with string keys; numbers are written as Python writes them, which differs from the RFC only
    for floats of extreme size. Raises ValueError for NaN and infinities.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(value: Any) -> str:
    """SHA-256 of `canonical_json(value)`, lower-case hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
