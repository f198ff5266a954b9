"""Storing beside reading: order is kept, the disk holds the reader back, a failure is passed on."""

import asyncio

import numpy as np
import pytest

from forewarn.plugins.connectors.modbus.outlet import Columns, Outlet
from tests.plugins.connectors.recording import RecordingSink


def columns(*values: float, key: int = 1) -> Columns:
    n = len(values)
    return Columns(np.full(n, key, np.int32), np.zeros(n, np.int64), np.array(values), np.zeros(n, np.uint32))


async def test_one_is_stored_one_waits_and_the_third_is_held_back():
    sink = RecordingSink()
    sink.open.clear()
    outlet = Outlet(sink)
    await outlet.offer("a", columns(1.0))
    await asyncio.sleep(0)
    await outlet.offer("a", columns(2.0))
    third = asyncio.create_task(outlet.offer("a", columns(3.0)))
    await outlet.offer("b", columns(9.0, key=2))  # another owner's does not wait for it
    await asyncio.sleep(0.05)
    assert not third.done()
    assert sink.rows == []
    sink.open.set()
    await third
    await outlet.drain()
    assert (sink.values(1), sink.values(2)) == ([1.0, 2.0, 3.0], [9.0])


async def test_what_storing_raised_is_raised_to_the_reader():
    class Broken(RecordingSink):
        async def put(self, signal, time, value, quality) -> None:
            raise RuntimeError("the disk is gone")

    outlet = Outlet(Broken())
    await outlet.offer("a", columns(1.0))
    await asyncio.sleep(0.01)
    with pytest.raises(RuntimeError, match="disk is gone"):
        await outlet.offer("a", columns(2.0))


async def test_closing_stops_what_is_being_stored():
    sink = RecordingSink()
    sink.open.clear()
    outlet = Outlet(sink)
    await outlet.offer("a", columns(1.0))
    await asyncio.sleep(0)
    await outlet.close()
    sink.open.set()
    await asyncio.sleep(0.02)
    assert sink.rows == []
