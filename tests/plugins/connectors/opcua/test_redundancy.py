"""Two real servers with the same nodes: which one is used, and when it is left."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors.opcua import redundancy
from tests.peers.processes import Peer, free_port, node_peer
from tests.plugins.connectors.opcua.gateway import Collecting, collecting
from tests.plugins.connectors.recording import eventually

SPEED = "ns=1;s=pump.speed"
FAST = {"publishing_interval_ms": 50, "keepalive_s": 0.5, "timeout_s": 2.0}


@dataclass
class Pair:
    """Two servers, and the files that say how well they are."""

    peers: list[Peer]
    files: list[Path]

    @property
    def settings(self) -> dict[str, object]:
        return {"servers": [f"opc.tcp://127.0.0.1:{peer.port}/forewarn" for peer in self.peers], **FAST}

    def say(self, place: int, **state: object) -> None:
        self.files[place].write_text(json.dumps(state))


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    files = [folder / "a.json", folder / "b.json"]
    for file in files:
        file.write_text("{}")
    peers = [
        node_peer("opcua_server.js", str(folder / f"pki-{file.stem}"), f"control={file}", port=free_port())
        for file in files
    ]
    with peers[0], peers[1]:
        yield Pair(peers, files)


@pytest.fixture
def pair(servers: Pair) -> Pair:
    """Both run and are well, whatever the test before did to them."""
    for place, peer in enumerate(servers.peers):
        servers.say(place)
        if not peer.alive:
            peer.start()
    return servers


@asynccontextmanager
async def on_the_first(pair: Pair, folder: Path) -> AsyncIterator[Collecting]:
    async with collecting(folder / "log", pair.settings, [SPEED]) as gateway:
        await eventually(lambda: len(gateway.stored.values(1)) > 5, "values of the first server")
        assert ConditionCode.FAILED_OVER not in gateway.conditions
        yield gateway


async def taken_over(pair: Pair, gateway: Collecting, place: int) -> None:
    url = pair.settings["servers"][place]
    failed_over = ConditionCode.FAILED_OVER
    await eventually(
        lambda: gateway.conditions.get(failed_over, "").startswith(f"{url} is used instead"),
        f"{url} takes over",
    )
    count = len(gateway.stored.values(1))
    await eventually(lambda: len(gateway.stored.values(1)) > count + 5, "values of the other server")


async def test_a_killed_server_and_no_way_back_while_the_other_is_well(pair, tmp_path):
    async with on_the_first(pair, tmp_path) as gateway:
        pair.peers[0].kill()
        await taken_over(pair, gateway, 1)
        pair.peers[0].start()
        reconnects = gateway.runner.statuses()[0].reconnects
        await asyncio.sleep(2)
        assert gateway.runner.statuses()[0].reconnects == reconnects
        pair.peers[1].kill()
        await taken_over(pair, gateway, 0)


async def test_a_frozen_server(pair, tmp_path):
    async with on_the_first(pair, tmp_path) as gateway:
        pair.peers[0].freeze()
        try:
            await taken_over(pair, gateway, 1)
        finally:
            pair.peers[0].thaw()


@pytest.mark.parametrize("poor", [{"level": 100}, {"state": "Suspended"}])
async def test_a_server_that_says_it_is_not_well(pair, tmp_path, poor):
    async with on_the_first(pair, tmp_path) as gateway:
        pair.say(0, **poor)
        await taken_over(pair, gateway, 1)


async def test_the_better_of_two_poor_ones_is_kept_until_one_is_well(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(redundancy, "_LOOK_ELSEWHERE_S", 0.5)
    pair.say(0, level=50)
    pair.say(1, level=120)
    async with collecting(tmp_path / "log", pair.settings, [SPEED]) as gateway:
        await taken_over(pair, gateway, 1)
        reconnects = gateway.runner.statuses()[0].reconnects
        await asyncio.sleep(2)
        assert gateway.runner.statuses()[0].reconnects == reconnects, "it flaps"
        pair.say(0, level=255)
        url = pair.settings["servers"][0]
        await eventually(
            lambda: gateway.conditions[ConditionCode.FAILED_OVER].startswith(f"{url} is used"), "the well one"
        )


async def test_none_is_there(pair, tmp_path):
    for peer in pair.peers:
        peer.kill()
    async with collecting(tmp_path / "log", pair.settings, [SPEED]) as gateway:
        await eventually(lambda: ConditionCode.UNREACHABLE in gateway.conditions, "unreachable")
        text = gateway.conditions[ConditionCode.UNREACHABLE]
        assert all(url in text for url in pair.settings["servers"])
        pair.peers[1].start()
        await eventually(lambda: len(gateway.stored.values(1)) > 5, "values of the second server")
