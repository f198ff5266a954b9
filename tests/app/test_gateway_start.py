"""A gateway starts whatever its disk and its files are like, and takes a changed file over."""

import asyncio
import errno
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from forewarn.app.gateway.running import opened
from forewarn.app.gateway.wiring import Gateway, open_gateway
from forewarn.domain.assets import Plant
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.sink import gateway_of
from forewarn.kit.clock import keep_time_by, now_us, wall_us
from forewarn.policies.gateway_file import parse_gateway
from forewarn.policies.gateway_settings import GatewaySettings

FILE = """
[gateway]
name = "line-1"
directory = "{directory}"
disk_budget_mib = 64
detectors = []

[[source]]
name = "plc"
connector = "modbus"
settings = {{ host = "127.0.0.1", port = 1 }}

[[asset]]
id = "p1"
path = "acme/pune/water/line-1"

[asset.defaults]
source = "plc"

[asset.signals.flow]
kind = "flow"
unit = "m3/h"
address = "input:0:float32"

[gateway.thin]
hold_s = 0.1
"""
PUSH = """
[[source]]
name = "push"
connector = "webhook"
settings = { port = 0, hook = [{ path = "/h", time = "ts", values = { "v" = "{d}/level" } }] }

[[asset]]
id = "t1"
path = "acme/pune/water/line-2"

[asset.signals.level]
kind = "level"
unit = "m"
source = "push"
address = "t1/level"
"""


def read(directory: Path, more: str = "") -> tuple[GatewaySettings, Plant]:
    return parse_gateway(FILE.format(directory=directory) + more, "gateway.toml", lambda *a: (), lambda *a: ())


@pytest.fixture(autouse=True)
def _own_clock() -> Iterator[None]:
    yield
    keep_time_by(wall_us)


def put(gateway: Gateway, batches: int, first: int = 0) -> None:
    for i in range(first, first + batches):
        at = np.array([now_us() - 1_000_000 + i])
        batch = ReadingBatch(
            np.ones(1, np.int32), at, np.array([float(i)]), np.zeros(1, np.uint32), gateway_of("plc"), i
        )
        gateway.stores.log.append(batch).result(10)


def codes(gateway: Gateway) -> set[ConditionCode]:
    return {condition.code for condition in gateway.conditions.now()}


def adds_up(gateway: Gateway, read_: int) -> bool:
    sums = gateway.stores.outbox.sums()
    return sums.read == read_ == sums.kept + sums.thinned + sums.in_hand


def test_a_disk_that_refuses_at_the_start_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    def refuses(*about: object, **more: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            monkeypatch.undo()
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuses)
    with opened(*read(tmp_path / "gw"), again_s=0.01) as gateway:
        assert tries == 2
        put(gateway, 1)


async def test_a_file_read_again_may_bring_a_connector_that_was_not_there(tmp_path: Path) -> None:
    with open_gateway(*read(tmp_path / "gw")) as gateway:
        await gateway.take(read(tmp_path / "gw", PUSH)[1])
        assert {"modbus", "webhook"} <= set(gateway.connectors)
        assert {status.name for status in gateway.runner.statuses()} == {"plc", "push"}


def _until_thinned(gateway: Gateway, offset: int) -> None:
    deadline = time.monotonic() + 60
    while gateway.stores.outbox.offset < offset:
        assert time.monotonic() < deadline, "not thinned"
        time.sleep(0.05)


@pytest.mark.parametrize("kept", [0, 3])
def test_a_raw_log_that_ends_before_what_was_thinned_is_begun_anew(tmp_path: Path, kept: int) -> None:
    """A power loss on a disk that lies about its fsync, or a directory that was deleted or restored."""
    with open_gateway(*read(tmp_path)) as gateway:
        put(gateway, kept)
        _until_thinned(gateway, kept)
    saved = tmp_path / "saved"
    if kept:
        shutil.copytree(tmp_path / "raw", saved)
    with open_gateway(*read(tmp_path)) as gateway:
        put(gateway, 5, first=kept)
        _until_thinned(gateway, kept + 5)
    shutil.rmtree(tmp_path / "raw")
    if kept:
        saved.rename(tmp_path / "raw")
    with open_gateway(*read(tmp_path)) as gateway:
        assert ConditionCode.BUFFER_DAMAGED in codes(gateway)
        put(gateway, 2, first=50)
        _until_thinned(gateway, kept + 7)
        gateway.line.stop()
    with open_gateway(*read(tmp_path)) as gateway:
        assert adds_up(gateway, kept + 7)


def test_judge_and_score_that_stand_beyond_the_raw_log_go_back_to_its_end(tmp_path: Path) -> None:
    """The outbox was begun anew as well: what the log still has is thinned, and nothing is set aside."""
    with open_gateway(*read(tmp_path)) as gateway:
        put(gateway, 3)
        _until_thinned(gateway, 3)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as memory:
        memory.execute("UPDATE stage SET offset = 9")
        memory.commit()
    for name in ("outbox.db", "outbox.db-wal", "outbox.db-shm"):
        (tmp_path / "outbox" / name).unlink(missing_ok=True)
    with open_gateway(*read(tmp_path)) as gateway:
        _until_thinned(gateway, 3)
        put(gateway, 1, first=9)
        _until_thinned(gateway, 4)
        gateway.line.stop()
    with open_gateway(*read(tmp_path)) as gateway:
        assert adds_up(gateway, 4)


async def test_signals_that_leave_and_come_back_while_readings_flow_stop_nothing(tmp_path: Path) -> None:
    few, many = read(tmp_path), read(tmp_path, PUSH)
    with open_gateway(*many) as gateway:
        for turn, (_, plant) in enumerate((few, many, few)):
            at = np.array([now_us(), now_us()])
            both = np.array([1, 2], np.int32)
            rows = ReadingBatch(both, at, np.array([1.0, turn]), np.zeros(2, np.uint32), gateway_of("plc"), turn)
            gateway.stores.log.append(rows).result(10)
            await gateway.take(plant)
            await asyncio.sleep(1.3)  # a tick of the line
        _until_thinned(gateway, 3)
        assert not gateway.line.health().last_error
        assert adds_up(gateway, 6)
