"""A gateway starts whatever its disk and its files are like, and takes a changed file over."""

import errno
from collections.abc import Iterator
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
disk_budget_mib = 32
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
