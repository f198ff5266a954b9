"""What people write where a reason is asked for, which goes into the audit log."""

import unicodedata
from typing import Final

LONGEST_REASON: Final = 2_000


def reason_of(text: str) -> str:
    """Without what surrounds it. Lines may be broken in it. Raises ValueError where nothing can be seen of it, where it
    is longer than LONGEST_REASON, and where it holds control characters, which would command whoever's terminal.

    >>> reason_of("  bearing ordered\\n")
    'bearing ordered'
    """
    text = text.replace("\r\n", "\n").strip()
    if not any(unicodedata.category(c)[0] in "LNPS" for c in text):
        raise ValueError("says nothing: give a reason in words, it goes into the audit log")
    if len(text) > LONGEST_REASON:
        raise ValueError(f"is {len(text):,} characters long, {LONGEST_REASON:,} are the most")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c != "\n" for c in text):
        raise ValueError("holds control characters: give it as plain text")
    return text
