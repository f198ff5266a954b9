"""The alarms as another maker's OPC UA client (node-opcua, a process of its own) reads them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from asyncua.client.client import Client
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from forewarn.contracts.output import OutputRequest
from forewarn.domain.alarms import AlarmState, AlarmStatus, Priority
from forewarn.domain.assets import Asset
from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.errors import SourceUnreachable
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, LedgerSums, SiteState, UplinkStatus
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.plugins.outputs.opcua_alarms import OUTPUT
from forewarn.plugins.outputs.opcua_alarms.picture import SEVERITY, alarm_values, is_acknowledged
from tests.peers.processes import HERE, find_program, free_port, node_peer
from tests.plugins.outputs.local_page.board import NOW, HandBoard, alarm

MILL = Asset("mill-3", "Mill 3", ("acme", "pune", "press-shop", "line-1"))
HOT = "ns=2;s=Forewarn/edge-1/acme/pune/press-shop/line-1/mill-3/hot"
STATE = "ns=2;s=Forewarn/edge-1/State"


def status(**more: object) -> GatewayStatus:
    uplink = UplinkStatus(SiteState.AWAY, NOW, backlog_readings=1234)
    source = SourceStatus("line", "opcua", SourceState.RECONNECTING, NOW, last_error="gone")
    gone = GatewayCondition(ConditionCode.UNREACHABLE, "line", NOW, NOW, "gone")
    buffer = BufferStatus(10**9, 5, 6, 7)
    told = GatewayStatus("edge-1", "1.0", NOW, NOW, GatewayRole.ALONE, uplink, buffer, LedgerSums(), (source,), (gone,))
    return replace(told, **more)


def board_of(*alarms) -> HandBoard:
    return HandBoard(status(), alarms or (hot(AlarmState.UNACKNOWLEDGED),), (MILL,))


def hot(state: AlarmState, **more: object):
    made = alarm("mill-3", "hot", Priority.HIGH, state)
    return replace(made, status=replace(made.status, **more)) if more else made


class Reader:
    """node-opcua's client."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, asked: object):
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        line = b"..."
        while line and not line.startswith(b"=> "):  # the library prints warnings in between
            line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        assert line, (await self._process.stderr.read()).decode()
        return json.loads(line.removeprefix(b"=> "))

    async def read(self, *nodes: str) -> list[object]:
        told = await self.ask(list(nodes))
        return [told[node] for node in nodes]

    async def until(self, node: str, value: object) -> None:
        for _ in range(600):
            if await self.read(node) == [value]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{node} never became {value!r}, it is {await self.read(node)}")


