"""What a metric's value, time, type and quality become."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors.sparkplug.batch import Batch
from forewarn.plugins.connectors.sparkplug.messages import Payload
from tests.plugins.connectors.sparkplug.edge import DOUBLE, NOW, T0, Heard, double, payload

NO_DATA, OUT_OF_RANGE = 0x809B0000, 0x803C0000


def read(metric: dict[str, object], *, at: int | None = T0) -> Heard:
    return Heard("g/n/-/x").hear("g/NBIRTH/n", payload(0, [{"name": "x", "alias": 0, **metric}], at=at))


@pytest.mark.parametrize(
    ("datatype", "field", "raw", "value"),
    [
        (1, "int_value", 0xFB, -5),
        (1, "int_value", 0xFFFFFFFB, -5),
        (1, "int_value", 127, 127),
        (2, "int_value", 0xFED4, -300),
        (2, "int_value", 0xFFFFFED4, -300),
        (3, "int_value", 0xFFFEEE90, -70000),
        (3, "int_value", 2**31, -(2**31)),
        (3, "long_value", 2**64 - 5, -5),
        (4, "long_value", 2**64 - 1, -1),
        (4, "long_value", 2**63, -(2.0**63)),
        (4, "int_value", 5, 5),
        (5, "int_value", 255, 255),
        (6, "int_value", 65535, 65535),
        (7, "int_value", 2**32 - 1, 2**32 - 1),
        (7, "long_value", 2**32 - 1, 2**32 - 1),
        (8, "long_value", 2**64 - 1, 2.0**64),
        (9, "float_value", 1.5, 1.5),
        (10, "double_value", -0.1, -0.1),
        (11, "boolean_value", True, 1),
        (11, "int_value", 1, 1),
        (13, "long_value", T0, T0),
    ],
)
def test_every_number_type(datatype, field, raw, value):
    assert read({"datatype": datatype, field: raw}).rows == [(1, T0 * 1_000, float(value), 0)]


@pytest.mark.parametrize(
    ("datatype", "field", "raw"),
    [
        (1, "int_value", 300),
        (1, "int_value", 0xFFFFFF00),
        (2, "int_value", 70_000),
        (5, "int_value", 256),
        (6, "long_value", 2**40),
    ],
)
def test_what_its_type_cannot_hold_is_bad_and_told(datatype, field, raw):
    heard = read({"datatype": datatype, field: raw})
    [(_, _, value, quality)] = heard.rows
    assert math.isnan(value)
    assert quality == OUT_OF_RANGE
    assert "out of its type's range" in heard.rejections[0]


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from([(1, 8), (2, 16), (3, 32), (4, 64)]))
def test_twos_complement_is_read_as_any_library_writes_it(number, kind):
    datatype, bits = kind
    number = (number + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    widths = {bits, 32} if bits <= 32 else {64}
    for width in widths:
        field = "long_value" if width == 64 else "int_value"
        [(_, _, value, quality)] = read({"datatype": datatype, field: number % 2**width}).rows
        assert (value, quality) == (float(number), 0)


@pytest.mark.parametrize("datatype", [12, 14, 16, 17])
def test_what_is_no_number_is_named(datatype):
    field = {12: "string_value", 14: "string_value", 16: "dataset_value", 17: "bytes_value"}[datatype]
    heard = read({"datatype": datatype, field: b"x"})
    assert heard.rows == []
    assert heard.rejections[0].startswith("'pump.s1' (x (")


def test_null_and_nan_and_nothing_are_bad():
    for metric in ({"is_null": True}, {"double_value": math.nan}, {}, {"is_null": True, "double_value": 0.0}):
        [(_, _, value, quality)] = read({"datatype": DOUBLE, **metric}).rows
        assert math.isnan(value)
        assert quality == NO_DATA


def test_times_of_metric_payload_and_reception():
    assert read(double(1.0, at=T0 + 7)).rows[0][1] == (T0 + 7) * 1_000
    assert read(double(1.0)).rows[0][1] == T0 * 1_000
    assert read(double(1.0), at=None).rows[0][1] == NOW
    impossible = read(double(1.0, at=2**64 - 1))
    assert impossible.rows == []
    assert "impossible time" in impossible.rejections[0]


def test_historical_values_keep_their_time():
    heard = read(double(1.0)).hear(
        "g/NDATA/n", payload(1, [double(0.5, alias=0, at=T0 - 3_600_000, is_historical=True)])
    )
    assert heard.rows == [(1, T0 * 1_000, 1.0, 0), (1, (T0 - 3_600_000) * 1_000, 0.5, 0)]


@pytest.mark.parametrize(("code", "quality"), [(0, 0x80000000), (192, 0), (500, 0x40900000), (64, 0x40000000)])
def test_the_quality_property(code, quality):
    made = Payload(seq=0, timestamp=T0)
    metric = made.metrics.add(name="x", datatype=DOUBLE, double_value=1.0)
    metric.properties.keys.append("Quality")
    metric.properties.values.add(type=3, int_value=code)
    heard = Heard("g/n/-/x").hear("g/NBIRTH/n", made.SerializeToString())
    assert heard.rows == [(1, T0 * 1_000, 1.0, quality)]


def test_templates_are_flattened_in_births_and_data():
    made = Payload(seq=0, timestamp=T0)
    outer = made.metrics.add(name="motor", alias=5, datatype=19)
    outer.template_value.metrics.add(name="speed", datatype=9, float_value=1480.5, timestamp=T0 + 1)
    inner = outer.template_value.metrics.add(name="bearing", datatype=19)
    inner.template_value.metrics.add(name="temp", datatype=2, int_value=0xFFFF)
    definition = made.metrics.add(name="_types_/motor", datatype=19)
    definition.template_value.is_definition = True
    heard = Heard("g/n/-/motor/speed", "g/n/-/motor/bearing/temp").hear("g/NBIRTH/n", made.SerializeToString())
    assert sorted(heard.rows) == [(1, (T0 + 1) * 1_000, 1480.5, 0), (2, T0 * 1_000, -1.0, 0)]
    data = Payload(seq=1, timestamp=T0 + 9)
    outer = data.metrics.add(alias=5, timestamp=T0 + 8)
    outer.template_value.metrics.add(name="speed", float_value=1500.0)
    heard.hear("g/NDATA/n", data.SerializeToString())
    assert heard.rows[-1] == (1, (T0 + 8) * 1_000, 1500.0, 0)
    assert heard.rejections == []


def test_many_kinds_in_one_message_keep_their_places():
    kinds = [("double_value", 10, 1.5), ("int_value", 3, 7), ("boolean_value", 11, True), ("float_value", 9, 2.5)] * 20
    metrics = [{"name": f"m{i}", "alias": i, "datatype": t, f: v} for i, (f, t, v) in enumerate(kinds)]
    heard = Heard(*(f"g/n/-/m{i}" for i in range(len(kinds)))).hear("g/NBIRTH/n", payload(0, metrics))
    assert [value for _, _, value, _ in heard.rows] == [float(v) for _, _, v in kinds]
    assert [key for key, *_ in heard.rows] == list(range(1, len(kinds) + 1))


@given(st.binary(max_size=80))
def test_any_bytes_are_survived(raw):
    heard = Heard("g/n/-/x")
    for kind in ("NBIRTH", "NDATA", "NDEATH"):
        heard.hear(f"g/{kind}/n", raw)


@given(st.data())
def test_a_damaged_message_spoils_nothing_else(data):
    whole = payload(1, [double(2.0, alias=0, at=T0)])
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :]
    heard = read(double(1.0)).hear("g/NDATA/n", damaged).after(60)
    heard.hear("g/NBIRTH/n", payload(0, [double(3.0, name="x", alias=0)]))
    assert heard.values(1)[-1] == 3.0


def test_a_float_is_what_the_device_sent():
    heard = read({"datatype": 9, "float_value": 0.1})
    assert heard.rows[0][2] == struct.unpack("f", struct.pack("f", 0.1))[0]


whole = st.tuples(st.sampled_from(["int_value"]), st.integers(0, 2**32 - 1)) | st.tuples(
    st.sampled_from(["long_value"]), st.integers(0, 2**64 - 1)
)
others = st.one_of(
    st.tuples(st.just("double_value"), st.floats()),
    st.tuples(st.just("float_value"), st.floats(width=32)),
    st.tuples(st.just("boolean_value"), st.booleans()),
    st.tuples(st.just("string_value"), st.binary(max_size=3)),
    st.none(),
)
some_metric = st.fixed_dictionaries(
    {"alias": st.integers(0, 5) | st.integers(120, 130)},
    optional={
        "timestamp": st.integers(0, 2**64 - 1) | st.integers(T0, T0 + 1000),
        "datatype": st.integers(0, 40),
        "is_null": st.booleans(),
        "is_historical": st.booleans(),
        "is_transient": st.booleans(),
        "name": st.sampled_from(["m0", "m3", "other"]),
    },
)


@given(st.lists(st.lists(st.tuples(some_metric, whole | others), max_size=5), max_size=5), st.booleans())
def test_reading_from_the_bytes_says_what_protobuf_says(messages, together):
    """Whatever a message holds: the quick way, for several at once or for one, or protobuf's."""
    birth = payload(0, [double(0.0, name=f"m{i}", alias=i, datatype=i % 14) for i in range(125)])
    ways = []
    for quick in (True, False):
        heard = Heard(*(f"g/n/-/m{i}" for i in range(124))).hear("g/NBIRTH/n", birth)
        batch = Batch()
        for seq, metrics in enumerate(messages, start=1):
            fields = [each | ({} if value is None else {value[0]: value[1]}) for each, value in metrics]
            # A uuid is nothing that the quick way knows.
            raw = payload(seq, fields) + (b"" if quick else b"\x22\x01x")
            heard.host.take("spBv1.0/g/NDATA/n", raw, NOW, 0.0, batch)
            if not together:
                heard.host.settle(batch)
        heard.host.settle(batch)
        rows = list(zip(*(column.tolist() for column in batch.columns()), strict=True))
        rejected = (batch.rejections[ConditionCode.UNKNOWN_ADDRESS], batch.rejections[ConditionCode.WRONG_TYPE])
        ways.append((repr(sorted(rows, key=repr)), rejected, batch.rebirths))
    assert ways[0] == ways[1]
