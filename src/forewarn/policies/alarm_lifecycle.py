"""The alarm machine of ISA-18.2 / IEC 62682, as pure functions on AlarmStatus.

| from \\ event    | raised          | returned             | acknowledge          | reset        |
|-----------------|-----------------|----------------------|----------------------|--------------|
| NORMAL          | UNACKNOWLEDGED  | -                    | refused              | refused      |
| UNACKNOWLEDGED  | -               | RETURNED             | ACKNOWLEDGED         | refused      |
| ACKNOWLEDGED    | -               | NORMAL (a)           | refused              | refused      |
| RETURNED        | UNACKNOWLEDGED  | -                    | NORMAL (b)           | NORMAL (c)   |
| SHELVED, SUPPRESSED, OUT_OF_SERVICE | tracked underneath: `active` follows, the state stays | refused | refused |

(a) RETURNED and latched if the rule latches. (b) stays RETURNED while latched. (c) latched and acknowledged only.
Leaving SHELVED, SUPPRESSED or OUT_OF_SERVICE: UNACKNOWLEDGED if active, else RETURNED if latched, else NORMAL.

Each function returns the new status and the journal lines; nothing changed = the same status and no line.
`raised` and `returned` not newer than the last of their kind are ignored, so telling them twice is harmless.
"""

from dataclasses import replace
from typing import Final

from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus
from forewarn.domain.errors import Conflict, InvalidInput
from forewarn.kit.clock import to_rfc3339

Step = tuple[AlarmStatus, list[AlarmEvent]]
_ASIDE: Final = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
_WAY_OUT: Final = {
    AlarmState.SHELVED: "unshelve it",
    AlarmState.SUPPRESSED: "unsuppress it",
    AlarmState.OUT_OF_SERVICE: "put it back in service",
}


def raised(rule: AlarmRule, status: AlarmStatus, at: int, value: float | None = None) -> Step:
    """The condition holds (its on-delay is over)."""
    if status.active or _told(status.raised_at, at) or _newer(status.returned_at, at):
        return status, []
    state = status.state if status.state in _ASIDE else AlarmState.UNACKNOWLEDGED
    changed = replace(
        status,
        state=state,
        active=True,
        pending_since=None,
        latched=False,
        raised_at=at,
        acknowledged_at=None,
        acknowledged_by=None,
        value=value,
        occurrences=status.occurrences + 1,
    )
    return changed, [_event(rule, changed, at, "raised", value=value)]


def returned(rule: AlarmRule, status: AlarmStatus, at: int, value: float | None = None) -> Step:
    """The condition is gone (its off-delay is over)."""
    if not status.active or _newer(status.raised_at, at):
        return status, []
    state = status.state
    if state is AlarmState.UNACKNOWLEDGED or (state is AlarmState.ACKNOWLEDGED and rule.latching):
        state = AlarmState.RETURNED
    elif state is AlarmState.ACKNOWLEDGED:
        state = AlarmState.NORMAL
    changed = replace(
        status, state=state, active=False, pending_since=None, latched=rule.latching, returned_at=at, value=value
    )
    return changed, [_event(rule, changed, at, "returned", value=value)]


def acknowledge(rule: AlarmRule, status: AlarmStatus, at: int, by: str, comment: str = "") -> Step:
    """A person has seen it. Raises Conflict unless it asks to be seen."""
    _refuse_aside(rule, status, "acknowledged")
    if status.acknowledged_at is not None and status.state is not AlarmState.NORMAL:
        raise Conflict(f"{_name(rule)} was already acknowledged by {status.acknowledged_by} at {_time(status)}")
    if status.state not in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED):
        raise Conflict(f"{_name(rule)} is normal: there is nothing to acknowledge")
    state = AlarmState.ACKNOWLEDGED
    if status.state is AlarmState.RETURNED:
        state = AlarmState.RETURNED if status.latched else AlarmState.NORMAL
    changed = replace(status, state=state, acknowledged_at=at, acknowledged_by=by)
    return changed, [_event(rule, changed, at, "acknowledged", by, comment)]


def reset(rule: AlarmRule, status: AlarmStatus, at: int, by: str, comment: str = "") -> Step:
    """Let go of a latched alarm whose condition is gone. Raises Conflict."""
    _refuse_aside(rule, status, "reset")
    if status.active:
        raise Conflict(f"{_name(rule)} is still active: it can be reset once its condition is gone")
    if not status.latched:
        raise Conflict(f"{_name(rule)} is not latched: there is nothing to reset")
    if status.acknowledged_at is None:
        raise Conflict(f"{_name(rule)} has not been acknowledged: acknowledge it first, then reset")
    changed = replace(status, state=AlarmState.NORMAL, latched=False)
    return changed, [_event(rule, changed, at, "reset", by, comment)]


def shelve(rule: AlarmRule, status: AlarmStatus, at: int, by: str, until: int, comment: str = "") -> Step:
    """Out of sight until `until`; shelving again moves the end. Raises Conflict, InvalidInput."""
    if until <= at:
        raise InvalidInput(f"a shelf must end after it begins: {to_rfc3339(until)} is in the past", field="minutes")
    if status.state is not AlarmState.SHELVED:
        _refuse_aside(rule, status, "shelved")
    changed = replace(status, state=AlarmState.SHELVED, shelved_until=until, shelved_by=by)
    return changed, [_event(rule, changed, at, "shelved", by, comment)]