@asynccontextmanager
async def reading(port: int, security: str, folder: Path) -> AsyncIterator[Reader]:
    node_peer("opcua_reader.js", port=port)  # installs the packages
    url = f"opc.tcp://127.0.0.1:{port}/forewarn"
    process = await asyncio.create_subprocess_exec(
        find_program("node"),
        str(HERE / "opcua_reader.js"),
        *(url, security, str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        line = b"..."
        while line and line.strip() != b"READY":
            line = await asyncio.wait_for(process.stdout.readline(), 60)
        if not line:
            raise ConnectionError((await process.stderr.read()).decode())
        yield Reader(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def serving(board: HandBoard, port: int, **settings: object) -> AsyncIterator[asyncio.Task]:
    given = OUTPUT.settings.model_validate({"port": port, "update_s": 0.2, **settings})
    task = asyncio.create_task(OUTPUT.run(OutputRequest("scada", "edge-1", given), board))
    try:
        while not await listens(port):
            assert not task.done(), task.result()
            await asyncio.sleep(0.05)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_an_alarms_life_as_another_makers_client_sees_it(tmp_path):
    board, port = board_of(), free_port()
    async with serving(board, port), reading(port, "None", tmp_path) as reader:
        await reader.until(f"{HOT}/ActiveState/Id", True)
        names = ("ActiveState", "AckedState/Id", "Severity", "Message", "SourceName", "Retain", "Value")
        told = await reader.read(*(f"{HOT}/{name}" for name in names))
        assert told == ["Active", False, 700, "hot", "Mill 3", True, 11.234]
        assert await reader.read(f"{HOT}/Time") == ["2026-01-31T07:57:00.000Z"]
        board.show([hot(AlarmState.ACKNOWLEDGED, acknowledged_at=NOW)])
        await reader.until(f"{HOT}/AckedState/Id", True)
        assert await reader.read(f"{HOT}/ActiveState/Id", f"{HOT}/Time") == [True, "2026-01-31T08:00:00.000Z"]
        board.show([hot(AlarmState.SHELVED)])
        await reader.until(f"{HOT}/ShelvingState/CurrentState", "Timed Shelved")
        board.show([hot(AlarmState.NORMAL, active=False)])
        await reader.until(f"{HOT}/Retain", False)
        assert await reader.read(f"{HOT}/ActiveState/Id", f"{HOT}/ActiveState") == [False, "Inactive"]


async def test_the_gateways_own_state_and_the_way_to_it(tmp_path):
    board, port = board_of(), free_port()
    async with serving(board, port), reading(port, "None", tmp_path) as reader:
        await reader.until(f"{STATE}/SiteAway", True)
        names = ("Sources/line/State", "Sources/line/Conditions", "Uplink/BacklogReadings", "Ledger/AddsUp")
        told = await reader.read(*(f"{STATE}/{name}" for name in names))
        assert told == ["reconnecting", ["unreachable"], 1234, True]
        board.show(sources=(), uplink=UplinkStatus(SiteState.CONNECTED, NOW))
        await reader.until(f"{STATE}/SiteAway", False)
        below = await reader.ask({"browse": "ns=0;i=85"})
        assert "Forewarn" in [name for name, _ in below]
        assert ["line-1", "ns=2;s=Forewarn/edge-1/acme/pune/press-shop/line-1"] in await reader.ask(
            {"browse": "ns=2;s=Forewarn/edge-1/acme/pune/press-shop"}
        )


async def test_nobody_may_write(tmp_path):
    board, port = board_of(), free_port()
    async with serving(board, port), reading(port, "None", tmp_path) as reader:
        await reader.until(f"{HOT}/ActiveState/Id", True)
        assert await reader.ask({"write": f"{HOT}/ActiveState/Id"}) in ("BadUserAccessDenied", "BadNotWritable")
        assert await reader.read(f"{HOT}/ActiveState/Id") == [True]
        admin = Client(f"opc.tcp://127.0.0.1:{port}/forewarn")
        admin.set_user("admin")
        async with admin:
            with pytest.raises(Exception, match="Bad"):
                await admin.get_node(f"{HOT}/ActiveState/Id").write_value(False)


async def test_signed_and_encrypted(tmp_path):
    board, port = board_of(), free_port()
    secure = {"security": ["Basic256Sha256"], "certificate_folder": str(tmp_path / "own")}
    async with serving(board, port, **secure):
        async with reading(port, "Basic256Sha256", tmp_path / "client") as reader:
            await reader.until(f"{HOT}/ActiveState/Id", True)
        with pytest.raises(ConnectionError):
            async with reading(port, "None", tmp_path / "client"):
                pass
    assert (tmp_path / "own" / "alarms.pem").stat().st_mode & 0o077 == 0


async def test_a_client_that_is_not_trusted_stays_outside_until_it_is(tmp_path):
    board, port = board_of(), free_port()
    (tmp_path / "trusted").mkdir()
    secure = {
        "security": ["Basic256Sha256"],
        "certificate_folder": str(tmp_path / "own"),
        "trusted_certificates": str(tmp_path / "trusted"),
    }
    async with serving(board, port, **secure):
        with pytest.raises(ConnectionError):
            async with reading(port, "Basic256Sha256", tmp_path / "client"):
                pass
        [mine] = (tmp_path / "client" / "pki" / "own" / "certs").glob("*.pem")
        shown = x509.load_pem_x509_certificate(mine.read_bytes()).public_bytes(serialization.Encoding.DER)
        (tmp_path / "trusted" / "scada.der").write_bytes(shown)
        async with reading(port, "Basic256Sha256", tmp_path / "client") as reader:
            await reader.until(f"{HOT}/ActiveState/Id", True)


async def test_rules_that_go_and_come_and_a_plant_with_too_many(tmp_path):
    board, port = board_of(), free_port()
    cold = alarm("mill-3", "cold", Priority.LOW, AlarmState.NORMAL)
    cold = replace(cold, status=AlarmStatus())
    async with serving(board, port, all_up_to=1), reading(port, "None", tmp_path) as reader:
        await reader.until(f"{HOT}/ActiveState/Id", True)
        board.show([cold])
        await reader.until(f"{HOT}/ActiveState/Id", {"status": "BadNodeIdUnknown"})
        await reader.until(HOT.replace("hot", "cold") + "/AckedState/Id", True)
        board.show([cold, hot(AlarmState.RETURNED, active=False)])
        await reader.until(f"{HOT}/AckedState/Id", False)
        await reader.until(HOT.replace("hot", "cold") + "/AckedState/Id", {"status": "BadNodeIdUnknown"})


async def test_a_port_that_is_taken_is_told_and_left_alone(tmp_path):
    port = free_port()
    async with serving(board_of(), port):
        given = OUTPUT.settings.model_validate({"port": port})
        with pytest.raises(SourceUnreachable, match=f"{port}.*another port"):
            await OUTPUT.run(OutputRequest("second", "edge-1", given), board_of())
    assert not await listens(port)


def test_the_open_network_is_not_served_by_accident():
    with pytest.raises(ValidationError, match="open_to_all"):
        OUTPUT.settings.model_validate({"host": "0.0.0.0"})
    with pytest.raises(ValidationError, match="certificate_folder"):
        OUTPUT.settings.model_validate({"security": ["Basic256Sha256"]})
    OUTPUT.settings.model_validate({"host": "0.0.0.0", "open_to_all": True})


@pytest.mark.parametrize("state", list(AlarmState))
def test_every_state_has_its_picture(state):
    told = alarm_values(hot(state), MILL)
    assert told["Retain"].value == (state in ("unacknowledged", "acknowledged", "returned"))
    assert told["SuppressedState.Id"].value == (state == "suppressed")
    assert told["OutOfServiceState.Id"].value == (state == "out_of_service")
    assert told["ActiveState.Id"].value == (state != "returned")


def test_severity_follows_priority_and_acknowledgement_outlives_shelving():
    assert sorted(SEVERITY.values()) == [SEVERITY[priority] for priority in Priority]
    assert set(SEVERITY) == set(Priority)
    assert all(1 <= each <= 1000 for each in SEVERITY.values())
    assert is_acknowledged(AlarmStatus(AlarmState.SHELVED, active=True, acknowledged_at=NOW))
    assert not is_acknowledged(AlarmStatus(AlarmState.SHELVED, active=True))
