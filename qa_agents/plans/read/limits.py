"""How much of a hostile file is read before it is refused; every limit has a sentence that names it."""

from dataclasses import asdict, dataclass
from typing import Any

MEGA = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read: bytes, pages, ratios, nesting, seconds and memory of the child process."""

    file_bytes: int = 20 * MEGA
    total_bytes: int = 60 * MEGA
    files: int = 200
    text_chars: int = 2 * MEGA
    """Of one document's text; what is beyond is cut off and said to be unread."""
    blocks: int = 50_000
    pages: int = 1_000
    archive_entries: int = 2_000
    archive_ratio: int = 100
    """Unpacked to packed size of an archive, and of each of its entries."""
    archive_bytes: int = 100 * MEGA
    nesting: int = 100
    aliases: int = 1_000
    nodes: int = 300_000
    """Of a YAML or JSON document, with aliases counted as often as they are used."""
    expanded_nodes: int = 20_000
    """Of one API operation after its references are resolved."""
    cpu_seconds: int = 60
    memory_bytes: int = 1_500 * MEGA
    """Address space, which is more than what is used."""
    seconds: float = 120.0

    def as_json(self) -> dict[str, Any]:
        """For the child process; `Limits(**value)` reads it back."""
        return asdict(self)
