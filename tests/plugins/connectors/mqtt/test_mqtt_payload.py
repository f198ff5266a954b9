"""What a message says, in the three shapes, broken or not."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors.mqtt.gathered import Gathered
from forewarn.plugins.connectors.mqtt.names import Names
from forewarn.plugins.connectors.mqtt.payload import Translator

BAD_NO_DATA = 0x809B0000
NOW = 1_700_000_000_000_000
SIGNALS = [
    Signal("pump.vibration", "pump", "vibration", "vibration_velocity", "mm/s", key=1),
    Signal("pump.Motor_RPM", "pump", "Motor_RPM", "speed", "1/min", key=2),
    Signal("T-17", "pump", "temperature", "temperature", "degC", key=3, address="pump:bearing_temp"),
]


def read(payload: object, asset: str = "pump", *, retained: bool = False) -> Gathered:
    gathered = Gathered()
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    Translator(Names(SIGNALS)).add(asset, raw, NOW, gathered, retained=retained)
    return gathered


def rejected(gathered: Gathered) -> int:
    return gathered.rejections.total()


def example(gathered: Gathered) -> str:
    return next(iter(gathered.examples.values()), "")


def rows(gathered: Gathered) -> list[tuple[int, int, float, int]]:
    return list(zip(*(column.tolist() for column in gathered.columns()), strict=True))


def test_a_list_of_readings():
    gathered = read(
        {
            "timestamp": "2026-01-31T08:00:00Z",
            "readings": [
                {"sensor_id": "pump.vibration", "timestamp": 1_769_846_400_500, "value": 1.5, "quality": "uncertain"},
                {"sensor_id": "vibration", "value": 2},
                {"sensor_id": "bearing_temp", "value": 60.25, "quality": 0x80310000},
                {"sensor_id": "T-17", "value": None, "timestamp": "2026-01-31T09:00:00+01:00"},
            ],
        }
    )
    assert rows(gathered)[:3] == [
        (1, 1_769_846_400_500_000, 1.5, 0x40000000),
        (1, 1_769_846_400_000_000, 2.0, 0),
        (3, 1_769_846_400_000_000, 60.25, 0x80310000),
    ]
    key, time, value, quality = rows(gathered)[3]
    assert (key, time, quality) == (3, 1_769_846_400_000_000, BAD_NO_DATA)
    assert math.isnan(value)
    assert rejected(gathered) == 0


def test_columns():
    gathered = read({"sensor_id": ["pump.vibration", "T-17"], "timestamp": [1_000, 2_000.5], "value": [1, 2.5]})
    assert rows(gathered) == [(1, 1_000_000, 1.0, 0), (3, 2_000_500, 2.5, 0)]


def test_columns_with_one_time_for_all():
    gathered = read(
        {"sensor_id": ["vibration", "T-17"], "timestamp": 1_000, "value": [1, 2], "quality": ["good", "bad"]}
    )
    assert rows(gathered) == [(1, 1_000_000, 1.0, 0), (3, 1_000_000, 2.0, 0x80000000)]


def test_flat_fields():
    gathered = read({"Motor_RPM": 1480, "vibration": 2.5, "bearing_temp": 61, "mode": "auto", "timestamp": 5_000})
    assert rows(gathered) == [(2, 5_000_000, 1480.0, 0), (1, 5_000_000, 2.5, 0), (3, 5_000_000, 61.0, 0)]
    assert rejected(gathered) == 1
    assert "pump.mode: 'auto' is no number" in example(gathered)


def test_a_single_reading_and_no_time_at_all():
    assert rows(read({"sensor_id": "vibration", "value": 3})) == [(1, NOW, 3.0, 0)]
    assert rows(read({"vibration": True})) == [(1, NOW, 1.0, 0)]


@pytest.mark.parametrize(
    ("payload", "kept", "left_out", "why"),
    [
        (b"", 0, 1, "truncated"),
        (b"not json", 0, 1, "malformed"),
        (b"\xff\xfe{}", 0, 1, "malformed"),
        (b"[1, 2]", 0, 1, "Expected `object`"),
        (b"{}", 0, 1, "no reading"),
        (b'{"readings": 5}', 0, 1, "Expected `array`"),
        (b'{"vibration": NaN}', 0, 1, "malformed"),
        (b"[" * 100_000, 0, 1, "message of pump"),
        ({"timestamp": "yesterday", "vibration": 1}, 0, 1, "yesterday"),
        ({"timestamp": 1e300, "vibration": 1}, 0, 1, "no time in milliseconds"),
        ({"sensor_id": ["vibration"], "value": [1, 2]}, 0, 1, "sensor_id 1, timestamp 1, value 2"),
        ({"readings": [{"sensor_id": "vibration", "value": 1}, {"sensor_id": "x", "value": 2}]}, 1, 1, "'x' of pump"),
        ({"readings": [{"sensor_id": "vibration", "value": "1"}, {"sensor_id": "T-17", "value": 2}]}, 1, 1, "Expected"),
        ({"readings": [{"value": 1}, {"sensor_id": "T-17", "value": 2}]}, 1, 1, "sensor_id"),
        ({"readings": [{"sensor_id": "T-17", "value": 2, "quality": "fine"}]}, 0, 1, "'fine' is none of good"),
        ({"readings": [{"sensor_id": "T-17", "value": 2, "quality": -1}]}, 0, 1, "no 32-bit status code"),
        (
            {"readings": [{"sensor_id": "T-17", "value": 2, "timestamp": "x"}, {"sensor_id": "T-17", "value": 3}]},
            1,
            1,
            "x",
        ),
        ({"readings": []}, 0, 0, ""),
    ],
)
def test_what_is_broken_is_named_and_the_rest_kept(payload, kept, left_out, why):
    gathered = read(payload)
    assert (len(gathered), rejected(gathered)) == (kept, left_out)
    assert why in example(gathered)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["readings", "sensor_id", "timestamp", "value", "quality", "vibration", "Motor_RPM"])


@given(st.dictionaries(keys, json_values, max_size=6) | json_values)
def test_any_json_gives_whole_columns_or_a_reason(payload):
    gathered = read(payload)
    signal, time, value, quality = gathered.columns()
    assert len(signal) == len(time) == len(value) == len(quality)
    assert all(quality[i] >> 31 for i in range(len(value)) if math.isnan(value[i]))
    assert set(gathered.rejections) == set(gathered.examples)


@given(st.binary(max_size=60))
def test_any_bytes_are_survived(payload):
    read(payload)


def test_what_is_wrong_has_a_name():
    assert set(read(b"{broken").rejections) == {ConditionCode.NONSENSE}
    assert set(read({"vibrations": 1}).rejections) == {ConditionCode.UNKNOWN_ADDRESS}
    assert set(read({"vibration": "auto"}).rejections) == {ConditionCode.WRONG_TYPE}
    missing = read({"vibration": None})
    missing.columns()
    assert missing.missing == 1


def test_a_retained_reading_without_a_time_of_its_own_is_uncertain():
    assert rows(read({"vibration": 1}, retained=True)) == [(1, NOW, 1.0, 0x40900000)]
    assert rows(read({"vibration": 1, "timestamp": 5}, retained=True)) == [(1, 5_000, 1.0, 0)]
    own = {"readings": [{"sensor_id": "vibration", "value": 1}, {"sensor_id": "T-17", "value": 2, "timestamp": 7}]}
    assert rows(read(own, retained=True)) == [(1, NOW, 1.0, 0x40900000), (3, 7_000, 2.0, 0)]
    bad = {"sensor_id": "vibration", "value": 1, "quality": "bad"}
    assert rows(read(bad, retained=True)) == [(1, NOW, 1.0, 0x80000000)]


stamps = st.integers(-(10**16), 10**16) | st.floats(-1e15, 1e15) | st.none() | st.just("2026-01-31T08:00:00Z")
values = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans() | st.just("x")
qualities = st.sampled_from(["good", "bad", "uncertain", "fine", 0, 0x40000000, -1, 2**32, None])
sensors = st.sampled_from(["vibration", "pump.Motor_RPM", "T-17", "bearing_temp", "unknown"])
reading = st.fixed_dictionaries(
    {"sensor_id": sensors, "value": values}, optional={"timestamp": stamps, "quality": qualities}
)


@given(st.lists(reading, max_size=6))
def test_columns_readings_and_single_readings_say_the_same(readings):
    """Whichever way, fast or thorough: what one message says together, single messages say one by one."""
    together, apart = read({"readings": readings}), [read(each) for each in readings]
    assert repr(rows(together)) == repr([row for each in apart for row in rows(each)])
    assert together.rejections.total() == sum(each.rejections.total() for each in apart)
    complete = [each for each in readings if "timestamp" in each and "quality" in each]
    if complete and not any(each["value"] == "x" for each in complete):
        columns = read({name: [each[name] for each in complete] for name in complete[0]})
        assert repr(rows(columns)) == repr([row for each in complete for row in rows(read(each))])
