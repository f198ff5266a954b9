"""Times on the wire: RFC 3339 outside, microseconds inside."""

from typing import Annotated, Final

from pydantic import Field

from forewarn.domain.errors import InvalidInput
from forewarn.kit.clock import from_rfc3339, to_rfc3339

Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
_LAST: Final = 253_402_300_799_999_999
_FIRST: Final = -62_135_596_800_000_000


def text_of(us: int) -> str:
    """RFC 3339; what lies outside of the years 1-9999 is cut to them."""
    return to_rfc3339(max(_FIRST, min(_LAST, us)))


def at_us(text: str | None, field: str) -> int | None:
    """Microseconds of an RFC 3339 text or integer milliseconds; None stays None. Raises InvalidInput."""
    if text is None or text == "":
        return None
    try:
        if text.lstrip("-").isdecimal() and len(text) <= 15:
            return int(text) * 1_000
        # A '+' of an offset that was not escaped arrives as a blank.
        return from_rfc3339(text.strip().replace(" ", "+") if "T" in text else text)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{field} is neither RFC 3339 (2026-01-31T08:00:00Z) nor milliseconds since 1970: {text[:40]!r}",
            field=field,
        ) from None


def span_us(start: str | None, end: str | None, now: int, default_us: int) -> tuple[int, int]:
    """[start, end) with the last `default_us` up to now as default. Raises InvalidInput when it is empty."""
    end_us = at_us(end, "end")
    last = now if end_us is None else end_us
    start_us = at_us(start, "start")
    first = last - default_us if start_us is None else start_us
    if first >= last:
        raise InvalidInput("start must be before end", field="start")
    return first, last
