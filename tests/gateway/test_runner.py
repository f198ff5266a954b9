"""The supervisor's rules: nobody waits for another, nothing is dropped, gaps are marked, numbers never repeat."""

import asyncio
import math
from dataclasses import replace

import numpy as np
import pytest

from forewarn.domain.assets import Limits
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import BatchLogFull, ConfigurationError, SourceUnreachable, StorageFailed
from forewarn.domain.sources import SourceState
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.gateway.runner import SourceRunner
from forewarn.gateway.sink import Absence, gateway_of
from forewarn.kit.retry import Backoff
from tests.gateway.scripted import MemoryDoor, ScriptedConnector, Started, signal, source
from tests.plugins.connectors.recording import eventually

QUICK = Backoff(first_s=0.01, cap_s=0.05)
FUTURE = 4_000_000_000_000_000


def runner_of(connector, door, sources, signals, last=lambda _: -1, **more) -> SourceRunner:
    return SourceRunner(sources, signals, {"scripted": connector}, door, last, backoff=QUICK, **more)


def state(runner: SourceRunner, name: str) -> SourceState:
    return next(status.state for status in runner.statuses() if status.name == name)


async def test_readings_are_numbered_on_from_the_log():
    door = MemoryDoor()
    connector = ScriptedConnector(a=[(1, 10, 1.0), (1, 20, 2.0)], b=[(2, 10, 3.0)])
    runner = runner_of(
        connector,
        door,
        [source("a"), source("b")],
        [signal(1, "a"), signal(2, "b")],
        {gateway_of("a"): 41, gateway_of("b"): -1}.__getitem__,
    )
    async with Started(runner):
        await eventually(lambda: sum(status.readings for status in runner.statuses()) == 3, "three batches")
        assert [(s.name, s.state, s.readings) for s in runner.statuses()] == [
            ("a", SourceState.CONNECTED, 2),
            ("b", SourceState.CONNECTED, 1),
        ]
    assert door.sequences("a") == [42, 43]
    assert door.sequences("b") == [0]
    assert {status.state for status in runner.statuses()} == {SourceState.STOPPED}
    assert sorted(connector.cancelled) == ["a", "b"]


async def test_a_lost_source_leaves_a_gap_and_comes_back():
    door = MemoryDoor()
    connector = ScriptedConnector(a=[(1, 10, 1.0), (2, FUTURE, 5.0), SourceUnreachable("cable cut"), (1, 90, 2.0)])
    runner = runner_of(connector, door, [source("a")], [signal(1, "a"), signal(2, "a")], clock=lambda: 50)
    async with Started(runner):
        await eventually(lambda: runner.statuses()[0].readings == 3 and len(door.rows(1)) == 3, "back again")
        status = runner.statuses()[0]
    assert (status.state, status.reconnects, status.readings, status.last_error) == (SourceState.CONNECTED, 1, 3, "")
    (_, before, _), (at, value, quality), (_, after, _) = door.rows(1)
    assert (before, after) == (1.0, 2.0)
    assert at == 50  # the moment of the loss
    assert math.isnan(value)
    assert quality == BAD_NO_COMMUNICATION
    assert door.rows(2)[1][0] == FUTURE + 1  # never before the last reading
    assert door.sequences("a") == [0, 1, 2, 3]


async def test_what_was_missed_before_the_start_is_marked_once_a_source():
    door = MemoryDoor()
    connector = ScriptedConnector(a=[(1, 90, 1.0), SourceUnreachable("cable cut"), (1, 95, 2.0)], b=[(4, 91, 1.0)])
    absence = Absence(40, np.array([1, 4, 9], np.int32))
    signals = [signal(1, "a"), signal(2, "a"), signal(4, "b")]
    runner = runner_of(connector, door, [source("a"), source("b")], signals, clock=lambda: 92, absence=absence)
    async with Started(runner):
        await eventually(lambda: len(door.rows(1)) == 4 and len(door.rows(4)) == 2, "all readings")
        await runner.update([source("a"), source("b", limit=5)], signals)
        await eventually(lambda: len(door.rows(4)) >= 2, "the changed source")
    assert [(at, quality) for at, _, quality in door.rows(1)] == [
        (40, BAD_NO_COMMUNICATION),
        (90, 0),
        (92, BAD_NO_COMMUNICATION),
        (95, 0),
    ]
    assert [at for at, _, _ in door.rows(4)][:2] == [40, 91]
    assert sum(at == 40 for at, _, _ in door.rows(4)) == 1
    assert all(at != 40 for at, _, _ in door.rows(2))  # was never heard: nothing is missing


