"""How much of a result file is taken: sizes, depths and counts beyond which reading stops and says so."""

from dataclasses import dataclass

MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one reading. Characters, bytes, counts or seconds, as the name says."""

    file_bytes: int = 300 * MEGA
    """Of one file, unpacked."""
    total_bytes: int = 2_000 * MEGA
    """Of everything that is read together, unpacked."""
    files: int = 20_000
    """Members of archives counted one by one."""
    archive_depth: int = 2
    """An archive within an archive is opened, one in that is not."""
    packed_ratio: int = 200
    """Unpacked to packed bytes, beyond the first `free_bytes` of a member."""
    free_bytes: int = 10 * MEGA
    results: int = 3_000_000
    depth: int = 200
    """Elements within elements."""
    name_chars: int = 2_000
    message_chars: int = 2_000
    details_chars: int = 20_000
    tags: int = 30
    tag_chars: int = 200
    seconds: float = 300.0
    """For everything that is read together."""
