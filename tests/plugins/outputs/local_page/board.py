"""A status board that a test fills by hand."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.status_board import Happening
from forewarn.domain.alarms import AlarmRule, AlarmState, AlarmStatus, Condition, Priority
from forewarn.domain.assets import Asset, Signal
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.gateways import (
    BufferStatus,
    GatewayRole,
    GatewayStatus,
    LedgerSums,
    SiteState,
    UplinkStatus,
)
from forewarn.domain.model_delivery import HeldModels
from forewarn.domain.series import Series
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.kit.clock import HOUR, MINUTE, SECOND

NOW = 1_769_846_400_000_000


class HandBoard:
    def __init__(self, status: GatewayStatus, alarms: Sequence[Alarm] = (), assets: Sequence[Asset] = ()) -> None:
        self._status, self._alarms, self._assets = status, list(alarms), list(assets)
        self._kept: list[Happening] = []
        self.held = HeldModels()
        self._news = asyncio.Event()

    @property
    def site_away(self) -> bool:
        return self._status.uplink.state is SiteState.AWAY

    async def changed(self, after: int, timeout_s: float) -> int:
        try:
            async with asyncio.timeout(timeout_s):
                while len(self._kept) <= after:
                    await self._news.wait()
        except TimeoutError:
            pass
        return len(self._kept)

    def happenings(self, after: int) -> Sequence[Happening]:
        return self._kept[after:]

    def alarms(self) -> Sequence[Alarm]:
        return self._alarms

    def assets(self) -> Sequence[Asset]:
        return self._assets

    def signals(self) -> Sequence[Signal]:
        return [Signal("mill-3.vibration", "mill-3", "vibration", "vibration_velocity", "mm/s", key=1)]

    def latest(self) -> Series:
        return Series(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32))

    def status(self) -> GatewayStatus:
        return self._status

    def models(self) -> HeldModels:
        return self.held

    def show(self, alarms: Sequence[Alarm] | None = None, **changes: object) -> None:
        self._status = replace(self._status, **changes)
        self._alarms = self._alarms if alarms is None else list(alarms)
        self._kept.append(Happening(len(self._kept) + 1))
        self._news.set()
        self._news = asyncio.Event()


def alarm(
    asset: str, title: str, priority: Priority, state: AlarmState, minutes: int = 3, action: str = "", **more: object
) -> Alarm:
    rule = AlarmRule(asset, title, 1, "mill-3.vibration", Condition.ABOVE, 7.1, priority, title, action=action, **more)
    status = AlarmStatus(state, state is not AlarmState.RETURNED, raised_at=NOW - minutes * MINUTE, value=11.234)
    return Alarm(f"{asset}/{title}", rule, status)


ASSETS = (
    Asset("mill-3", "Raw mill 3", ("acme", "pune", "grinding", "line-1")),
    Asset("pump-9", "Circulation pump <9>", ("acme", "pune", "boiler-house", "line-1")),
)
ALARMS = (
    alarm("pump-9", "Flow low", Priority.MEDIUM, AlarmState.RETURNED, 40),
    alarm("pump-9", "Seal temperature", Priority.LOW, AlarmState.ACKNOWLEDGED, 90),
    alarm("mill-3", "Bearing vibration high-high", Priority.CRITICAL, AlarmState.UNACKNOWLEDGED, 3, "Stop the mill."),
    alarm("mill-3", "Vibration trend", Priority.ADVISORY, AlarmState.UNACKNOWLEDGED, 600),
    alarm("pump-9", "Motor current high", Priority.HIGH, AlarmState.UNACKNOWLEDGED, 12),
    alarm("pump-9", "Shelved one", Priority.HIGH, AlarmState.SHELVED, 12),
    alarm("pump-9", "Normal one", Priority.HIGH, AlarmState.NORMAL, 12),
)


def quiet_status() -> GatewayStatus:
    return GatewayStatus(
        name="gateway-line-1",
        version="0.4.0",
        at=NOW,
        started_at=NOW - 26 * HOUR,
        role=GatewayRole.ALONE,
        uplink=UplinkStatus(
            SiteState.CONNECTED,
            NOW - 3 * HOUR,
            url="https://site.example",
            last_acknowledged_at=NOW - SECOND,
            clock_offset_s=-0.042,
            round_trip_s=0.018,
            live_lag_s=0.4,
            sent_bytes=123_456_789,
        ),
        buffer=BufferStatus(2_000_000_000, 600_000_000, 80_000_000, 41_000_000_000, raw_from=NOW - 24 * HOUR),
        ledger=LedgerSums(
            read=86_400_000, kept=6_400_010, thinned=79_999_000, in_hand=990, acknowledged=6_400_000, pending=10,
            rejected=12, duplicate=3,
        ),
        sources=(
            SourceStatus("plc-1", "opcua", SourceState.CONNECTED, NOW - 3 * HOUR, NOW - SECOND // 5, 80_000_000,
                         delay_s=0.031),
            SourceStatus("meters", "modbus", SourceState.CONNECTED, NOW - 26 * HOUR, NOW - SECOND, 6_400_000, 12, 1,
                         delay_s=0.2),
        ),
        signals=1_000,
        resident_bytes=118_000_000,
        public_key="b3f1c07e5a9d4d2f8c6e1a0b7d4c9e2f",
    )  # fmt: skip


def away_status() -> GatewayStatus:
    quiet = quiet_status()
    held = GatewayCondition(
        ConditionCode.UNREACHABLE, "meters", NOW - 5 * MINUTE, NOW,
        "10.0.4.17:502 does not answer. Is the meter switched on, and the cable in?", 41,
    )  # fmt: skip
    own = GatewayCondition(
        ConditionCode.SITE_UNREACHABLE, "", NOW - 2 * HOUR, NOW,
        "https://site.example does not answer: name or service not known. Check the network and the site's name", 300,
    )  # fmt: skip
    return replace(
        quiet,
        uplink=replace(
            quiet.uplink,
            state=SiteState.AWAY,
            state_since=NOW - 2 * HOUR,
            last_acknowledged_at=NOW - 2 * HOUR,
            live_lag_s=7_200,
            backlog_readings=7_200_000,
            backlog_bytes=64_000_000,
            oldest_backlog_at=NOW - 2 * HOUR,
            last_error="https://site.example: name or service not known",
        ),
        buffer=replace(quiet.buffer, outbox_bytes=900_000_000, full_in_s=30_000),
        sources=(
            quiet.sources[0],
            replace(
                quiet.sources[1], state=SourceState.RECONNECTING, state_since=NOW - 5 * MINUTE,
                last_reading_at=NOW - 5 * MINUTE, last_error=held.text, reconnects=4,
            ),
        ),
        conditions=(own, held),
        silent=("pump-9.flow", "pump-9.<b>head</b>"),
        alarms=4,
    )  # fmt: skip