async def test_a_source_that_never_connected_leaves_no_gap():
    door = MemoryDoor()
    connector = ScriptedConnector(a=[SourceUnreachable("nobody there")] * 5 + [(1, 10, 1.0)])
    async with Started(runner_of(connector, door, [source("a")], [signal(1, "a")])) as runner:
        await eventually(lambda: len(door.rows(1)) == 1, "connected at last")
        assert runner.statuses()[0].reconnects == 0
    assert len(connector.runs) == 6


async def test_the_log_says_what_to_do_about_a_lost_source(caplog):
    connector = ScriptedConnector(
        a=[SourceUnreachable("nobody there")], b=[SourceUnreachable("nobody there: check the cable of b")]
    )
    wanted = (
        "source a unreachable: nobody there. Check its power",
        "source b unreachable: nobody there: check the cable of b",
    )
    sources, signals = [source("a"), source("b")], [signal(1, "a"), signal(2, "b")]
    async with Started(runner_of(connector, MemoryDoor(), sources, signals)):
        await eventually(lambda: all(any(m.startswith(w) for m in caplog.messages) for w in wanted), "both are told")
    assert wanted[1] in caplog.messages  # it knows better


async def test_dead_and_buggy_sources_do_not_slow_the_living():
    class Stuck(ScriptedConnector):
        async def run(self, request, sink) -> None:
            if request.name == "stuck":
                await asyncio.Event().wait()
            await super().run(request, sink)

    door = MemoryDoor()
    connector = Stuck(
        alive=[(1, n, float(n)) for n in range(50)],
        dead=[SourceUnreachable("no route")] * 1000,
        buggy=[ZeroDivisionError("oops")] * 1000,
        quits=["return"] * 1000,
    )
    names = ["alive", "dead", "buggy", "quits", "stuck"]
    async with Started(runner_of(connector, door, [source(n) for n in names], [signal(1, "alive")])) as runner:
        await eventually(lambda: len(door.rows(1)) == 50, "the living one's readings")
        await eventually(lambda: connector.runs.count("buggy") > 2, "the buggy one is tried again")
        assert state(runner, "alive") is SourceState.CONNECTED
        assert state(runner, "dead") is SourceState.RECONNECTING
        assert state(runner, "stuck") is SourceState.STARTING
        errors = {status.name: status.last_error for status in runner.statuses()}
    assert errors["dead"] == "no route"
    assert errors["buggy"] == "connector scripted failed: ZeroDivisionError: oops"
    assert errors["quits"] == "the connector ended without an error"


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (source("a", limit="many"), "source 'a', settings of connector 'scripted': limit: "),
        (source("a", speed=3), "speed: Extra inputs are not permitted"),
        (source("a", "profibus"), "source 'a': no connector 'profibus' is installed; there are: scripted"),
    ],
)
async def test_wrong_settings_are_said_and_tried_again_when_they_change(config, text):
    door = MemoryDoor()
    connector = ScriptedConnector(a=[(1, 10, 1.0)])
    async with Started(runner_of(connector, door, [config], [signal(1, "a")])) as runner:
        await eventually(lambda: state(runner, "a") is SourceState.MISCONFIGURED, "misconfigured")
        assert text in runner.statuses()[0].last_error
        assert connector.runs == []
        await runner.update([source("a")], [signal(1, "a")])
        await eventually(lambda: len(door.rows(1)) == 1, "runs with right settings")
        assert state(runner, "a") is SourceState.CONNECTED


async def test_what_a_connector_calls_misconfigured_is_tried_again_seldom():
    """It may be a file beside ours: a certificate that was just being renewed when the link was lost."""
    door = MemoryDoor()
    connector = ScriptedConnector(a=[(1, 10, 1.0), ConfigurationError("no such file"), (1, 20, 2.0)])
    runner = runner_of(connector, door, [source("a")], [signal(1, "a")], misconfigured_again_s=1.5)
    async with Started(runner):
        await eventually(lambda: len(door.rows(1)) == 2, "the reading and the gap")
        await asyncio.sleep(0.2)
        assert state(runner, "a") is SourceState.MISCONFIGURED
        assert connector.runs == ["a"]
        await eventually(lambda: len(door.rows(1)) == 3, "mended")
        assert state(runner, "a") is SourceState.CONNECTED
        assert not runner.conditions()
    assert door.rows(1)[1][2] == BAD_NO_COMMUNICATION


