"""The plant file: what it says is what comes out, and every mistake is told with its line."""

import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.alarms import Condition, Priority
from forewarn.domain.assets import AssetStatus, Limits, Plant
from forewarn.domain.errors import ConfigurationError
from forewarn.policies.asset_templates import RATINGS, TEMPLATES
from forewarn.policies.asset_templates.model import FAILURE_MODES, KINDS
from forewarn.policies.asset_templates.ratings import CHOICES
from forewarn.policies.plant_file import parse_plant
from forewarn.policies.plant_keys import KEYS
from forewarn.policies.rules import default_rules
from forewarn.policies.toml_lines import TomlLines

DOCUMENT = Path(__file__).parents[2] / "docs" / "plant-file.md"
PLANT = """\
[enterprise]
id = "acme"
name = "Acme Chemicals"

[[site]]
id = "pune"
name = "Pune works"

[[source]]
name = "plc-1"
connector = "opcua"
settings = { url = "opc.tcp://127.0.0.1:4840" }

[[asset]]
id = "p1"
name = "Feed pump 1"
path = "acme/pune/water/line-1"
template = "centrifugal_pump"
status = "maintenance"

[asset.specifications]
rated_power_kw = 15
rated_speed_rpm = 1480.0
iso_class = "II"
maker = "Kirloskar"

[asset.components]
strainer_basket = ["PLU"]
impeller = []

[asset.defaults]
source = "plc-1"
address = "ns=2;s={asset}.{signal}@{line}"
rate_hz = 2

[asset.signals.vibration]
limits.high = 4.0
address = "ns=2;i=77"
flatline_s = false

[asset.signals.tank_level]
id = "TL-101"
kind = "level"
unit = "m"
range = [0, 8]
limits = { low = 1.0, high = 7 }
rate_hz = 0.1

[[asset.alarm]]
rule = "vibration.high"
on_delay_s = 30
priority = "high"

[[asset.alarm]]
rule = "overflow"
signal = "tank_level"
condition = "above"
threshold = 7.5
response_minutes = 5

[[asset]]
id = "m7"
path = "acme/pune/water/line-1"
template = "induction_motor"
measured = ["speed", "current"]
"""


def mistakes(text: str, **options: object) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        parse_plant(text, "plant.toml", **options)  # type: ignore[arg-type]
    return str(refused.value).splitlines()


def edited(before: str, after: str) -> str:
    assert PLANT.count(before) == 1, before
    return PLANT.replace(before, after)


def read(text: str = PLANT) -> Plant:
    return parse_plant(text, "plant.toml")


def test_assets_and_places() -> None:
    plant = read()
    pump, motor = plant.assets
    assert (pump.id, pump.name, pump.status) == ("p1", "Feed pump 1", AssetStatus.MAINTENANCE)
    assert (pump.path, motor.name) == (("acme", "pune", "water", "line-1"), "m7")
    assert pump.specifications["maker"] == "Kirloskar"
    modes = {c.name: c.failure_modes for c in pump.components}
    assert (modes["strainer_basket"], modes["impeller"], modes["coupling"]) == (("PLU",), (), ("VIB", "BRD"))
    assert plant.place_names == {"acme": "Acme Chemicals", "acme/pune": "Pune works"}
    assert plant.sources[0].settings == {"url": "opc.tcp://127.0.0.1:4840"}


def test_signals() -> None:
    signals = {s.id: s for s in read().signals}
    assert [s.name for s in signals.values() if s.asset_id == "m7"] == ["speed", "current"]
    vibration, speed, level = signals["p1.vibration"], signals["p1.speed"], signals["TL-101"]
    assert vibration.limits == Limits(high=4.0, high_critical=8.5)
    assert (vibration.address, vibration.flatline_s, vibration.source) == ("ns=2;i=77", None, "plc-1")
    assert (speed.address, speed.rate_hz, speed.running_above) == ("ns=2;s=p1.speed@line-1", 2.0, 148.0)
    assert (level.limits, level.range_low, level.range_high) == (Limits(low=1.0, high=7.0), 0.0, 8.0)
    assert (level.rate_hz, level.name, signals["m7.speed"].source) == (0.1, "tank_level", None)


