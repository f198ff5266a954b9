"""The Modbus status map, read by masters of other makers: mbpoll, libmodbus, and what is not ours to promise."""

import asyncio
import csv
import io
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from forewarn.contracts.alarm_store import Alarm
from forewarn.contracts.output import OutputRequest
from forewarn.domain.alarms import AlarmRule, AlarmState, AlarmStatus, Condition, Priority
from forewarn.domain.assets import Asset
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.gateways import (
    BufferStatus,
    GatewayRole,
    GatewayStatus,
    LedgerSums,
    SiteState,
    UplinkStatus,
)
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.plugins.connectors.modbus import CONNECTOR
from forewarn.plugins.outputs.modbus_status import OUTPUT, csv_text, map_rows
from forewarn.plugins.outputs.modbus_status.status_map import (
    ALARM_INPUTS_FROM,
    ALARMS_FROM,
    ASSETS_FROM,
    CONDITION_BITS,
    FIELDS,
    INPUTS,
    MOST_ASSETS,
    PRIORITIES,
    STATES,
    image_of,
)
from tests.peers.libmodbus import LibmodbusMaster, mbpoll
from tests.peers.processes import free_port
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

NOW = 1_760_000_000_000_000
NORMAL = AlarmStatus()
ACTIVE = AlarmStatus(AlarmState.UNACKNOWLEDGED, active=True)


def asset(name: str) -> Asset:
    return Asset(name, name, ("a", "b", "c", "d"))


def alarm(of: str, rule: str, priority: Priority, status: AlarmStatus = NORMAL) -> Alarm:
    about = AlarmRule(of, rule, 1, f"{of}.s", Condition.ABOVE, 1.0, priority, f"{rule} of {of}")
    return Alarm(f"{of}/{rule}", about, status)


class Board:
    """A StatusBoard whose contents the test sets."""

    def __init__(self, assets: Sequence[Asset], alarms: Sequence[Alarm]) -> None:
        self.site_away = False
        self._assets, self._alarms = list(assets), list(alarms)
        self._number = 0
        self._news = asyncio.Event()
        self.now = GatewayStatus(
            "gw",
            "1",
            NOW,
            NOW,
            GatewayRole.ALONE,
            UplinkStatus(SiteState.CONNECTED, NOW, live_lag_s=3.7),
            BufferStatus(1000, 300, 120, 5000),
            LedgerSums(),
            sources=tuple(
                SourceStatus(name, "modbus", state, NOW)
                for name, state in (("a", SourceState.CONNECTED), ("b", SourceState.RECONNECTING))
            ),
            silent=("x.s",),
        )

    def tell(self, key: str, status: AlarmStatus) -> None:
        self._alarms = [replace(each, status=status) if each.id == key else each for each in self._alarms]
        self._number += 1
        self._news.set()

    async def changed(self, after: int, timeout_s: float) -> int:
        if self._number <= after:
            self._news.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                return after
        return self._number

    def happenings(self, after: int):
        return ()

    def alarms(self):
        return self._alarms

    def assets(self):
        return self._assets

    def signals(self):
        return ()

    def latest(self):
        raise NotImplementedError

    def status(self):
        return self.now


def plant() -> Board:
    return Board(
        [asset("pump"), asset("fan")],
        [
            alarm("pump", "hot", Priority.HIGH),
            alarm("pump", "loud", Priority.LOW, ACTIVE),
            alarm("fan", "stuck", Priority.CRITICAL, replace(ACTIVE, state=AlarmState.SHELVED)),
            alarm("fan", "hot", Priority.MEDIUM, AlarmStatus(AlarmState.RETURNED)),
        ],
    )


@asynccontextmanager
async def served(board: Board, **settings: object) -> AsyncIterator[int]:
    port = free_port()
    request = OutputRequest("scada", "gw", OUTPUT.settings.model_validate({"port": port, "update_s": 0.1, **settings}))
    task = asyncio.create_task(OUTPUT.run(request, board))
    try:
        for _ in range(100):
            await asyncio.sleep(0.02)
            if task.done():
                task.result()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            writer.close()
            break
        yield port
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def address_of(board: Board, name: str) -> int:
    return next(row.address for row in map_rows(board) if row.name == name)


