"""A gateway's files: alarms, signals' keys, raw log, outbox."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from forewarn.app.plugins import load
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.healing_log import REASON, DiscardingLog, HealingLog
from forewarn.gateway.local.alarms import LocalOffsets
from forewarn.gateway.local.database import Memory
from forewarn.gateway.local.keys import SignalKeys
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.ring import RingLog, SpoolRing
from forewarn.kit.clock import now_us
from forewarn.policies.gateway_settings import GatewaySettings

MIB: Final = 1 << 20
RAW: Final = "raw"
OUTBOX: Final = "outbox"
_RING_BYTES: Final = 8 * MIB


@dataclass(frozen=True, slots=True)
class Stores:
    memory: Memory
    keys: SignalKeys
    log: RingLog
    outbox: SqliteOutbox
    ring: SpoolRing


def open_stores(settings: GatewaySettings, conditions: Conditions, closing: contextlib.ExitStack) -> Stores:
    """`closing` closes them. Raises ConfigurationError, StorageFailed."""
    directory = settings.directory
    directory.mkdir(parents=True, exist_ok=True)
    memory = Memory(directory)
    closing.callback(memory.close)
    if memory.set_aside is not None:
        text = f"alarms and findings were damaged and begun anew; what was there lies in {memory.set_aside}"
        conditions.enter(ConditionCode.BUFFER_DAMAGED, text)
    outbox = SqliteOutbox(directory / OUTBOX, note=conditions.enter)
    closing.callback(outbox.close)
    handled = max(outbox.offset, *(LocalOffsets(memory).get(stage) for stage in ("score", "judge")))
    spool = _open_spool(directory / RAW, settings.disk_budget_mib * MIB, handled, conditions)
    closing.callback(spool.close)

    def lost(offset: int, readings: int) -> None:
        if offset > outbox.offset:  # what was thinned before is accounted for
            outbox.lost(readings, REASON)

    log = HealingLog(spool, lost, conditions.enter)
    ring = SpoolRing(log, outbox, now_us, keep_hours=settings.keep_raw_hours, note=conditions.enter)
    return Stores(memory, SignalKeys(directory), log, outbox, ring)


def _open_spool(directory: Path, capacity_bytes: int, handled: int, conditions: Conditions) -> DiscardingLog:
    """handled: the greatest offset that any stage has done with; a log that is begun anew goes on above it."""
    plugin: Any = load("batch_logs", "sqlite_spool")
    options = {"capacity_bytes": capacity_bytes, "ring_bytes": _RING_BYTES, "shrink": True}
    try:
        opened: DiscardingLog = plugin(directory, **options)
    except StorageFailed as error:
        if error.condition is not ConditionCode.BUFFER_DAMAGED:
            raise
        conditions.enter(ConditionCode.BUFFER_DAMAGED, plugin.begin_anew(directory, handled, shrink=True))
        opened = plugin(directory, **options)
    return opened
