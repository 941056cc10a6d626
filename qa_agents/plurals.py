"""Nouns beside numbers."""


def plural(number: int, one: str, many: str = "") -> str:
    """The noun for so many; `many` where adding an s does not do: `plural(2, "was", "were")`."""
    return one if number == 1 else many or f"{one}s"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 case`, `2 cases`, `1,200 cases`."""
    return f"{number:,} {plural(number, one, many)}"
