"""Messages of other makers, read as a mapping of the plant file says."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.plugins.connectors.mqtt.gathered import Gathered
from forewarn.plugins.connectors.mqtt.mapped import Mapped
from forewarn.plugins.connectors.mqtt.names import Names
from forewarn.plugins.connectors.mqtt.settings import MappingSettings, MqttSettings
from forewarn.plugins.connectors.mqtt.topics import TopicFinder, filter_of

NOW = 1_700_000_000_000_000
SIGNALS = [
    Signal("pump.vibration", "pump", "vibration", "vibration_velocity", "mm/s", key=1),
    Signal("pump.temperature", "pump", "temperature", "temperature", "degC", key=2, address="plant/l1/pump/temp"),
    Signal("pump.flow", "pump", "flow", "flow", "m3/h", key=3, address="plant/l1/pump/all:Q"),
]


def read(rule: dict[str, object], topic: str, payload: object, *, retained: bool = False) -> Gathered:
    settings = MappingSettings.model_validate(rule)
    found = TopicFinder([settings.topic]).find(topic)
    assert found is not None
    gathered = Gathered()
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    Mapped(settings, Names(SIGNALS)).add(topic, found[1], raw, NOW, retained, gathered)
    return gathered


def rows(gathered: Gathered) -> list[tuple[int, int, float, int]]:
    return list(zip(*(column.tolist() for column in gathered.columns()), strict=True))


NUMBER = {"topic": "plant/{line}/{asset}/{signal}", "payload": "number", "signal": "{asset}.{signal}"}


@pytest.mark.parametrize(
    ("payload", "value"), [(b"1.5", 1.5), (b" -3e2\n", -300.0), (b"true", 1.0), (b"OFF", 0.0), (b"7", 7.0)]
)
def test_a_topic_a_signal_and_a_plain_number(payload, value):
    assert rows(read(NUMBER, "plant/l1/pump/vibration", payload)) == [(1, NOW, value, 0)]


@pytest.mark.parametrize("payload", [b"", b"auto", b"1,5", b"1_000", b"\xff", b"1" * 500])
def test_what_is_no_number_is_named(payload):
    gathered = read(NUMBER, "plant/l1/pump/vibration", payload)
    assert rows(gathered) == []
    assert gathered.rejections == {ConditionCode.NONSENSE: 1}
    assert "plant/l1/pump/vibration" in gathered.examples[ConditionCode.NONSENSE]


def test_nan_is_kept_as_bad_and_told():
    gathered = read(NUMBER, "plant/l1/pump/vibration", b"NaN")
    [(key, time, value, quality)] = rows(gathered)
    assert (key, time, quality, gathered.missing) == (1, NOW, 0x809B0000, 1)
    assert math.isnan(value)


def test_without_a_template_the_topic_is_the_address():
    assert rows(read({"topic": "plant/#", "payload": "number"}, "plant/l1/pump/temp", b"61")) == [(2, NOW, 61.0, 0)]
    fields = read({"topic": "plant/#", "payload": "fields", "value": ""}, "plant/l1/pump/all", {"Q": 4, "P": 5})
    assert rows(fields) == [(3, NOW, 4.0, 0)]
    assert "plant/l1/pump/all:P" in fields.examples[ConditionCode.UNKNOWN_ADDRESS]


def test_json_by_paths():
    rule = {
        "topic": "plant/{line}/{asset}/{signal}",
        "signal": "{asset}.{signal}",
        "value": "data.v",
        "time": "data.t",
        "time_unit": "s",
        "quality": "ok",
    }
    message = {"data": {"v": "2.5", "t": 1.5}, "ok": False}
    assert rows(read(rule, "plant/l1/pump/vibration", message)) == [(1, 1_500_000, 2.5, 0x80000000)]


def test_json_with_a_list_of_readings_and_a_shared_time():
    rule = {
        "topic": "plant/{asset}",
        "signal": "{asset}.{sensor}",
        "each": "d.0.items",
        "sensor": "n",
        "value": "v",
        "time": "ts",
        "time_unit": "iso",
        "quality": "q",
    }
    items = [
        {"n": "vibration", "v": 1, "ts": "2026-01-31T08:00:00Z"},
        {"n": "temperature", "v": True, "q": "Uncertain"},
        {"n": "humidity", "v": 3},
        {"n": "vibration", "v": [1]},
        {"n": "vibration", "v": 4, "ts": 5},
    ]
    gathered = read(rule, "plant/pump", {"ts": "2026-01-31T09:00:00+01:00", "d": [{"items": items}]})
    moment = 1_769_846_400_000_000
    assert rows(gathered) == [(1, moment, 1.0, 0), (2, moment, 1.0, 0x40000000)]
    assert gathered.rejections == {ConditionCode.UNKNOWN_ADDRESS: 1, ConditionCode.WRONG_TYPE: 2}


@pytest.mark.parametrize(
    ("unit", "stamp"), [("s", 1_700_000_001), ("ms", 1_700_000_001_000), ("us", "1700000001000000")]
)
def test_units_of_time(unit, stamp):
    rule = {"topic": "a", "signal": "pump.vibration", "value": "v", "time": "t", "time_unit": unit}
    assert rows(read(rule, "a", {"v": 1, "t": stamp})) == [(1, 1_700_000_001_000_000, 1.0, 0)]


def test_retained_with_and_without_a_time():
    rule = {"topic": "a", "signal": "pump.vibration", "value": "v", "time": "t"}
    assert rows(read(rule, "a", {"v": 1, "t": 5}, retained=True)) == [(1, 5_000, 1.0, 0)]
    assert rows(read(rule, "a", {"v": 1}, retained=True)) == [(1, NOW, 1.0, 0x40900000)]
    assert rows(read(NUMBER, "plant/l/pump/vibration", b"2", retained=True)) == [(1, NOW, 2.0, 0x40900000)]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"{broken", "malformed"),
        ({"x": 1}, "no value at 'v'"),
        ([], "no value at 'v'"),
        (b"[" * 100_000, "a:"),
        ({"v": 1, "t": "soon"}, "soon"),
        ({"v": 1, "t": {}}, "no time"),
        ({"v": {"a": 1}}, "no number"),
    ],
)
def test_broken_json_is_named(message, why):
    rule = {"topic": "a", "signal": "pump.vibration", "value": "v", "time": "t"}
    gathered = read(rule, "a", message)
    assert (rows(gathered), gathered.rejections.total()) == ([], 1)
    assert why in next(iter(gathered.examples.values()))


@given(st.binary(max_size=40), st.sampled_from(["number", "json", "fields"]))
def test_any_bytes_are_survived(payload, kind):
    rule = {"topic": "a", "signal": "pump.vibration", "payload": kind, "value": "", "sensor": ""}
    if kind == "json":
        rule["value"] = "v"
    gathered = read(rule, "a", payload)
    signal, time, value, quality = gathered.columns()
    assert len(signal) == len(time) == len(value) == len(quality)


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"topic": "a/{x"}, "neither plain nor a whole wildcard"),
        ({"topic": "a/#/b"}, "last level"),
        ({"topic": "{a}/{a}"}, "differ"),
        ({"topic": "{topic}"}, "differ"),
        ({"topic": "a", "signal": "{asset}.x"}, "names {asset}"),
        ({"topic": "a", "signal": "{sensor}"}, "no path of it"),
        ({"topic": "a", "value": ""}, "path of the value"),
        ({"topic": "a", "time_unit": "h"}, "time_unit"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(rule, why):
    with pytest.raises(ValidationError, match=why):
        MqttSettings.model_validate({"host": "h", "mapping": [rule]})


def test_with_a_mapping_the_usual_topics_must_be_asked_for():
    rule = {"topic": "a", "payload": "number"}
    assert MqttSettings.model_validate({"host": "h"}).topics == ("digital_twin/+/telemetry",)
    assert MqttSettings.model_validate({"host": "h", "mapping": [rule]}).topics == ()
    assert MqttSettings.model_validate({"host": "h", "mapping": [rule], "topics": ["x"]}).topics == ("x",)
    with pytest.raises(ValidationError, match="nothing to take"):
        MqttSettings.model_validate({"host": "h", "topics": []})


@pytest.mark.parametrize(
    ("filters", "topic", "found"),
    [
        (["digital_twin/+/telemetry"], "digital_twin/pump/telemetry", (0, {"asset": "pump"})),
        (["digital_twin/+/telemetry"], "digital_twin/pump/status", None),
        (["digital_twin/+/telemetry"], "digital_twin/pump/telemetry/x", None),
        (["a/b", "site/+/+/data"], "site/hall/pump/data", (1, {"asset": "hall"})),
        (["a/b"], "a/b", (0, {})),
        (["plant/+/#"], "plant/pump/a/b", (0, {"asset": "pump"})),
        (["plant/+/#"], "plant", None),
        (["#"], "anything/else", (0, {})),
        (["{line}/{asset}/x", "+/+/x"], "l1/pump/x", (0, {"line": "l1", "asset": "pump"})),
    ],
)
def test_what_a_topic_says(filters, topic, found):
    assert TopicFinder(filters).find(topic) == found


def test_the_broker_is_asked_in_its_own_terms():
    assert filter_of("plant/{line}/+/{signal}/#") == "plant/+/+/+/#"
