"""The status map: which register says what. README.md draws it; `map_rows` lists it for a plant.

Its order is by id, so it stays the same while the plant stays the same; CHECKSUM changes when it does not.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.status_board import StatusBoard
from forewarn.domain.alarms import AlarmState, Priority
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError
from forewarn.domain.gateways import GatewayRole, GatewayStatus, SiteState
from forewarn.domain.sources import SourceState
from forewarn.kit.clock import SECOND

VERSION: Final = 1
ASSETS_FROM: Final = 100
ASSET_REGISTERS: Final = 4
ALARMS_FROM: Final = 10_000
ALARM_INPUTS_FROM: Final = 100
MOST_ASSETS: Final = (ALARMS_FROM - ASSETS_FROM) // ASSET_REGISTERS
MOST_ALARMS: Final = 65_536 - ALARMS_FROM
PRIORITIES: Final = (Priority.ADVISORY, Priority.LOW, Priority.MEDIUM, Priority.HIGH, Priority.CRITICAL)
_RANK: Final = {priority: rank for rank, priority in enumerate(PRIORITIES, start=1)}
STATES: Final = (
    AlarmState.NORMAL,
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED,
    AlarmState.SHELVED,
    AlarmState.SUPPRESSED,
    AlarmState.OUT_OF_SERVICE,
)
_STATE_CODE: Final = {state: code for code, state in enumerate(STATES)}
_ROLES: Final = (GatewayRole.ALONE, GatewayRole.ACTIVE, GatewayRole.STANDBY)
_SITES: Final = (
    SiteState.NONE,
    SiteState.CONNECTING,
    SiteState.CONNECTED,
    SiteState.CATCHING_UP,
    SiteState.AWAY,
    SiteState.REFUSED,
)
# A bit keeps its meaning for ever: new conditions are put behind the last one.
CONDITION_BITS: Final = (
    ConditionCode.UNREACHABLE,
    ConditionCode.SILENT,
    ConditionCode.MISCONFIGURED,
    ConditionCode.CREDENTIALS_REFUSED,
    ConditionCode.CERTIFICATE_EXPIRED,
    ConditionCode.CERTIFICATE_UNTRUSTED,
    ConditionCode.CERTIFICATE_CHANGED,
    ConditionCode.UNKNOWN_ADDRESS,
    ConditionCode.WRONG_TYPE,
    ConditionCode.NOT_A_NUMBER,
    ConditionCode.NONSENSE,
    ConditionCode.OVERRUN,
    ConditionCode.FAILED_OVER,
    ConditionCode.CLOCK_WRONG,
    ConditionCode.READINGS_REJECTED,
    ConditionCode.DISK_FULL,
    ConditionCode.DISK_READ_ONLY,
    ConditionCode.BUFFER_FULL,
    ConditionCode.BUFFER_DAMAGED,
    ConditionCode.THINNED_EARLY,
    ConditionCode.SITE_UNREACHABLE,
    ConditionCode.SITE_REFUSES,
    ConditionCode.STANDBY_ALONE,
    ConditionCode.FAILED,
)
_BIT: Final = {code: bit for bit, code in enumerate(CONDITION_BITS)}
_ANOTHER_BIT: Final = 31
# A shelved or suppressed alarm is out of the operator's sight on purpose: it counts nowhere.
_HIDDEN: Final = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
_UNACKNOWLEDGED: Final = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)


class MapRow(NamedTuple):
    """table: `input` or `discrete`. address: from zero, as in the protocol; number: from one, as in manuals.
    name: unique; an asset's or alarm's id and what of it."""

    table: str
    address: int
    number: str
    type: str
    name: str
    meaning: str


class Image(NamedTuple):
    """Input registers and discrete inputs from address 0 on; unused ones are 0."""

    registers: NDArray[np.uint16]
    inputs: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Counts:
    """active, unacknowledged: alarms, by priority from ADVISORY to CRITICAL."""

    active: Sequence[int]
    unacknowledged: Sequence[int]

    @property
    def highest(self) -> int:
        """1 to 5 as in PRIORITIES, 0 for none."""
        return max((rank for rank, count in enumerate(self.active, start=1) if count), default=0)


def is_active(alarm: Alarm) -> bool:
    return alarm.status.active and alarm.status.state not in _HIDDEN


def _count(alarms: Iterable[Alarm]) -> _Counts:
    active, unacknowledged = [0] * len(PRIORITIES), [0] * len(PRIORITIES)
    for alarm in alarms:
        at = _RANK[alarm.rule.priority] - 1
        active[at] += is_active(alarm)
        unacknowledged[at] += alarm.status.state in _UNACKNOWLEDGED
    return _Counts(active, unacknowledged)


@dataclass(frozen=True, slots=True)
class _Now:
    status: GatewayStatus
    counts: _Counts
    site_away: bool
    heartbeat: int
    checksum: int
    assets: int
    alarms: int


@dataclass(frozen=True, slots=True)
class _Field:
    """One register of the gateway's own block, or two (uint32, the more significant word first)."""

    address: int
    name: str
    meaning: str
    value: Callable[[_Now], float]
    type: str = "uint16"


