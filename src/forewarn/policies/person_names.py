"""When two names of people are the same."""

import unicodedata


def folded(name: str) -> str:
    """`name` without case and compatibility forms: `ANNA`, `anna` and full-width letters are one name."""
    # Folding can give characters that NFKC changes, and the other way round; after these three steps neither does.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).casefold().strip()


def taken_by_others(name: str) -> bool:
    """Whether the audit log could take `name` for a gateway, the command line or the program, or shows nothing."""
    plain = folded(name)
    if plain.startswith(("gateway ", "local ")) or plain in ("forewarn", "unknown"):
        return True
    # A Hangul filler is a letter to Unicode and blank to everybody else.
    return not any(c.isalnum() and "FILLER" not in unicodedata.name(c, "") for c in plain)
