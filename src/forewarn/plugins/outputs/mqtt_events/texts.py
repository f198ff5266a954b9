"""Events and states as JSON; README.md shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.status_board import Happening
from forewarn.domain.alarms import AlarmEvent, AlarmState
from forewarn.domain.findings import Finding
from forewarn.domain.gateways import GatewayStatus
from forewarn.kit.clock import to_rfc3339

_MOST_ALARMS = 200
_FORBIDDEN = str.maketrans("+#/", "___", "\0")


def topic_of(template: str, gateway: str, asset: str = "") -> str:
    """Names from the plant may hold what a topic's level may not."""
    return template.format(gateway=gateway.translate(_FORBIDDEN), asset=asset.translate(_FORBIDDEN))


def event_text(happening: Happening, gateway: str, run: str, alarms: Mapping[tuple[str, str], Alarm]) -> bytes:
    """run: tells one run of the gateway from another, as numbers begin anew with each."""
    head: dict[str, Any] = {"id": f"{gateway}:{run}:{happening.number}", "gateway": gateway}
    if happening.event is not None:
        return orjson.dumps(head | _alarm(happening.event, alarms))
    assert happening.finding is not None
    return orjson.dumps(head | _finding(happening.finding))


def _alarm(event: AlarmEvent, alarms: Mapping[tuple[str, str], Alarm]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "alarm",
        "asset_id": event.asset_id,
        "rule_id": event.rule_id,
        "event": event.kind,
        "state": event.state.value,
        "timestamp": to_rfc3339(event.at),
        "value": event.value,
        "by": event.by,
        "comment": event.comment,
    }
    if (alarm := alarms.get((event.asset_id, event.rule_id))) is not None:
        rule = alarm.rule
        told |= {"sensor_id": rule.signal_id, "title": rule.title, "priority": rule.priority.value}
        told |= {"threshold": rule.threshold, "action": rule.action}
    return told


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "type": "anomaly",
        "asset_id": finding.asset_id,
        "sensor_id": finding.signal_id,
        "anomaly_type": finding.anomaly_type,
        "severity": finding.severity.value,
        "anomaly_score": finding.score,
        "value": finding.value,
        "expected": finding.expected,
        "reason": finding.reason,
        "detector": finding.detector,
        "detected_by": finding.detected_by,
        "timestamp": to_rfc3339(finding.last_at),
        "started_at": to_rfc3339(finding.started_at),
        "ended_at": None if finding.ended_at is None else to_rfc3339(finding.ended_at),
        "count": finding.count,
    }


def state_text(status: GatewayStatus, standing: Sequence[Alarm], missed: int) -> bytes:
    """Only what changes seldom, so that it is told seldom. missed: events that the board had forgotten before they
    could be told."""
    return orjson.dumps(
        {
            "online": True,
            "gateway": status.name,
            "version": status.version,
            "role": status.role.value,
            "site": status.uplink.state.value,
            "since": to_rfc3339(status.uplink.state_since),
            "sources": {source.name: source.state.value for source in status.sources},
            "conditions": [
                {"code": each.code.value, "subject": each.subject, "remedy": each.code.remedy}
                for each in status.conditions
            ],
            "alarms": len(standing),
            "standing": [
                {
                    "asset_id": alarm.rule.asset_id,
                    "rule_id": alarm.rule.rule_id,
                    "state": alarm.status.state.value,
                    "priority": alarm.rule.priority.value,
                    "title": alarm.rule.title,
                }
                for alarm in standing[:_MOST_ALARMS]
            ],
            "missed": missed,
        }
    )


def offline_text(gateway: str) -> bytes:
    return orjson.dumps({"online": False, "gateway": gateway})


def standing(alarms: Sequence[Alarm]) -> list[Alarm]:
    """Those that somebody should know of."""
    quiet = (AlarmState.NORMAL, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
    return [alarm for alarm in alarms if alarm.status.state not in quiet]
