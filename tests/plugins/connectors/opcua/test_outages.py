"""A real server killed and started again, or frozen and thawed, under a gateway as it runs: it recovers alone."""

import asyncio

import pytest

from forewarn.domain.status import BAD_NO_COMMUNICATION
from tests.peers.processes import free_port, node_peer
from tests.plugins.connectors.opcua.gateway import Collecting, collecting
from tests.plugins.connectors.opcua.identities import make
from tests.plugins.connectors.recording import eventually

SPEED, STILL = "ns=1;s=pump.speed", "ns=1;s=pump.still"
OUTAGES = (
    5.0,
    pytest.param(60.0, marks=pytest.mark.slow),
    pytest.param(600.0, marks=(pytest.mark.nightly, pytest.mark.timeout(900))),
)


def settings_for(port: int, **more: object) -> dict[str, object]:
    fast = {"publishing_interval_ms": 50, "keepalive_s": 0.4, "timeout_s": 1.5}
    return {"url": f"opc.tcp://127.0.0.1:{port}/forewarn", **fast, **more}


async def told_as_lost(gateway: Collecting) -> None:
    await eventually(lambda: gateway.state == "reconnecting", "it is told as lost")

    def breaks(key: int) -> bool:
        return any(quality == BAD_NO_COMMUNICATION for *_, quality in gateway.stored.rows[key])

    await eventually(lambda: breaks(1) and breaks(2), "the line of a chart breaks there")


async def flows_again(gateway: Collecting, count: int) -> None:
    await eventually(lambda: len(gateway.stored.values(1)) > count + 10, "values again")
    await eventually(lambda: gateway.state == "connected" and gateway.conditions == {}, "all is well")
    times = gateway.stored.times(1)
    assert len(times) == len(set(times)), "a reading is there twice"


@pytest.mark.parametrize("outage_s", OUTAGES)
async def test_a_killed_server(tmp_path, outage_s):
    port = free_port()
    with node_peer("opcua_server.js", str(tmp_path / "pki"), port=port) as peer:
        async with collecting(tmp_path / "log", settings_for(port), [SPEED, STILL]) as gateway:
            await eventually(lambda: len(gateway.stored.values(1)) > 5, "values")
            peer.kill()
            await told_as_lost(gateway)
            await asyncio.sleep(outage_s)
            count = len(gateway.stored.values(1))
            peer.start()
            await flows_again(gateway, count)


@pytest.mark.parametrize("outage_s", OUTAGES)
async def test_a_frozen_server_over_a_secure_channel(tmp_path, outage_s):
    made = make(tmp_path, "server")
    secure = {
        "security": "Basic256Sha256",
        "certificate_folder": str(tmp_path / "own"),
        "server_certificate": str(made.certificate),
    }
    port = free_port()
    files = (f"certificate={made.certificate}", f"key={made.key}")
    with node_peer("opcua_server.js", str(tmp_path / "pki"), *files, port=port) as peer:
        async with collecting(tmp_path / "log", settings_for(port, **secure), [SPEED, STILL]) as gateway:
            await eventually(lambda: len(gateway.stored.values(1)) > 5, "values")
            peer.freeze()
            await told_as_lost(gateway)
            await asyncio.sleep(outage_s)
            count = len(gateway.stored.values(1))
            peer.thaw()
            await flows_again(gateway, count)
