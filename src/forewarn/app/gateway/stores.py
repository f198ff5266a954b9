"""A gateway's files: alarms, signals' keys, raw log, outbox."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import structlog

from forewarn.app.plugins import load
from forewarn.contracts.batch_log import BatchLog
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.disk_budget import beside, slack_of
from forewarn.gateway.healing_log import REASON, DiscardingLog, HealingLog
from forewarn.gateway.local.alarms import LocalOffsets
from forewarn.gateway.local.database import Memory, Note
from forewarn.gateway.local.keys import SignalKeys
from forewarn.gateway.local.used_keys import used_keys
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.reserve import BYTES
from forewarn.gateway.ring import RingLog, SpoolRing
from forewarn.kit.clock import now_us
from forewarn.policies.gateway_settings import GatewaySettings

_log = structlog.get_logger(__name__)
MIB: Final = 1 << 20
RAW: Final = "raw"
OUTBOX: Final = "outbox"
_RING_BYTES: Final = 8 * MIB
_LOST: Final = "lost\tbatches"  # no source's name holds a tab
_BESIDE: Final = ("score", "judge")  # stages whose offsets lie in the alarms' file
_MOST_FILLED: Final = 10_000
# Our own door numbers its batches and repeats the newest at the most: a site's ten million would take 600 MB.
_LEDGER_ROWS: Final = 100_000


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
    notes = _Notes(conditions)
    memory = Memory(directory, notes.add)
    closing.callback(memory.close)
    budget = settings.disk_budget_mib * MIB
    slack = slack_of(budget)
    outbox = SqliteOutbox(directory / OUTBOX, note=notes.add, slack_bytes=min(slack, BYTES))
    closing.callback(outbox.close)
    offsets = LocalOffsets(memory)
    handled = max(outbox.offset, *(offsets.get(stage) for stage in _BESIDE))
    spool = _open_spool(directory / RAW, budget, handled, notes.add)
    closing.callback(spool.close)

    def lost(offset: int, readings: int) -> None:
        if offset > outbox.offset:  # what was thinned before is accounted for
            outbox.lost(readings, REASON)

    log = HealingLog(spool, lost, notes.add)
    ring = SpoolRing(
        log,
        outbox,
        now_us,
        keep_hours=settings.keep_raw_hours,
        note=notes.add,
        beside=lambda: beside(directory, slack),
    )
    ring.keep_within(budget)
    keys = SignalKeys(directory, memory, notes.add, lambda: used_keys(log, outbox))
    notes.are_open = True
    return Stores(memory, keys, log, outbox, ring)


class _Notes:
    """One state is shown with its newest text: what several files say of their damage at the start stands together."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._said: dict[ConditionCode, list[str]] = {}
        self.are_open = False

    def add(self, code: ConditionCode, text: str) -> None:
        _log.warning("store", state=code.value, text=text)
        if not self.are_open:
            said = self._said.setdefault(code, [])
            said.append(text)
            text = ". ".join(said)
        self._conditions.enter(code, text)


def _open_spool(directory: Path, capacity_bytes: int, handled: int, note: Note) -> DiscardingLog:
    """handled: the greatest offset that any stage has done with. A log that ends before it (an older copy, a power loss
    on a disk that lied) goes on above it: its numbers were given to readings that are handled."""
    plugin: Any = load("batch_logs", "sqlite_spool")
    slack = slack_of(capacity_bytes)
    options = {
        "capacity_bytes": capacity_bytes,
        "ring_bytes": _RING_BYTES,
        "group_bytes": slack,
        "slack_bytes": slack,
        "ledger_rows": _LEDGER_ROWS,
        "shrink": True,
    }
    try:
        opened: DiscardingLog = plugin(directory, **options)
    except StorageFailed as error:
        if error.condition is not ConditionCode.BUFFER_DAMAGED:
            raise
        note(ConditionCode.BUFFER_DAMAGED, plugin.begin_anew(directory, handled, shrink=True))
        opened = plugin(directory, **options)
    missing = handled - opened.depth().last_offset
    if missing > _MOST_FILLED:
        opened.close()
        why = f"the raw log ends {missing} batches before what was handled already: it is not the newest one"
        note(ConditionCode.BUFFER_DAMAGED, f"{why}; {plugin.begin_anew(directory, handled, shrink=True)}")
        opened = plugin(directory, **options)
    elif missing > 0:
        _fill_up(opened, missing)
        text = (
            f"the raw log in {directory} has lost its last {missing} batches: power was lost, and the disk had not "
            "kept what it said it had. What was thinned of them is in the outbox; the rest is gone. Check the disk"
        )
        note(ConditionCode.BUFFER_DAMAGED, text)
    return opened


def _fill_up(log: BatchLog, count: int) -> None:
    """Empty batches in the place of lost ones: stages have passed their offsets, and would pass over what comes there.
    Raises StorageFailed."""
    first = log.last_sequence(_LOST) + 1
    no_rows = (np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32))
    appended = [log.append(ReadingBatch(*no_rows, _LOST, first + n)) for n in range(count)]
    for each in appended:
        each.result()
