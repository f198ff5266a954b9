"""One-time passwords, which people read from a screen or hear on the telephone."""

from collections.abc import Callable
from secrets import choice
from typing import Final

# No vowels (no words), nothing that looks like another: 0 and O, 1, I and L.
LETTERS: Final = "BCDFGHJKMNPQRSTVWXZ2345678"
_GROUPS: Final = 4
_GROUP: Final = 5


def one_time_password(pick: Callable[[str], str] = choice) -> str:
    """Four groups of five letters and digits: 94 random bits."""
    return "-".join("".join(pick(LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