def _codes(names: Iterable[str], first: int = 0) -> str:
    return ", ".join(f"{code} {name}" for code, name in enumerate(names, first))


def _buffer_percent(now: _Now) -> float:
    buffer = now.status.buffer
    return 100 * (buffer.raw_bytes + buffer.outbox_bytes) / max(1, buffer.budget_bytes)


def _condition_bits(now: _Now) -> int:
    bits = 0
    for condition in now.status.conditions:
        bits |= 1 << _BIT.get(condition.code, _ANOTHER_BIT)
    return bits


def _connected_sources(now: _Now) -> int:
    return sum(source.state is SourceState.CONNECTED for source in now.status.sources)


def _by_priority() -> Iterable[_Field]:
    for at, priority in enumerate(PRIORITIES):
        yield _Field(7 + at, f"active {priority}", "alarms", partial(_active, at))
    for at, priority in enumerate(PRIORITIES):
        yield _Field(12 + at, f"unacknowledged {priority}", "alarms", partial(_unacknowledged, at))


def _active(at: int, now: _Now) -> int:
    return now.counts.active[at]


def _unacknowledged(at: int, now: _Now) -> int:
    return now.counts.unacknowledged[at]


FIELDS: Final = (
    _Field(0, "version", f"of this layout: {VERSION}", lambda now: VERSION),
    _Field(1, "checksum", "changes when assets or alarms come or go: read the map anew", lambda now: now.checksum),
    _Field(2, "heartbeat", "counts seconds, 0 to 65535 and on; it stands still when the gateway hangs",
           lambda now: now.heartbeat),
    _Field(3, "site away", "1: the site does not answer, alarms go on here", lambda now: now.site_away),
    _Field(4, "role", _codes(_ROLES), lambda now: _ROLES.index(now.status.role)),
    _Field(5, "active alarms", "all priorities", lambda now: sum(now.counts.active)),
    _Field(6, "unacknowledged alarms", "all priorities", lambda now: sum(now.counts.unacknowledged)),
    *_by_priority(),
    _Field(17, "highest priority", f"of the active alarms: 0 none, {_codes(PRIORITIES, 1)}",
           lambda now: now.counts.highest),
    _Field(18, "buffer percent", "used of the disk budget", _buffer_percent),
    _Field(19, "conditions", "bit 0 is the least significant: " + _codes(CONDITION_BITS) + f"; {_ANOTHER_BIT} another",
           _condition_bits, "uint32"),
    _Field(21, "sources", "configured", lambda now: len(now.status.sources)),
    _Field(22, "sources connected", "of them", _connected_sources),
    _Field(23, "silent signals", "nothing was heard of them for longer than is usual",
           lambda now: len(now.status.silent)),
    _Field(24, "site", _codes(_SITES), lambda now: _SITES.index(now.status.uplink.state)),
    _Field(25, "live lag", "seconds, of the data on its way to the site", lambda now: now.status.uplink.live_lag_s),
    _Field(26, "time", "the gateway's clock, seconds since 1970 UTC", lambda now: now.status.at // SECOND, "uint32"),
    _Field(28, "assets", "in this map", lambda now: now.assets),
    _Field(29, "alarms", "in this map", lambda now: now.alarms),
)  # fmt: skip
INPUTS: Final = (
    ("site away", "the site does not answer"),
    ("any active", "an alarm is active"),
    ("any unacknowledged", "an alarm waits for acknowledgement"),
    ("any condition", "something is wrong with the gateway or one of its sources"),
)
_OF_ASSET: Final = (
    ("highest priority", f"of its active alarms: 0 none, {_codes(PRIORITIES, 1)}"),
    ("active alarms", ""),
    ("unacknowledged alarms", ""),
)


def map_rows(board: StatusBoard) -> Sequence[MapRow]:
    """The whole map of the plant as it is now, in the order of addresses. Raises ConfigurationError when it does not
    fit into Modbus' addresses."""
    assets, alarms = _assets(board), _alarms(board)
    rows = [_row("input", field.address, field.type, field.name, field.meaning) for field in FIELDS]
    for at, asset in enumerate(assets):
        for offset, (name, meaning) in enumerate(_OF_ASSET):
            address = ASSETS_FROM + at * ASSET_REGISTERS + offset
            rows.append(_row("input", address, "uint16", f"{asset} {name}", meaning))
    meaning = f"state: {_codes(STATES)}"
    rows += [
        _row("input", ALARMS_FROM + at, "uint16", f"{alarm.id} state", f"{alarm.rule.title}; {meaning}")
        for at, alarm in enumerate(alarms)
    ]
    rows += [_row("discrete", at, "bool", f"{name} input", meaning) for at, (name, meaning) in enumerate(INPUTS)]
    rows += [
        _row("discrete", ALARM_INPUTS_FROM + at, "bool", f"{alarm.id} active", alarm.rule.title)
        for at, alarm in enumerate(alarms)
    ]
    return rows


def _row(table: str, address: int, kind: str, name: str, meaning: str) -> MapRow:
    digits = 4 if address < 9_999 else 5
    return MapRow(table, address, f"{'3' if table == 'input' else '1'}{address + 1:0{digits}d}", kind, name, meaning)


def csv_text(rows: Iterable[MapRow]) -> str:
    """As a register map that spreadsheets, SCADA imports and Forewarn's own Modbus connector read."""
    lines = ["name,address,type,description"]
    for row in rows:
        name, meaning = (text.replace('"', '""') for text in (row.name.replace(":", "."), row.meaning))
        lines.append(f'"{name}",{row.number},{row.type},"{" ".join(meaning.split())}"')
    return "\n".join(lines) + "\n"


def _assets(board: StatusBoard) -> list[str]:
    assets = sorted(asset.id for asset in board.assets())
    if len(assets) > MOST_ASSETS:
        raise ConfigurationError(
            f"{len(assets):,} assets do not fit into the Modbus status map; most is {MOST_ASSETS:,}"
        )
    return assets


def _alarms(board: StatusBoard) -> list[Alarm]:
    alarms = sorted(board.alarms(), key=lambda alarm: alarm.id)
    if len(alarms) > MOST_ALARMS:
        raise ConfigurationError(
            f"{len(alarms):,} alarms do not fit into the Modbus status map; most is {MOST_ALARMS:,}"
        )
    return alarms


def image_of(board: StatusBoard, heartbeat: int) -> Image:
    """The map's contents now. heartbeat: seconds, any whole number. Raises ConfigurationError as map_rows."""
    assets, alarms = _assets(board), _alarms(board)
    status, counts = board.status(), _count(alarms)
    names = "\n".join([*assets, "", *(alarm.id for alarm in alarms)])
    checksum = zlib.crc32(names.encode()) & 0xFFFF
    now = _Now(status, counts, board.site_away, heartbeat & 0xFFFF, checksum, len(assets), len(alarms))
    registers = np.zeros(ALARMS_FROM + len(alarms), np.uint16)
    for field in FIELDS:
        if field.type == "uint32":
            whole = int(field.value(now)) & 0xFFFF_FFFF
            registers[field.address : field.address + 2] = whole >> 16, whole & 0xFFFF
        else:
            registers[field.address] = _bounded(field.value(now))
    _put_assets(registers, assets, alarms)
    registers[ALARMS_FROM:] = [_STATE_CODE[alarm.status.state] for alarm in alarms]
    inputs = np.zeros(ALARM_INPUTS_FROM + len(alarms), np.bool_)
    inputs[: len(INPUTS)] = (
        board.site_away, any(counts.active), any(counts.unacknowledged), bool(status.conditions)
    )  # fmt: skip
    inputs[ALARM_INPUTS_FROM:] = [is_active(alarm) for alarm in alarms]
    return Image(registers, inputs)


def _bounded(value: float) -> int:
    return min(max(int(value), 0), 0xFFFF)


def _put_assets(registers: NDArray[np.uint16], assets: Sequence[str], alarms: Iterable[Alarm]) -> None:
    of: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        of.setdefault(alarm.rule.asset_id, []).append(alarm)
    for at, asset in enumerate(assets):
        if asset in of:
            counts = _count(of[asset])
            first = ASSETS_FROM + at * ASSET_REGISTERS
            totals = counts.highest, sum(counts.active), sum(counts.unacknowledged)
            registers[first : first + len(totals)] = totals
