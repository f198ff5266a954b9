"""Two partners without a site agree by a real MQTT broker, whatever their clocks say."""

import asyncio
import time
from pathlib import Path

import pytest

from forewarn.domain.gateways import GatewayRole
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.partner import Origins
from forewarn.gateway.standby import Standby
from forewarn.kit.clock import HOUR, keep_time_by, now_us, wall_us
from forewarn.plugins.lease_brokers.mqtt import MqttLeases
from forewarn.plugins.mqtt_link.settings import BrokerSettings
from forewarn.policies.gateway_settings import StandbySettings
from tests.peers.processes import Peer, free_port, mosquitto

SECONDS = 1.5


def partner(folder: Path, name: str, port: int) -> tuple[Standby, SqliteOutbox]:
    outbox = SqliteOutbox(folder / name)
    leases = MqttLeases(BrokerSettings(host="127.0.0.1", port=port), "line-1", name)
    settings = StandbySettings("line-1", SECONDS)
    return Standby(settings, name, outbox, None, leases, Origins.of([], []), Conditions("", now_us)), outbox


async def until(holds, limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def roles(*partners: Standby) -> list[GatewayRole]:
    return [each.role[0] for each in partners]


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("ahead_us", [0, HOUR, -HOUR])
async def test_one_collects_and_the_other_takes_over_when_it_is_gone(tmp_path: Path, ahead_us: int) -> None:
    port = free_port()
    broker: Peer = mosquitto(tmp_path / "broker", port)
    with broker:
        one, one_outbox = partner(tmp_path, "a", port)
        other, other_outbox = partner(tmp_path, "b", port)
        first = asyncio.create_task(one.run())
        second: asyncio.Task[None] | None = None
        try:
            await until(lambda: roles(one) == [GatewayRole.ACTIVE])
            keep_time_by(lambda: wall_us() + ahead_us)  # from here on the clocks of what is told and read are apart
            second = asyncio.create_task(other.run())
            for _ in range(30):  # several leases long: it changes hands for no clock
                await asyncio.sleep(0.1)
                assert roles(one, other) == [GatewayRole.ACTIVE, GatewayRole.STANDBY]
            await end(first)
            await until(lambda: roles(other) == [GatewayRole.ACTIVE])
        finally:
            keep_time_by(wall_us)
            for task in (first, second):
                if task is not None:
                    await end(task)
            one_outbox.close()
            other_outbox.close()
