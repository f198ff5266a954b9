"""What the site asks for of the raw ring, in the answer to a heartbeat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import structlog

_log = structlog.get_logger(__name__)
# Far enough from the ends of an int64 that hours may be added to it.
_Time = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A span of raw readings that somebody at the site asks for; microseconds UTC, end exclusive."""

    id: str
    signals: tuple[str, ...]
    start: _Time
    end: _Time


def requests_in(answer: Mapping[str, Any]) -> list[RawRequest]:
    """Those that can be understood; the others are named in the log."""
    found = []
    told = answer.get("requests")
    for each in told if isinstance(told, list) else ():
        try:
            found.append(msgspec.convert(each, RawRequest))
        except msgspec.ValidationError:
            _log.warning("request_not_understood", request=str(each)[:200])
    return found