def test_alarm_overrides_work_into_the_rules() -> None:
    plant = read()
    assert [o.rule_id for o in plant.alarm_overrides] == ["vibration.high", "overflow"]
    rules = {r.rule_id: r for r in default_rules(plant) if r.asset_id == "p1"}
    high, own = rules["vibration.high"], rules["overflow"]
    assert (high.on_delay_s, high.priority, high.threshold) == (30.0, Priority.HIGH, 4.0)
    assert (own.condition, own.threshold, own.signal_id) == (Condition.ABOVE, 7.5, "TL-101")
    assert own.response_minutes == 5


@pytest.mark.parametrize(
    ("before", "after", "line", "reason"),
    [
        ('name = "Feed pump 1"', 'nmae = "x"', 16, 'unknown key "nmae"; did you mean "name"?'),
        ('"centrifugal_pump"', '"centrifugal_pmp"', 18, 'did you mean "centrifugal_pump"?'),
        ('"maintenance"', '"broken"', 19, 'status "broken" is unknown; known are: active,'),
        ("rated_power_kw = 15", "power_kw = 15", 22, 'did you mean "rated_power_kw"?'),
        ("rated_power_kw = 15", "Rated_Power_kW = 15", 22, 'did you mean "rated_power_kw"?'),
        ("rated_power_kw = 15", 'rated_power_kw = "15"', 22, "rated_power_kw must be a number, not '15'"),
        ("rated_power_kw = 15", "rated_power_kw = -15", 22, "must be above 0, not -15"),
        ("rated_power_kw = 15", "rated_power_kw = nan", 22, "must be a finite number, not nan"),
        ("rated_power_kw = 15", "rated_power_kw = 1979-05-27", 22, "must be a text, a number or true/false"),
        ('iso_class = "II"', "", 21, 'specifications.iso_class is missing: state "I" or "II"'),
        ('iso_class = "II"', 'iso_class = "X"', 24, 'iso_class "X" is unknown'),
        ('["PLU"]', '["PLY"]', 28, '"PLY" is not an ISO 14224 code; did you mean "PLU"?'),
        ('["PLU"]', '"PLU"', 28, "must be a list of texts"),
        ('source = "plc-1"', 'source = "plc1"', 32, 'source "plc1" is not described; did you mean "plc-1"?'),
        ("{asset}.{signal}@", "{aset}.{signal}@", 33, '"{aset}" is no part of an address; did you mean "asset"?'),
        ("{asset}.{signal}@", "{asset.{signal}@", 33, "write {{ and }} for braces"),
        ('address = "ns=2;s={asset}.{signal}@{line}"\n', "", 31, 'signal "p1.speed" comes from source "plc-1" but'),
        ("limits.high = 4.0", "limits.high = nan", 37, "high must be a finite number"),
        ("limits.high = 4.0", "limits.high = 9.0", 37, "high 9 is not below high_critical 8.5"),
        ("limits.high = 4.0", "limits.hihg = 4.0", 37, 'unknown key "hihg"; did you mean "high"?'),
        ("limits.high = 4.0", "limits.high = 1e999", 37, "finite"),
        ("limits.high = 4.0", "limits.high = true", 37, "must be a number, not True"),
        ("limits.high = 4.0", "limits = 4.0", 37, "limits must be a table"),
        ("limits.high = 4.0", "deadband = -1", 37, "deadband must be at least 0"),
        ('kind = "level"', 'kind = "levle"', 43, 'did you mean "level"?'),
        ('unit = "m"\n', "", 41, 'signal "tank_level" has no unit'),
        ('unit = "m"\n', 'unit = ""\n', 44, "unit must be a text in quotes"),
        ("range = [0, 8]", "range = [8, 0]", 45, "the lower number comes first"),
        ("range = [0, 8]", "range = [0]", 45, "two numbers"),
        ("range = [0, 8]", "range = [0, 6.5]", 46, "lies outside its range 0.0 to 6.5"),
        ("high = 7 }", "high = 0.5 }", 46, "low 1 is not below high 0.5"),
        ('id = "TL-101"', 'id = "p1.speed"', 41, 'signal id "p1.speed" is taken'),
        ('id = "TL-101"', 'id = "T L"', 42, "may not hold spaces"),
        ("rate_hz = 0.1", "rate_hz = 0", 47, "rate_hz must be above 0"),
        ("rate_hz = 0.1", "running_above = 1", 41, "running_above stands on speed, tank_level"),
        ('rule = "vibration.high"', 'rule = "vibration.hihg"', 50, 'did you mean "vibration.high"?'),
        ('rule = "overflow"', 'rule = "vibration.high"', 55, "described twice"),
        ('priority = "high"', 'priority = "huge"', 52, 'priority "huge" is unknown'),
        ('signal = "tank_level"', 'signal = "tank"', 56, 'has no signal "tank"'),
        ("threshold = 7.5\n", "", 54, "states a condition but no threshold"),
        ('condition = "above"', 'condition = "abov"', 57, 'did you mean "above"?'),
        ("response_minutes = 5", 'latching = "yes"', 59, "latching must be true or false"),
        ('id = "m7"', 'id = "p1"', 62, 'asset "p1" is described twice'),
        ('id = "m7"', 'id = "m/7"', 62, "may hold letters, digits"),
        ('id = "m7"\n', "", 61, '"id" is missing'),
        ('["speed", "current"]', '["sped"]', 65, '"sped" is no signal of template induction_motor; did you mean'),
        ('template = "induction_motor"\n', "", 64, "name a template or leave it out"),
        ('id = "pune"', 'id = "poona"', 6, 'no asset lies in "poona"; known are: pune'),
        ('connector = "opcua"\n', "", 9, '"connector" is missing'),
        ('{ url = "opc.tcp://127.0.0.1:4840" }', "{ since = 1979-05-27 }", 12, "put it in quotes"),
        ("[[site]]", "[site]", 5, "double brackets: [[site]]"),
    ],
)
def test_mistakes_are_told_with_line_and_remedy(before: str, after: str, line: int, reason: str) -> None:
    told = mistakes(edited(before, after))
    assert any(m.startswith(f"plant.toml:{line}: ") and reason in m for m in told), told


