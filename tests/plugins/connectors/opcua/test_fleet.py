"""Nodes over several sessions, and the look around."""

import asyncio

import pytest
from asyncua.client.client import Client

from forewarn.contracts.browser import Browser
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua import CONNECTOR
from forewarn.plugins.connectors.opcua.subscription import Subscription
from tests.peers.processes import free_port, node_peer
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

BULK = 60


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    words = ("items=7", f"bulk={BULK}", "every=200")
    with node_peer("opcua_server.js", str(folder), *words, port=free_port()) as peer:
        yield peer


def settings_for(peer, **more):
    return {
        "url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn",
        "publishing_interval_ms": 50,
        "keepalive_s": 0.5,
        **more,
    }


def bulk() -> list:
    return signals_at(*(f"ns=1;s=bulk.{i}" for i in range(BULK)))


async def sessions_of(peer) -> int:
    """How many sessions the server has, ours to ask apart."""
    async with Client(f"opc.tcp://127.0.0.1:{peer.port}/forewarn") as client:
        return await client.get_node("ns=0;i=2277").read_value() - 1  # CurrentSessionCount


async def all_flow(sink: RecordingSink, task: asyncio.Task) -> None:
    before = {key: len(sink.values(key)) for key in range(1, BULK + 1)}
    await eventually(lambda: all(len(sink.values(key)) > n + 2 for key, n in before.items()), "all nodes", task)


@pytest.mark.parametrize(
    ("given", "sessions"),
    [({"sessions": 3}, 3), ({"items_per_session": 25}, 3), ({"items_per_session": 1}, 8), ({}, 1)],
)
async def test_nodes_are_spread_and_calls_kept_within_the_servers_limit(plant, given, sessions):
    """The server takes 7 items a call at the most: more would be BadTooManyOperations."""
    sink, before = RecordingSink(), await sessions_of(plant)
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(plant, **given), bulk()), sink) as task:
        await all_flow(sink, task)
        assert await sessions_of(plant) == before + sessions
    assert sink.connects >= 1
    assert await sessions_of(plant) == before


async def test_a_session_that_breaks_comes_back_and_the_others_go_on(plant, monkeypatch):
    """One session's connection is cut from below, as by a firewall; the source is not lost."""
    made = []
    create = Subscription.create.__func__

    async def remember(cls, client, *rest):
        made.append(client)
        return await create(cls, client, *rest)

    monkeypatch.setattr(Subscription, "create", classmethod(remember))
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(plant, sessions=3), bulk()), sink) as task:
        await all_flow(sink, task)
        made[1].uaclient.protocol.transport.abort()
        await eventually(lambda: any("one of 3 sessions" in text for _, text in sink.notes), "it is told", task)
        await all_flow(sink, task)
        assert len(made) == 4
    assert not any(quality >> 31 for *_, quality in sink.rows), "it came back at once: no gap is shown"


async def test_a_session_that_is_behind_gives_half_of_its_nodes_away(plant, monkeypatch):
    behind, before = {"now": True}, await sessions_of(plant)
    monkeypatch.setattr(Subscription, "is_behind", property(lambda self: behind["now"]))
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(plant, most_sessions=2), bulk()), sink) as task:
        await eventually(lambda: any("over 2 sessions" in text for _, text in sink.notes), "a split", task)
        behind["now"] = False
        await all_flow(sink, task)
        assert await sessions_of(plant) == before + 2
        seen = len(sink.rows)
        await all_flow(sink, task)
    readings = [row[:2] for row in sink.rows[seen:]]
    assert len(readings) == len(set(readings)), "a node is in both"


async def browse(peer, match, most) -> list:
    settings = CONNECTOR.settings.model_validate(settings_for(peer))
    return [point async for point in CONNECTOR.browse(settings, match, most)]


async def test_the_look_around(plant):
    assert isinstance(CONNECTOR, Browser)
    found = {point.path: point for point in await browse(plant, ["Plant/*"], 1_000)}
    ramp = found["Plant/ramp"]
    assert (ramp.address, ramp.kind, ramp.unit) == ("ns=1;s=pump.ramp", "Double", "°C")
    assert ramp.description == "goes up by one"
    assert float(ramp.value) >= 0
    assert found["Plant/array"].kind == "Double array"
    assert found["Plant/sick"].value == "BadSensorFailure"
    assert len([path for path in found if path.startswith("Plant/bulk.")]) == BULK
    assert not any("EURange" in path for path in found), "properties are no points"
    # What it names can be collected.
    assert parse_all(found)


def parse_all(found) -> bool:
    addresses = [point.address for point in found.values()]
    request = request_for(CONNECTOR, {"url": "opc.tcp://h:1"}, signals_at(*addresses))
    return len(request.signals) == len(addresses)


async def test_the_look_around_is_filtered_and_bounded(plant):
    before = await sessions_of(plant)
    assert [point.path for point in await browse(plant, ["*/bulk.1?", "ns=1;s=pump.speed"], 100)] == [
        "Plant/speed",
        *(f"Plant/bulk.1{i}" for i in range(10)),
    ]
    assert len(await browse(plant, [], 5)) == 5
    assert await browse(plant, ["nothing like it"], 5) == []
    assert await sessions_of(plant) == before


async def test_nobody_there_to_look_at():
    settings = CONNECTOR.settings.model_validate({"url": f"opc.tcp://127.0.0.1:{free_port()}"})
    with pytest.raises(SourceUnreachable):
        [point async for point in CONNECTOR.browse(settings, [], 5)]
