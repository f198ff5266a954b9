"""Alarms after ISA-18.2 / IEC 62682: rule, state, and the journal of what happened."""

from dataclasses import dataclass
from enum import StrEnum


class AlarmState(StrEnum):
    """ISA-18.2 states. RETURNED is return-to-normal, not yet acknowledged (the 'latched' state too)."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


class Priority(StrEnum):
    """ADVISORY is for statistical findings: it asks for a look, not for an operator's action."""

    ADVISORY = "advisory"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Condition(StrEnum):
    """What a rule watches: a value against a threshold, a finding, or silence."""

    ABOVE = "above"
    BELOW = "below"
    FINDING = "finding"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """One reason for an alarm on one asset; (asset_id, rule_id) is its key.

    threshold, deadband: in the signal's unit; for FINDING a score 0-1; for SILENT seconds without a reading.
    on_delay_s, off_delay_s: how long the condition must hold, and must be gone, in source time.
    latching: stays RETURNED until acknowledged and reset, though the condition is gone.
    only_running: suppressed by design while the machine stands.
    """

    asset_id: str
    rule_id: str
    signal_key: int
    signal_id: str
    condition: Condition
    threshold: float
    priority: Priority
    title: str
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    latching: bool = False
    only_running: bool = False
    detector: str = ""
    cause: str = ""
    consequence: str = ""
    action: str = ""
    response_minutes: int = 60


@dataclass(frozen=True, slots=True)
class AlarmOverride:
    """What a plant file says about one alarm of one asset: a change to a default rule or, where no default
    rule has this rule_id, a rule of its own. None = not said. Units as in AlarmRule."""

    asset_id: str
    rule_id: str
    enabled: bool = True
    signal_id: str | None = None
    condition: Condition | None = None
    threshold: float | None = None
    priority: Priority | None = None
    title: str | None = None
    deadband: float | None = None
    on_delay_s: float | None = None
    off_delay_s: float | None = None
    latching: bool | None = None
    only_running: bool | None = None
    detector: str | None = None
    cause: str | None = None
    consequence: str | None = None
    action: str | None = None
    response_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """Where one alarm stands. Times are microseconds UTC; None where it does not apply.

    active: whether the (delayed) condition holds; kept true under shelving and suppression as well.
    pending_since: source time since when the raw condition differs from `active` (on or off delay running).
    latched: a latching alarm whose condition is gone but which nobody has reset.
    """

    state: AlarmState = AlarmState.NORMAL
    active: bool = False
    pending_since: int | None = None
    latched: bool = False
    raised_at: int | None = None
    returned_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    shelved_until: int | None = None
    shelved_by: str | None = None
    value: float | None = None
    occurrences: int = 0


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One line of an alarm's journal. `kind`: raised, returned, acknowledged, shelved, unshelved, expired,
    suppressed, unsuppressed, out_of_service, in_service, commented, reset."""

    asset_id: str
    rule_id: str
    at: int
    kind: str
    state: AlarmState
    by: str = ""
    comment: str = ""
    value: float | None = None