def test_all_mistakes_are_told_at_once_in_order() -> None:
    text = edited('["PLU"]', '["PLY"]').replace('kind = "level"', 'kind = "levle"').replace('"pune"', '"poona"', 1)
    told = mistakes(text)
    assert [int(m.split(":")[1]) for m in told] == [6, 28, 43]
    with pytest.raises(ConfigurationError) as refused:
        read(text)
    assert refused.value.where == "plant.toml:6"


@pytest.mark.parametrize("path", ["acme/pune/water", "acme/pune/water/l/x", "acme//water/l", "acme/pu ne/a/b"])
def test_path_depth_and_letters(path: str) -> None:
    text = PLANT.replace('path = "acme/pune/water/line-1"', f'path = "{path}"', 1)
    assert mistakes(text)[0].startswith("plant.toml:17: ")


def test_one_place_id_in_two_sites_is_told_apart_by_its_path() -> None:
    more = '\n[[asset]]\nid = "f1"\npath = "acme/nashik/water/l"\ntemplate = "fan"\nmeasured = ["speed"]\n'
    area = '\n[[area]]\nid = "acme/nashik/water"\nname = "Nashik water"\n'
    plant = read(PLANT + more + area)
    assert plant.place_names["acme/nashik/water"] == "Nashik water"
    assert "acme/pune/water" not in plant.place_names