async def test_what_is_misconfigured_is_tried_again_when_the_file_is_read_again():
    door = MemoryDoor()
    connector = ScriptedConnector(a=[ConfigurationError("no such file"), (1, 20, 2.0)])
    async with Started(runner_of(connector, door, [source("a")], [signal(1, "a")])) as runner:
        await eventually(lambda: state(runner, "a") is SourceState.MISCONFIGURED, "misconfigured")
        await runner.update([source("a")], [signal(1, "a")])
        await eventually(lambda: len(door.rows(1)) == 1, "runs again")


async def test_a_source_that_is_away_says_the_newest_reason_alone():
    door = MemoryDoor()
    expired = SourceUnreachable("expired", condition=ConditionCode.CERTIFICATE_EXPIRED)
    connector = ScriptedConnector(a=[SourceUnreachable("no route"), expired, ConfigurationError("no such file")])
    async with Started(runner_of(connector, door, [source("a")], [signal(1, "a")])) as runner:
        await eventually(lambda: state(runner, "a") is SourceState.MISCONFIGURED, "misconfigured")
        assert [held.code for held in runner.conditions()] == [ConditionCode.MISCONFIGURED]


async def test_update_restarts_only_what_changed():
    door = MemoryDoor()
    connector = ScriptedConnector()
    signals = [signal(1, "same"), signal(2, "settings"), signal(3, "signals"), signal(4, "gone")]
    names = ["same", "settings", "signals", "gone"]
    async with Started(runner_of(connector, door, [source(n) for n in names], signals)) as runner:
        await eventually(lambda: len(connector.runs) == 4, "all run")
        await runner.update(
            [source("same"), source("settings", limit=9), source("signals"), source("new")],
            [
                replace(signal(1, "same"), limits=Limits(high=4.0)),
                signal(2, "settings"),
                signal(3, "signals", "other"),
                signal(5, "new"),
            ],
        )
        await eventually(lambda: len(connector.runs) == 7, "the changed and the new run")
        assert sorted(connector.runs[4:]) == ["new", "settings", "signals"]
        assert sorted(connector.cancelled) == ["gone", "settings", "signals"]
        assert [status.name for status in runner.statuses()] == ["new", "same", "settings", "signals"]


async def test_a_full_log_and_a_refusing_disk_are_waited_out():
    door = MemoryDoor()
    door.refusals = [BatchLogFull("full", retry_after_s=0.01)] * 3
    door.failures = [StorageFailed("disk full")] * 2
    connector = ScriptedConnector(a=[(1, 10, 1.0), (1, 20, 2.0)])
    async with Started(runner_of(connector, door, [source("a")], [signal(1, "a")])):
        await eventually(lambda: len(door.batches) == 2, "both batches")
    assert door.tried == [(gateway_of("a"), 0)] * 6 + [(gateway_of("a"), 1)]
    assert [row[1] for row in door.rows(1)] == [1.0, 2.0]


async def test_a_number_in_flight_is_never_given_again():
    """Restarted while a batch is on its way to the disk: the log may store it, and drops repeats of its number."""
    door = MemoryDoor()
    door.hold = True
    connector = ScriptedConnector(a=[(1, 10, 1.0), (1, 20, 2.0)])
    async with Started(runner_of(connector, door, [source("a")], [signal(1, "a")])) as runner:
        await eventually(lambda: len(door.held) == 1, "in flight")
        await runner.update([source("a", limit=9)], [signal(1, "a")])
        door.hold = False
        await eventually(lambda: len(door.batches) == 2, "the next")
        assert not door.held[0].cancelled()  # the log's own future is left alone
    assert door.sequences("a") == [0, 1]


async def test_a_silent_source_is_stale_until_it_speaks():
    now = 0
    door = MemoryDoor()
    connector = ScriptedConnector(a=[(1, 10, 1.0)])
    runner = runner_of(connector, door, [source("a")], [signal(1, "a")], clock=lambda: now, stale_after_s=5)
    async with Started(runner):
        await eventually(lambda: state(runner, "a") is SourceState.CONNECTED, "connected")
        now = 5_000_001
        status = runner.statuses()[0]
        assert (status.state, status.state_since, status.last_reading_at) == (SourceState.STALE, 5_000_000, 0)


def test_backoff_grows_to_its_cap_and_never_past():
    backoff = Backoff(first_s=0.2, cap_s=5.0)
    assert [backoff.delay_s(n, 1.0) for n in (0, 1, 2)] == [0.2, 0.4, 0.8]
    assert backoff.delay_s(0, 0.0) == 0.1
    assert backoff.delay_s(10**9, 1.0) == 5.0
