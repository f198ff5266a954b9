"""What leads out of a gateway may fail: collecting goes on."""

import asyncio

from forewarn.app.gateway.running import keep_up
from forewarn.domain.conditions import ConditionCode
from forewarn.gateway.conditions import Conditions
from forewarn.kit.clock import now_us


async def test_a_fault_of_ours_ends_nothing_but_is_told() -> None:
    conditions, runs = Conditions("", now_us), 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(_fails())

    await asyncio.wait_for(keep_up("uplink", run, conditions, again_s=0.01), 60)
    assert runs == 3
    assert [c.code for c in conditions.now()] == [ConditionCode.FAILED]


async def _fails() -> None:
    raise KeyError("not thought of")