def test_limits_of_one_s_own_need_no_class() -> None:
    text = edited('iso_class = "II"', "").replace("limits.high = 4.0", "limits = { high = 4.0, high_critical = 6 }")
    assert {s.id: s for s in read(text).signals}["p1.vibration"].limits == Limits(high=4.0, high_critical=6.0)
    off = text.replace("{ high = 4.0, high_critical = 6 }", "{ high = false, high_critical = false }")
    without = off.replace('rule = "vibration.high"', 'rule = "silent"')
    assert {s.id: s for s in read(without).signals}["p1.vibration"].limits == Limits()


def test_source_settings_are_checked_by_their_connector() -> None:
    def check(name: str, connector: str, settings: Mapping[str, object]) -> list[str]:
        return [f"url: {settings['url']} of {name} ({connector}) is no good", "something else"]

    told = mistakes(PLANT, validate_source=check)
    assert told == [
        "plant.toml:12: source settings: url: opc.tcp://127.0.0.1:4840 of plc-1 (opcua) is no good",
        "plant.toml:12: source settings: something else",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[asset]\n", 1),
        ("a = 1\nb = \n", 2),
        ("a = 1\na = 2\n", 2),
        ('a = 1\n\nb = "open', 3),
        ("a = " + "[" * 5000, 1),
    ],
)
def test_what_is_no_toml(text: str, line: int) -> None:
    told = mistakes(text)[0]
    assert told.startswith(
        (f"plant.toml:{line}: not valid TOML: ", "plant.toml: arrays or tables are nested too deeply")
    )


def test_an_empty_file_is_an_empty_plant() -> None:
    assert read("\ufeff# nothing yet\n") == Plant((), ())


def test_every_key_is_documented() -> None:
    text = DOCUMENT.read_text()
    for table, keys in KEYS.items():
        heading = f"### `{table}`" if table else "## The file"
        section = text.split(heading + "\n", 1)
        assert len(section) == 2, f"{DOCUMENT.name} has no heading {heading}"
        body = re.split(r"\n##+ ", section[1])[0]
        assert [k for k in keys if f"`{k}`" not in body] == [], table
    for word in (*TEMPLATES, *RATINGS, *CHOICES, *KINDS, *FAILURE_MODES, *Condition, *Priority, *AssetStatus):
        assert f"`{word}`" in text, word


def test_the_documented_example_is_valid() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        assert read(example).assets


_keys = st.text("ab", min_size=1, max_size=2) | st.sampled_from(['"a.b"', "'c#d'", '"\\u0041"'])
_scalars = st.sampled_from(
    [
        "1",
        "1.5",
        '"x # y"',
        "'a]b'",
        '"""a\n"b\n"""',
        "true",
        '"""a\\"b""""',
        "'''a\n'''",
        "1979-05-27T07:32:00Z",
        '"\\"]"',
        "''",
    ]
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda v: "[\n" + ",\n# c\n".join(v) + "]")
        | st.dictionaries(_keys, inner, max_size=2).map(
            lambda d: "{" + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}"
        )
    ),
    max_leaves=5,
)
_lines = st.one_of(
    st.tuples(_keys, _values).map(lambda kv: f"{kv[0]} = {kv[1]}"),
    st.lists(_keys, min_size=1, max_size=3).map(lambda k: f"[{'.'.join(k)}]"),
    st.lists(_keys, min_size=1, max_size=2).map(lambda k: f"[[ {' . '.join(k)} ]] # c"),
    st.sampled_from(["", "# = [[", "  "]),
)


@given(st.lists(_lines, max_size=8))
def test_every_key_of_any_toml_has_its_line(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = TomlLines(text)

    def walk(value: object, path: tuple[str | int, ...]) -> None:
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in parts:
            here = (*path, key)
            assert here in found._lines, (text, here)
            line = text.split("\n")[found.line(here) - 1]
            if isinstance(key, str) and key.isalpha() and key.islower():
                assert key in line, (text, here, line)
            walk(inner, here)

    walk(content, ())


@given(st.text(max_size=200) | st.text("[]{}=.,\"'\n #abasset_id1é\\", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        parse_plant(text, "plant.toml")
