"""What the nodes say: names and values, without any server."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

from forewarn.contracts.alarm_store import Alarm
from forewarn.domain.alarms import AlarmState, AlarmStatus, Priority
from forewarn.domain.assets import Asset
from forewarn.domain.gateways import GatewayStatus

Leaf = bool | int | float | str | datetime | tuple[str, ...]
# A condition's severity (OPC UA Part 9, 5.5.2) is 1-1000; an alarm list sorts by it.
SEVERITY: Final = {
    Priority.ADVISORY: 100,
    Priority.LOW: 300,
    Priority.MEDIUM: 500,
    Priority.HIGH: 700,
    Priority.CRITICAL: 900,
}
_NOTICED: Final = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(Enum):
    """How a value is written on the wire where Python's own type does not say it."""

    PLAIN = "plain"
    TEXT = "localized text"
    SEVERITY = "UInt16"


@dataclass(frozen=True, slots=True)
class Value:
    value: Leaf
    kind: Kind = Kind.PLAIN


Picture = Mapping[tuple[str, ...], Value]  # path below the gateway's folder -> what stands there


def alarm_path(alarm: Alarm, asset: Asset | None) -> tuple[str, ...]:
    """Where an alarm's nodes are: place, asset, rule."""
    return (*(part for part in (asset.path if asset else ()) if part), alarm.rule.asset_id, alarm.rule.rule_id)


def alarm_values(alarm: Alarm, asset: Asset | None) -> dict[str, Value]:
    """The state of one alarm by name; `A.Id` stands below `A`."""
    rule, status = alarm.rule, alarm.status
    told = {
        "ConditionName": Value(rule.rule_id),
        "SourceName": Value(asset.name if asset else rule.asset_id),
        "Signal": Value(rule.signal_id),
        "Message": Value(rule.title, Kind.TEXT),
        "Severity": Value(SEVERITY[rule.priority], Kind.SEVERITY),
        "Time": Value(_changed_at(status)),
        "Retain": Value(status.state in _NOTICED),
        "Value": Value(float("nan") if status.value is None else status.value),
        "ShelvingState.CurrentState": Value(
            "Timed Shelved" if status.state is AlarmState.SHELVED else "Unshelved", Kind.TEXT
        ),
    }
    told |= _two_state("EnabledState", True, "Enabled", "Disabled")
    told |= _two_state("ActiveState", status.active, "Active", "Inactive")
    told |= _two_state("AckedState", is_acknowledged(status), "Acknowledged", "Unacknowledged")
    told |= _two_state("ConfirmedState", not status.latched, "Confirmed", "Unconfirmed")
    told |= _two_state("SuppressedState", status.state is AlarmState.SUPPRESSED, "Suppressed", "Unsuppressed")
    told |= _two_state("OutOfServiceState", status.state is AlarmState.OUT_OF_SERVICE, "Out of Service", "In Service")
    return told


def is_acknowledged(status: AlarmStatus) -> bool:
    """While shelved or suppressed: whether it was, before."""
    if status.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED):
        return False
    return not status.active or status.state is AlarmState.ACKNOWLEDGED or status.acknowledged_at is not None


def _two_state(name: str, holds: bool, yes: str, no: str) -> dict[str, Value]:
    return {name: Value(yes if holds else no, Kind.TEXT), f"{name}.Id": Value(holds)}


def _changed_at(status: AlarmStatus) -> datetime:
    moments = (status.raised_at, status.returned_at, status.acknowledged_at)
    return moment(max((at for at in moments if at is not None), default=0))


def moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def gateway_values(status: GatewayStatus, site_away: bool) -> dict[tuple[str, ...], Value]:
    """The gateway's own state, by path."""
    uplink, buffer = status.uplink, status.buffer
    told: dict[tuple[str, ...], Leaf] = {
        ("SiteAway",): site_away,
        ("Role",): str(status.role),
        ("Version",): status.version,
        ("ActiveAlarms",): status.alarms,
        ("Conditions",): _names(status, ""),
        ("SilentSignals",): len(status.silent),
        ("Uplink", "State"): str(uplink.state),
        ("Uplink", "BacklogReadings"): uplink.backlog_readings,
        ("Uplink", "LiveLagSeconds"): uplink.live_lag_s,
        ("Buffer", "BudgetBytes"): buffer.budget_bytes,
        ("Buffer", "OutboxBytes"): buffer.outbox_bytes,
        ("Buffer", "RawBytes"): buffer.raw_bytes,
        ("Buffer", "FreeDiskBytes"): buffer.free_disk_bytes,
        ("Ledger", "Read"): status.ledger.read,
        ("Ledger", "Acknowledged"): status.ledger.acknowledged,
        ("Ledger", "Pending"): status.ledger.pending,
        ("Ledger", "AddsUp"): status.ledger.adds_up,
    }
    for source in status.sources:
        told |= {
            ("Sources", source.name, "State"): str(source.state),
            ("Sources", source.name, "LastError"): source.last_error,
            ("Sources", source.name, "LastReading"): moment(source.last_reading_at or 0),
            ("Sources", source.name, "Readings"): source.readings,
            ("Sources", source.name, "Reconnects"): source.reconnects,
            ("Sources", source.name, "Conditions"): _names(status, source.name),
        }
    return {("State", *path): Value(value) for path, value in told.items()}


def _names(status: GatewayStatus, subject: str) -> tuple[str, ...]:
    """The named states that `subject` is in; '' = the gateway as a whole."""
    return tuple(sorted(str(each.code) for each in status.conditions if each.subject == subject))


def shown_alarms(alarms: Iterable[Alarm], assets: Mapping[str, Asset]) -> dict[tuple[str, ...], dict[str, Value]]:
    """By the alarms' paths."""
    found = {}
    for alarm in alarms:
        asset = assets.get(alarm.rule.asset_id)
        found[alarm_path(alarm, asset)] = alarm_values(alarm, asset)
    return found
