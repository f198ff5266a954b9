"""What can be wrong with a gateway or one of its sources: named states, told until they are over."""

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class GatewayCondition:
    """One state that holds since `since` (microseconds UTC, our clock) and is named again at every occurrence.

    subject: the source's or output's name, '' for the gateway as a whole. text: what was seen, and the remedy, for
    people. count: occurrences since it began. last_at: of the newest.
    """

    code: ConditionCode
    subject: str
    since: int
    last_at: int
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class EndedCondition:
    """One that is over; ended_at: microseconds UTC, the gateway's clock."""

    condition: GatewayCondition
    ended_at: int