def unshelve(rule: AlarmRule, status: AlarmStatus, at: int, by: str, comment: str = "") -> Step:
    return _back(rule, status, at, AlarmState.SHELVED, "unshelved", by, comment)


def expire(rule: AlarmRule, status: AlarmStatus, at: int) -> Step:
    """End a shelf whose time is up; otherwise nothing."""
    if status.state is not AlarmState.SHELVED or status.shelved_until is None or at < status.shelved_until:
        return status, []
    return _back(rule, status, at, AlarmState.SHELVED, "expired", "", "")


def suppress(rule: AlarmRule, status: AlarmStatus, at: int, by: str, comment: str = "") -> Step:
    """By design (`by` '' : the machine stands) or by a person. `shelved_by` keeps who it was. Raises Conflict."""
    _refuse_aside(rule, status, "suppressed")
    changed = replace(status, state=AlarmState.SUPPRESSED, shelved_by=by)
    return changed, [_event(rule, changed, at, "suppressed", by, comment)]


def unsuppress(rule: AlarmRule, status: AlarmStatus, at: int, by: str, comment: str = "") -> Step:
    return _back(rule, status, at, AlarmState.SUPPRESSED, "unsuppressed", by, comment)


def suppress_by_design(rule: AlarmRule, status: AlarmStatus, at: int) -> Step:
    """The machine stands: a standing alarm of an only_running rule steps aside. Never refuses."""
    if status.state in _ASIDE or status.state is AlarmState.NORMAL:
        return status, []
    return suppress(rule, status, at, "", "the machine stands")


def unsuppress_by_design(rule: AlarmRule, status: AlarmStatus, at: int) -> Step:
    """The machine runs again. What a person suppressed stays suppressed."""
    if status.state is not AlarmState.SUPPRESSED or status.shelved_by:
        return status, []
    return unsuppress(rule, status, at, "", "the machine runs")


def out_of_service(rule: AlarmRule, status: AlarmStatus, at: int, by: str, comment: str = "") -> Step:
    """Taken from service for maintenance, from any other state. Raises Conflict."""
    if status.state is AlarmState.OUT_OF_SERVICE:
        raise Conflict(f"{_name(rule)} is already out of service (by {status.shelved_by})")
    changed = replace(status, state=AlarmState.OUT_OF_SERVICE, shelved_until=None, shelved_by=by)
    return changed, [_event(rule, changed, at, "out_of_service", by, comment)]


def in_service(rule: AlarmRule, status: AlarmStatus, at: int, by: str, comment: str = "") -> Step:
    return _back(rule, status, at, AlarmState.OUT_OF_SERVICE, "in_service", by, comment)


def comment(rule: AlarmRule, status: AlarmStatus, at: int, by: str, text: str) -> Step:
    """A line in the journal. Raises InvalidInput when it says nothing."""
    if not text.strip():
        raise InvalidInput("a comment needs text", field="comment")
    return status, [_event(rule, status, at, "commented", by, text)]


def _back(rule: AlarmRule, status: AlarmStatus, at: int, expected: AlarmState, kind: str, by: str, remark: str) -> Step:
    if status.state is not expected:
        word = expected.value.replace("_", " ")
        raise Conflict(f"{_name(rule)} is not {word}: its state is {status.state.value.replace('_', ' ')}")
    state = AlarmState.RETURNED if status.latched else AlarmState.NORMAL
    if status.active:
        state = AlarmState.UNACKNOWLEDGED
    keep = not status.active
    changed = replace(
        status,
        state=state,
        shelved_until=None,
        shelved_by=None,
        acknowledged_at=status.acknowledged_at if keep else None,
        acknowledged_by=status.acknowledged_by if keep else None,
    )
    return changed, [_event(rule, changed, at, kind, by, remark)]


def _refuse_aside(rule: AlarmRule, status: AlarmStatus, wanted: str) -> None:
    if status.state in _ASIDE:
        state = status.state.value.replace("_", " ")
        by = f" by {status.shelved_by}" if status.shelved_by else ""
        until = f" until {to_rfc3339(status.shelved_until)}" if status.shelved_until is not None else ""
        raise Conflict(f"{_name(rule)} is {state}{by}{until}: {_WAY_OUT[status.state]} before it can be {wanted}")


def _told(known: int | None, at: int) -> bool:
    return known is not None and at <= known


def _newer(known: int | None, at: int) -> bool:
    return known is not None and at < known


def _name(rule: AlarmRule) -> str:
    return f"{rule.asset_id}/{rule.rule_id}"


def _time(status: AlarmStatus) -> str:
    return to_rfc3339(status.acknowledged_at) if status.acknowledged_at is not None else "an unknown time"


def _event(
    rule: AlarmRule,
    status: AlarmStatus,
    at: int,
    kind: str,
    by: str = "",
    remark: str = "",
    value: float | None = None,
) -> AlarmEvent:
    return AlarmEvent(rule.asset_id, rule.rule_id, at, kind, status.state, by, remark, value)
