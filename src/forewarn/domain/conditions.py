"""What can be wrong with a gateway or one of its sources: named states, told until they are over."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ConditionCode(StrEnum):
    """The name of a state; the text is part of the API and of the outputs."""

    UNREACHABLE = "unreachable"
    SILENT = "silent"
    MISCONFIGURED = "misconfigured"
    CREDENTIALS_REFUSED = "credentials_refused"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    CERTIFICATE_CHANGED = "certificate_changed"
    UNKNOWN_ADDRESS = "unknown_address"
    WRONG_TYPE = "wrong_type"
    NOT_A_NUMBER = "not_a_number"
    NONSENSE = "nonsense"
    OVERRUN = "overrun"
    FAILED_OVER = "failed_over"
    CLOCK_WRONG = "clock_wrong"
    READINGS_REJECTED = "readings_rejected"
    DISK_FULL = "disk_full"
    DISK_READ_ONLY = "disk_read_only"
    BUFFER_FULL = "buffer_full"
    BUFFER_DAMAGED = "buffer_damaged"
    THINNED_EARLY = "thinned_early"
    SITE_UNREACHABLE = "site_unreachable"
    SITE_REFUSES = "site_refuses"
    STANDBY_ALONE = "standby_alone"
    FAILED = "failed"

    @classmethod
    def _missing_(cls, value: object) -> "ConditionCode | None":
        """A gateway newer than its site may know more of them; its text says what it is."""
        return cls.FAILED if isinstance(value, str) else None

    @property
    def remedy(self) -> str:
        """What a technician does about it, where nothing more is known than the state: one sentence."""
        return _REMEDIES[self]


_REMEDIES: Final = {
    ConditionCode.UNREACHABLE: "Check its power, its cable and network, and the address in its settings.",
    ConditionCode.SILENT: "Check at the device or broker whether it still sends, and the addresses of its signals.",
    ConditionCode.MISCONFIGURED: "Correct the setting, or the file that it names, and let the gateway read it again.",
    ConditionCode.CREDENTIALS_REFUSED: "Correct user, password, token or key, or allow it there.",
    ConditionCode.CERTIFICATE_EXPIRED: "Renew the certificate where it belongs, and check the clocks of both sides.",
    ConditionCode.CERTIFICATE_UNTRUSTED: "Put the certificate, or its issuer's, where the side that refuses keeps "
    "those it trusts.",
    ConditionCode.CERTIFICATE_CHANGED: "Ask who runs the server whether it was renewed; if so, trust the new one.",
    ConditionCode.UNKNOWN_ADDRESS: "Correct the signal's address in the gateway file, or bring it back at the device.",
    ConditionCode.WRONG_TYPE: "Correct the signal's address or its type: what lies there must be a number.",
    ConditionCode.NOT_A_NUMBER: "Check the sensor and its wiring; what it tells is kept as bad meanwhile.",
    ConditionCode.NONSENSE: "Check protocol, port and line settings, and whether another program shares the line.",
    ConditionCode.OVERRUN: "Raise the interval, or read fewer signals from this device.",
    ConditionCode.FAILED_OVER: "Look after the server that was in use before.",
    ConditionCode.CLOCK_WRONG: "Set the clock that is named, and keep it by NTP.",
    ConditionCode.READINGS_REJECTED: "Correct what is named: at the device, in the gateway file or at the site.",
    ConditionCode.DISK_FULL: "Make room on the gateway's disk; it goes on by itself.",
    ConditionCode.DISK_READ_ONLY: "Check the disk and make it writable; the gateway goes on by itself.",
    ConditionCode.BUFFER_FULL: "Bring the site back, or give the gateway more disk (disk_budget_mib).",
    ConditionCode.BUFFER_DAMAGED: "Check the disk, and replace it if this comes again.",
    ConditionCode.THINNED_EARLY: "Bring the site back, or give the gateway more disk (disk_budget_mib).",
    ConditionCode.SITE_UNREACHABLE: "Check the network to the site and gateway.uplink.url; nothing is lost, it waits.",
    ConditionCode.SITE_REFUSES: "Check this gateway's key and plant at the site; nothing is lost, it waits.",
    ConditionCode.STANDBY_ALONE: "Bring the site back, or the broker of gateway.standby.",
    ConditionCode.FAILED: "Look into the gateway's log; report it if it comes again.",
}
# A clause that begins with one of these tells what to do, also after an `if`; a question says where to look.
_TELLS: Final = re.compile(
    r"(?:^|[.:;] |[.:;] if [^.:;,]+, )(?:allow|apply|ask|bring|check|choose|correct|give|let|look|make|mend|move"
    r"|name one|pip install|put|raise|remove|renew|restart|restore|see|set|stop|trust"
    r"|(?:write|have|send|use) (?:it|the))\b|\?(?:\s|\)|$)",
    re.IGNORECASE,
)


def remedy_for(code: ConditionCode, text: str) -> str:
    """What to do, to be shown beside `text`: nothing where the text says so itself, as it knows better."""
    return "" if _TELLS.search(text) else code.remedy


def with_remedy(code: ConditionCode, text: str) -> str:
    """As one line, for a log."""
    remedy = remedy_for(code, text)
    return f"{text.removesuffix('.')}. {remedy}" if remedy else text


@dataclass(frozen=True, slots=True)
class GatewayCondition:
    """One state that holds since `since` (microseconds UTC, our clock) and is named again at every occurrence.

    subject: the source's or output's name, '' for the gateway as a whole. text: what was seen, for people, and what
    to do only where that is more than the state's own remedy. count: occurrences since it began. last_at: of the
    newest.
    """

    code: ConditionCode
    subject: str
    since: int
    last_at: int
    text: str
    count: int = 1

    @property
    def remedy(self) -> str:
        """What to do, where the text does not say it."""
        return remedy_for(self.code, self.text)


@dataclass(frozen=True, slots=True)
class EndedCondition:
    """One that is over; ended_at: microseconds UTC, the gateway's clock."""

    condition: GatewayCondition
    ended_at: int
