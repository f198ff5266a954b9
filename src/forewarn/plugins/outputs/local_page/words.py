"""How figures and states are said to people."""

from datetime import UTC, datetime
from typing import Final

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.gateways import GatewayRole, SiteState
from forewarn.domain.sources import SourceState
from forewarn.kit.clock import SECOND

SITE: Final = {
    SiteState.CONNECTING: "Connecting to the site",
    SiteState.CONNECTED: "Connected to the site",
    SiteState.CATCHING_UP: "Connected, sending the backlog",
    SiteState.AWAY: "Site not reachable",
    SiteState.REFUSED: "The site refuses this gateway",
    SiteState.NONE: "No site configured",
}
ROLE: Final = {
    GatewayRole.ALONE: "Alone",
    GatewayRole.ACTIVE: "Active of a pair",
    GatewayRole.STANDBY: "Standby of a pair",
}
SOURCE: Final = {
    SourceState.STARTING: "Starting",
    SourceState.CONNECTED: "Connected",
    SourceState.STALE: "Silent",
    SourceState.RECONNECTING: "Not reachable, trying again",
    SourceState.MISCONFIGURED: "Wrong settings",
    SourceState.STOPPED: "Stopped",
}
CONDITION: Final = {
    ConditionCode.UNREACHABLE: "Not reachable",
    ConditionCode.SILENT: "Connected but silent",
    ConditionCode.MISCONFIGURED: "Wrong settings",
    ConditionCode.CREDENTIALS_REFUSED: "Sign-in refused",
    ConditionCode.CERTIFICATE_EXPIRED: "Certificate expired",
    ConditionCode.CERTIFICATE_UNTRUSTED: "Certificate not trusted",
    ConditionCode.CERTIFICATE_CHANGED: "Certificate changed",
    ConditionCode.UNKNOWN_ADDRESS: "Unknown address",
    ConditionCode.WRONG_TYPE: "Wrong type",
    ConditionCode.NOT_A_NUMBER: "Not a number",
    ConditionCode.NONSENSE: "Answers that make no sense",
    ConditionCode.OVERRUN: "Too slow",
    ConditionCode.FAILED_OVER: "Failed over",
    ConditionCode.CLOCK_WRONG: "Clock is wrong",
    ConditionCode.READINGS_REJECTED: "Readings rejected",
    ConditionCode.DISK_FULL: "Disk full",
    ConditionCode.DISK_READ_ONLY: "Disk is read-only",
    ConditionCode.BUFFER_FULL: "Buffer full",
    ConditionCode.BUFFER_DAMAGED: "Buffer damaged",
    ConditionCode.THINNED_EARLY: "Thinned further to save space",
    ConditionCode.SITE_UNREACHABLE: "Site not reachable",
    ConditionCode.SITE_REFUSES: "The site refuses",
    ConditionCode.STANDBY_ALONE: "No partner stands by",
    ConditionCode.FAILED: "Failed",
}

REFUSED: Final = {
    "truncated": "The new one came cut off",
    "damaged": "The new one is damaged",
    "poisoned": "The new one is none that can be",
    "too_large": "The new one is too large",
    "unknown_key": "The new one is signed by a stranger",
    "wrong_signature": "The new one's signature is wrong",
    "unusable": "The new one cannot be used here",
    "thresholds": "Its thresholds are refused, learned ones in use",
}


def span(seconds: float) -> str:
    """`31 ms`, `4.2 s`, `12 s`, `3 min`, `5 h 10 min`, `4 d 2 h`; a minus before it where it is negative."""
    sign, left = ("−" if seconds < 0 else ""), abs(seconds)
    if left < 0.0005:
        return "0 s"
    if left < 0.9995:
        return f"{sign}{left * 1_000:.0f} ms"
    if left < 9.95:
        return f"{sign}{left:.1f} s"
    if left < 119.5:
        return f"{sign}{left:.0f} s"
    minutes = round(left / 60)
    if minutes < 120:
        return f"{sign}{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{sign}{hours} h {minutes} min" if minutes else f"{sign}{hours} h"
    days, hours = divmod(hours, 24)
    return f"{sign}{days} d {hours} h" if hours else f"{sign}{days} d"


def ago(at: int | None, now: int) -> str:
    return "never" if at is None else f"{span(max(now - at, 0) / SECOND)} ago"


def clock(at: int) -> str:
    """`21:36:05 UTC`."""
    return f"{datetime.fromtimestamp(at / SECOND, UTC):%H:%M:%S} UTC"


def moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at / SECOND, UTC):%Y-%m-%d %H:%M} UTC"


def octets(count: int) -> str:
    """`734 B`, `1.5 kB`, `23 MB`: powers of ten."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 9.95 else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"


def count_of(number: int) -> str:
    """Digits in groups of three, with narrow spaces."""
    return f"{number:,}".replace(",", "\u202f")


def number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
