"""A heartbeat's body -> the gateway's status, as catalog and page can keep it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

import msgspec

from forewarn.domain.conditions import GatewayCondition
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.domain.gateways import GatewayStatus
from forewarn.policies.whole_stretches import WholeStretches

_MOST_CONDITIONS: Final = 2_000
_LATEST: Final = 253_402_300_800_000_000
_LONGEST_TEXT: Final = 2_000
# It is part of a key: PostgreSQL's index refuses rows over 2,700 bytes.
_LONGEST_NAME: Final = 200
_MOST_REDUCTIONS: Final = 100
_MOST_PATTERNS: Final = 1_000
_T = TypeVar("_T")


def decoded(body: bytes, kind: type[_T]) -> _T:
    """Raises InvalidInput."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the body is not as docs/formats/uplink.md has it: {error}", field="body") from None


def status_of(body: bytes, gateway: str) -> tuple[GatewayStatus, list[str]]:
    """The status, and the ids of the requests that are done. Raises InvalidInput."""
    parts: Mapping[str, msgspec.Raw] = decoded(body, dict[str, msgspec.Raw])
    status = decoded(bytes(parts["status"]) if "status" in parts else body, GatewayStatus)
    done = decoded(bytes(parts.get("done", msgspec.Raw(b"[]"))), list[str])
    if status.name != gateway:
        raise InvalidInput(f"the status is of gateway {status.name!r}, not of {gateway!r}", field="name")
    if len(status.conditions) > _MOST_CONDITIONS or len(status.ended) > _MOST_CONDITIONS:
        raise InvalidInput(f"a gateway has at most {_MOST_CONDITIONS:,} conditions", field="conditions")
    told = [*status.conditions, *(each.condition for each in status.ended)]
    numbers = [n for c in told for n in (c.since, c.last_at, c.count)] + [each.ended_at for each in status.ended]
    if any(not 0 <= n < _LATEST for n in numbers):
        raise InvalidInput("a condition's times and count are beyond what a clock can show", field="conditions")
    _check_reductions(status)
    return _kept(status), [_text(each, _LONGEST_NAME) for each in done[:1_000]]


def _check_reductions(status: GatewayStatus) -> None:
    """Raises InvalidInput."""
    told = status.reductions
    if len(told) > _MOST_REDUCTIONS or any(len(each.thinned) > _MOST_PATTERNS for each in told):
        raise InvalidInput(
            f"a gateway tells at most {_MOST_REDUCTIONS} reductions of {_MOST_PATTERNS:,} patterns", field="reductions"
        )
    if any(not 0 <= each.since < _LATEST for each in told):
        raise InvalidInput("the beginning of a reduction is beyond what a clock can show", field="reductions")
    for each in told:
        try:
            WholeStretches(each.whole_s, each.whole_every_s)
        except ConfigurationError as error:
            raise InvalidInput(str(error), field="reductions") from None


def _kept(status: GatewayStatus) -> GatewayStatus:
    """What devices say of themselves is in these texts: any length, and characters that PostgreSQL refuses."""
    return replace(
        status,
        version=_text(status.version, _LONGEST_NAME),
        public_key=_text(status.public_key, _LONGEST_TEXT),
        conditions=tuple(map(_condition, status.conditions)),
        ended=tuple(replace(each, condition=_condition(each.condition)) for each in status.ended),
        reductions=tuple(
            replace(
                each, thinned=tuple((_text(pattern, _LONGEST_TEXT), is_thinned) for pattern, is_thinned in each.thinned)
            )
            for each in status.reductions
        ),
    )


def _condition(told: GatewayCondition) -> GatewayCondition:
    return replace(told, subject=_text(told.subject, _LONGEST_NAME), text=_text(told.text, _LONGEST_TEXT))


def _text(given: str, most: int) -> str:
    return given[:most].replace("\0", "")
