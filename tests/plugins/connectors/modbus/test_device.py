"""Shares, probation and phases, without a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.plugins.connectors.modbus.address import Point
from forewarn.plugins.connectors.modbus.blocks import Most
from forewarn.plugins.connectors.modbus.complaints import Complaints
from forewarn.plugins.connectors.modbus.device import device_of, phase
from forewarn.plugins.connectors.modbus.job import Job
from forewarn.plugins.connectors.modbus.settings import ModbusSettings
from tests.plugins.connectors.recording import RecordingSink, signals_at


def job_of(unit: int, name: str = "", interval_s: float = 1.0) -> Job:
    rows = [(signals_at("holding:1:uint16")[0], Point("holding", 1, "uint16", unit))]
    return Job(unit, name, interval_s, rows, 8, Most(), Complaints(RecordingSink(), lambda: 0.0))


@given(st.integers(2, 40))
def test_probes_of_a_silent_unit_grow_apart_up_to_half_a_minute(times):
    device = device_of(7, [job_of(7)], ModbusSettings(host="h"), shares_line=True)
    now, waits = 100.0, []
    for n in range(times):
        assert device.fail("silent", 1, now) is (n == 0)
        waits.append(device.next_at() - now)
        now = device.next_at()
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] <= 30.0
    device.revive(now)
    assert (device.silences, device.next_at()) == (0, now)


@pytest.mark.parametrize(
    ("settings", "shares", "timeout_s", "budget_s"),
    [
        ({}, False, 3.0, 1.0),
        ({}, True, 1.0, 1.0),  # the others wait no longer than its poll may take
        ({"budget_s": 0.5}, True, 0.5, 0.5),
        ({"devices": {"7": {"timeout_s": 2.0}}}, True, 2.0, 1.0),
        ({"devices": {"7": {"budget_s": 0.3}}}, True, 0.3, 0.3),
        ({"devices": {"8": {"budget_s": 0.3}}}, True, 1.0, 1.0),
    ],
)
def test_waits_and_budgets(settings, shares, timeout_s, budget_s):
    job = job_of(7)
    device = device_of(7, [job], ModbusSettings.model_validate({"host": "h", **settings}), shares)
    assert (device.timeout_s, device.budget_of(job)) == (timeout_s, budget_s)


def test_a_quick_group_comes_before_a_slow_one_that_is_under_way():
    slow, quick = job_of(1, "slow", 10.0), job_of(1, "quick", 0.1)
    device = device_of(1, [slow, quick], ModbusSettings(host="h"), shares_line=False)
    slow.due, quick.due = 5.0, 7.0
    assert device.next_at() == 5.0
    assert device.next_job(6.0) is slow
    assert device.next_job(8.0) is quick


def test_phases_are_spread_over_the_interval_and_stay_the_same():
    phases = sorted(phase(f"line {n}", job_of(unit)) for n in range(10) for unit in range(10))
    assert phases == sorted(phase(f"line {n}", job_of(unit)) for n in range(10) for unit in range(10))
    assert all(0 <= each < 1 for each in phases)
    # A hundred of them fall into every tenth of the interval.
    assert {int(each * 10) for each in phases} == set(range(10))