async def test_mbpoll_reads_the_gateways_block():
    board = plant()
    async with served(board) as port:
        read = await asyncio.to_thread(mbpoll, port, "-t", "3", "-r", "0", "-c", "30")
    by_name = {field.name: read[field.address] for field in FIELDS}
    expected = {
        "version": "1",
        "site away": "0",
        "role": "0",
        "active alarms": "1",
        "unacknowledged alarms": "2",
        "active low": "1",
        "active high": "0",
        "unacknowledged medium": "1",
        "highest priority": "2",
        "buffer percent": "42",
        "sources": "2",
        "sources connected": "1",
        "silent signals": "1",
        "site": "2",
        "live lag": "3",
        "assets": "2",
        "alarms": "4",
    }
    assert {name: by_name[name] for name in expected} == expected


async def test_libmodbus_reads_assets_and_alarms_in_the_maps_order():
    board = plant()
    async with served(board) as port:
        master = await asyncio.to_thread(LibmodbusMaster, port)
        assets = await asyncio.to_thread(master.input_registers, ASSETS_FROM, 8)
        states = await asyncio.to_thread(master.input_registers, ALARMS_FROM, 4)
        active = await asyncio.to_thread(master.discrete_inputs, ALARM_INPUTS_FROM, 4)
        first = await asyncio.to_thread(master.discrete_inputs, 0, 4)
        some = await asyncio.to_thread(master.discrete_inputs, ALARM_INPUTS_FROM + 3, 1)
        master.close()
    assert assets == [0, 0, 1, 0, 2, 1, 1, 0]  # fan: a returned one waits; pump: low
    assert states == [3, 4, 0, 1]  # fan/hot, fan/stuck, pump/hot, pump/loud
    assert active == [0, 0, 0, 1]
    assert some == [1]
    assert first == [0, 1, 1, 0]


async def test_a_change_is_seen_and_the_heartbeat_counts():
    board = plant()
    async with served(board) as port:
        master = await asyncio.to_thread(LibmodbusMaster, port)
        hot = address_of(board, "pump/hot state")
        assert await asyncio.to_thread(master.input_registers, hot, 1) == [0]
        board.tell("pump/hot", ACTIVE)
        board.site_away = True
        board.now = replace(
            board.now, conditions=(GatewayCondition(ConditionCode.SITE_UNREACHABLE, "", NOW, NOW, "gone"),)
        )
        for _ in range(100):
            now = await asyncio.to_thread(master.input_registers, 0, 30)
            if now[3] and now[2]:
                break
            await asyncio.sleep(0.05)
        assert now[3] == 1
        assert now[2] >= 1  # seconds since it began to serve
        assert now[17] == PRIORITIES.index(Priority.HIGH) + 1
        assert now[19] << 16 | now[20] == 1 << CONDITION_BITS.index(ConditionCode.SITE_UNREACHABLE)
        assert await asyncio.to_thread(master.input_registers, hot, 1) == [1]
        assert await asyncio.to_thread(master.discrete_inputs, 0, 4) == [1, 1, 1, 1]
        master.close()


async def test_nothing_can_be_written_and_what_is_not_there_is_refused():
    board = plant()
    async with served(board) as port:
        master = await asyncio.to_thread(LibmodbusMaster, port)
        for write in (master.write_register, master.write_coil):
            with pytest.raises(RuntimeError, match="Illegal"):
                await asyncio.to_thread(write, 0, 1)
        with pytest.raises(RuntimeError, match="Illegal data address"):
            await asyncio.to_thread(master.input_registers, ALARMS_FROM + 4, 1)
        with pytest.raises(RuntimeError, match="Illegal data address"):
            await asyncio.to_thread(master.discrete_inputs, 60_000, 1)
        assert (await asyncio.to_thread(master.input_registers, 0, 1)) == [1]
        master.close()
        with pytest.raises(RuntimeError, match="Illegal"):
            await asyncio.to_thread(mbpoll, port, "-t", "4", "-r", "0")


