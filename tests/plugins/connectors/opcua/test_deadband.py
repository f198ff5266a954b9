"""Our own deadband, alone and behind a server's."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.status import BAD_OUT_OF_RANGE
from forewarn.plugins.connectors.opcua import CONNECTOR
from forewarn.plugins.connectors.opcua.deadband import NOT_A_NUMBER, Reported
from forewarn.plugins.connectors.opcua.sampling import plans
from tests.peers.processes import free_port, node_peer, python_peer
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

GOOD, UNCERTAIN = 0, 0x40000000


def one_by_one(band, rows):
    """The rule, spelled out: (row, value, status) in, whether each is reported out."""
    last = {}
    kept = []
    for row, value, status in rows:
        width = band[row]
        if row not in last or last[row][1] != status:
            report = True
        else:
            before = last[row][0]
            if np.isnan(value) and np.isnan(before):
                report = not (width > 0 or status == NOT_A_NUMBER)
            else:
                report = not abs(value - before) <= width or width == 0
        if report:
            last[row] = (value, status)
        kept.append(report)
    return kept


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.one_of(st.integers(-12, 12).map(float), st.just(np.nan)),
            st.sampled_from([GOOD, UNCERTAIN, int(NOT_A_NUMBER)]),
        ),
        max_size=60,
    ),
    st.integers(1, 60),
)
def test_whatever_the_batches_it_is_as_if_one_by_one(rows, batch):
    band = np.array([0.0, 2.0, 5.0, 0.5])
    reported = Reported(band)
    ours = []
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        row, value, status = (np.array(column) for column in zip(*some, strict=True))
        kept = reported.keep(row.astype(np.intp), value.astype(np.float64), status.astype(np.uint32))
        ours += [True] * len(some) if kept is None else kept.tolist()
    assert ours == one_by_one(band, rows)


def test_what_creeps_is_reported_whenever_it_has_crept_the_band():
    reported = Reported(np.array([5.0]))
    kept = [bool(reported.keep(np.zeros(1, np.intp), np.array([v]), np.zeros(1, np.uint32))[0]) for v in range(31)]
    assert [value for value, told in enumerate(kept) if told] == [0, 6, 12, 18, 24, 30]


def test_without_any_band_nothing_is_looked_at():
    assert Reported(np.zeros(3)).keep(np.arange(3), np.ones(3), np.zeros(3, np.uint32)) is None


def test_the_first_exception_that_matches_wins_and_the_rest_is_as_for_all():
    settings = CONNECTOR.settings.model_validate(
        {
            "url": "opc.tcp://h:1",
            "queue_size": 7,
            "deadband": 1.5,
            "sampling": [
                {"match": "pump.s1", "deadband": 0.0, "sampling_interval_ms": 20},
                {"match": ["pump.s[12]", "nobody"], "queue_size": 99, "deadband_percent": 4, "discard_oldest": False},
            ],
        }
    )
    one, two, three = plans(signals_at("a", "b", "c"), settings)
    assert (one.deadband, one.sampling_interval_ms, one.queue_size, one.percent) == (0.0, 20, 7, 0)
    assert (two.deadband, two.queue_size, two.percent, two.discard_oldest) == (1.5, 99, 4, False)
    assert (three.deadband, three.queue_size, three.discard_oldest) == (1.5, 7, True)
    assert two.band(0, 50) == 2.0
    assert two.band(0, 10) == 1.5
    assert two.band(None, None) == 1.5


RAMP, BROKEN = "ns=1;s=pump.ramp", "ns=1;s=pump.broken"


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with node_peer("opcua_server.js", str(tmp_path_factory.mktemp("pki")), port=free_port()) as started:
        yield started


@pytest.mark.parametrize("server_deadband", [True, False])
@pytest.mark.parametrize("rule", [{"deadband": 5}, {"deadband_percent": 10}])
async def test_a_ramp_against_node_opcua(peer, server_deadband, rule):
    """Its range is 0 to 50, so ten percent are five; one step a sample: told is every sixth."""
    settings = {
        "url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn",
        "publishing_interval_ms": 100,
        "sampling_interval_ms": 0,
        "server_deadband": server_deadband,
        "sampling": [{"match": "pump.s1", **rule}],
    }
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(RAMP)), sink) as task:
        await eventually(lambda: len(sink.values(1)) >= 5, "a ramp", task)
    assert {b - a for a, b in zip(sink.values(1), sink.values(1)[1:], strict=False)} == {6.0}


async def test_a_range_from_the_plant_file_and_none_at_all(peer):
    settings = {
        "url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn",
        "publishing_interval_ms": 50,
        "deadband_percent": 50,
    }
    sink = RecordingSink()
    signals = signals_at("ns=1;s=pump.speed", "ns=1;s=pump.vibration")
    object.__setattr__(signals[0], "range_low", 0.0)
    object.__setattr__(signals[0], "range_high", 20.0)
    async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
        await eventually(lambda: len(sink.values(1)) >= 3 and len(sink.values(2)) > 20, "values", task)
    assert min(b - a for a, b in zip(sink.values(1), sink.values(1)[1:], strict=False)) > 10
    assert any(code is ConditionCode.MISCONFIGURED and "pump.s2" in text for code, text in sink.notes)


async def test_not_a_number_is_bad_told_once_a_change_and_named(peer):
    settings = {"url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn", "publishing_interval_ms": 50}
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(BROKEN)), sink) as task:
        await eventually(lambda: np.isnan(sink.values(1)).sum() >= 3, "not a number, three times", task)
    rows = [(np.isnan(value), quality) for _, _, value, quality in sink.rows]
    assert all(quality == (BAD_OUT_OF_RANGE if missing else GOOD) for missing, quality in rows)
    assert not any(a and b for (a, _), (b, _) in pairwise(rows))
    assert sink.rejections == []


async def test_a_server_that_compares_with_the_last_sample_can_be_left_out(tmp_path):
    """asyncua's server forgets what it reported; with server_deadband = false we see all of it, and do it right."""
    with python_peer("asyncua_server.py", port=free_port()) as peer:
        settings = {
            "url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn",
            "publishing_interval_ms": 100,
            "deadband": 5,
            "server_deadband": False,
            "queue_size": 50,
        }
        sink = RecordingSink()
        async with running(
            CONNECTOR, request_for(CONNECTOR, settings, signals_at("ns=2;s=pump.counter")), sink
        ) as task:
            await eventually(lambda: len(sink.values(1)) >= 4, "a ramp", task)
    assert {b - a for a, b in zip(sink.values(1), sink.values(1)[1:], strict=False)} == {6.0}