async def test_forewarns_own_connector_reads_the_exported_map(tmp_path):
    board = plant()
    path = tmp_path / "gateway.csv"
    path.write_text(csv_text(map_rows(board)))
    async with served(board) as port:
        settings = {"host": "127.0.0.1", "port": port, "map": str(path), "poll_interval_s": 0.05}
        signals = signals_at("pump/loud active", "pump/loud state", "conditions", "time", "pump highest priority")
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: bool(sink.values(5)), "values", task)
    assert [sink.values(key)[0] for key in range(1, 6)] == [1.0, 1.0, 0.0, NOW // 1_000_000, 2.0]


def test_the_map_stays_the_same_whatever_order_the_board_has():
    board, other = plant(), plant()
    other._alarms.reverse()
    other._assets.reverse()
    assert map_rows(board) == map_rows(other)
    assert image_of(board, 0).registers.tolist() == image_of(other, 0).registers.tolist()
    other.tell("pump/hot", ACTIVE)
    checksum = image_of(board, 0).registers[1]
    assert image_of(other, 0).registers[1] == checksum
    other._alarms.append(alarm("pump", "new", Priority.LOW))
    assert image_of(other, 0).registers[1] != checksum


def test_rows_name_every_address_once_and_say_it_both_ways():
    rows = map_rows(plant())
    assert len({(row.table, row.address) for row in rows}) == len({row.name for row in rows}) == len(rows)
    numbers = {row.name: row.number for row in rows}
    assert numbers["version"] == "30001"
    assert numbers["fan highest priority"] == "30101"
    assert numbers["fan/hot state"] == "310001"
    assert numbers["fan/hot active"] == "10101"
    cells = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert [cell["name"] for cell in cells] == [row.name for row in rows]


def test_every_condition_state_priority_and_role_has_a_code():
    assert set(CONDITION_BITS) == set(ConditionCode)
    assert len(CONDITION_BITS) <= 31
    assert set(STATES) == set(AlarmState)
    assert set(PRIORITIES) == set(Priority)
    board = plant()
    for role in GatewayRole:
        for site in SiteState:
            board.now = replace(board.now, role=role, uplink=replace(board.now.uplink, state=site))
            image_of(board, 70_000)


def test_more_than_fits_is_refused_with_the_number():
    board = Board([asset(f"a{n}") for n in range(MOST_ASSETS + 1)], [])
    with pytest.raises(ConfigurationError, match=f"most is {MOST_ASSETS:,}"):
        map_rows(board)


async def test_a_taken_port_is_told_and_no_socket_is_left():
    board = plant()
    before = set(psutil.Process().net_connections())
    async with served(board) as port:
        request = OutputRequest("scada", "gw", OUTPUT.settings.model_validate({"port": port}))
        with pytest.raises(SourceUnreachable, match=f"cannot listen on 127.0.0.1:{port}: is the port taken"):
            await asyncio.wait_for(OUTPUT.run(request, board), 60)
        master = await asyncio.to_thread(LibmodbusMaster, port)
    await asyncio.sleep(0.05)
    ours = [c for c in psutil.Process().net_connections() if c.laddr and c.laddr.port == port]
    master.close()
    assert ours == []
    assert set(psutil.Process().net_connections()) <= before


def test_the_readme_draws_the_map_as_it_is():
    spec = find_spec(OUTPUT.__module__)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    lines = (folder / "README.md").read_text().splitlines()
    for field in FIELDS:
        at = f"{field.address}-{field.address + 1}" if field.type == "uint32" else str(field.address)
        assert f"| {at} | {field.name} | {field.meaning} |" in lines
    for at, (name, meaning) in enumerate(INPUTS):
        assert f"| {at} | {name} | {meaning} |" in lines


def test_its_sample_is_accepted_and_shows_every_setting():
    spec = find_spec(OUTPUT.__module__)
    assert spec is not None
    assert spec.origin is not None
    table = tomllib.loads((Path(spec.origin).parent / "sample.toml").read_text())["gateway"]["output"][0]
    assert table["output"] == OUTPUT.name
    assert set(OUTPUT.settings.model_validate(table["settings"]).model_dump()) == set(table["settings"])


async def test_garbage_from_one_master_disturbs_no_other():
    board = plant()
    async with served(board) as port:
        master = await asyncio.to_thread(LibmodbusMaster, port)
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 400, b"\x00\x01\x00\x00\x00\x06\x01\x2b\x0e\x01\x00\x00"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(garbage)
            await writer.drain()
            await asyncio.sleep(0.02)
            assert await asyncio.to_thread(master.input_registers, 0, 1) == [1]
            writer.close()
        master.close()
