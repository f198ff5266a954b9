"""The gateway file: read, and every mistake told with its line."""

import re
from pathlib import Path

import pytest

from forewarn.domain.errors import ConfigurationError
from forewarn.policies.gateway_file import KEYS, parse_gateway
from forewarn.policies.gateway_settings import ThinMethod, ThinWords
from forewarn.policies.whole_stretches import WholeStretches

DOCUMENT = Path(__file__).parents[2] / "docs" / "gateway-file.md"
PLANT = """
[[source]]
name = "plc-1"
connector = "modbus"

[[asset]]
id = "p1"
path = "acme/pune/water/line-1"

[asset.signals.flow]
kind = "flow"
unit = "m3/h"
range = [0, 100]
source = "plc-1"
address = "input:0"
"""


def read(text: str):
    return parse_gateway(text, "gateway.toml")


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    return str(caught.value).splitlines()


def test_what_is_not_said_has_a_default() -> None:
    settings, plant = read('[gateway]\nname = "g1"\n' + PLANT)
    assert (settings.name, settings.disk_budget_mib, settings.keep_raw_hours) == ("g1", 4096, 24.0)
    assert settings.uplink is None
    assert settings.standby is None
    assert settings.thin == ThinWords(ThinMethod.SWINGING_DOOR, None, 0.5, 60.0)
    assert [s.id for s in plant.signals] == ["p1.flow"]
    assert [s.name for s in plant.sources] == ["plc-1"]


def test_a_rule_takes_what_it_does_not_say_from_the_table_above() -> None:
    text = '[gateway]\nname = "g"\n[gateway.thin]\nmethod = "deadband"\nerror_percent = 2\nmax_gap_s = 30\n'
    text += '[[gateway.thin.rule]]\nsignals = "*.flow"\nerror = 0.25\n' + PLANT
    settings, _ = read(text)
    assert settings.thin == ThinWords(ThinMethod.DEADBAND, None, 2.0, 30.0)
    assert settings.thin_rules[0].words == ThinWords(ThinMethod.DEADBAND, 0.25, None, 30.0)


def test_whole_stretches_are_ninety_seconds_an_hour_unless_something_else_is_said() -> None:
    def whole(words: str) -> str:
        return f'[gateway]\nname = "g"\n[gateway.thin]\n{words}\n' + PLANT

    assert read(whole(""))[0].whole == WholeStretches(90, 3_600)
    assert read(whole("whole_s = 0"))[0].whole == WholeStretches(0, 3_600)
    assert read(whole("whole_s = 900\nwhole_every_s = 7200"))[0].whole == WholeStretches(900, 7_200)
    for words, told in (
        ("whole_s = 3601", "4: whole_s must be at most 3600"),
        ("whole_s = -1", "4: whole_s must be at least 0"),
        ("whole_s = 1.5", "4: whole_s must be a whole number"),
        ("whole_every_s = 30", "4: whole_every_s must be at least 60"),
        ("whole_every_s = 90000", "4: whole_every_s must be at most 86400"),
        ("whole_every_s = 60", "4: whole_s (90) must be less than whole_every_s (60): to send everything"),
        ("whole_s = 600\nwhole_every_s = 600", "4: whole_s (600) must be less than whole_every_s (600)"),
    ):
        assert [t for t in faults(whole(words)) if t.startswith(f"gateway.toml:{told}")], (words, faults(whole(words)))


def test_every_mistake_is_told_with_its_line() -> None:
    text = """[gateway]
name = ""
disk_budget_mib = 1
keep_raw_hours = "day"
speed = 3

[gateway.uplink]
url = "ftp://site"
key_env = "A"
key_file = "b"
certificate = "c.pem"

[gateway.thin]
method = "swinging"
error = 1
error_percent = 2

[[gateway.output]]
settings = { port = 1 }

[gateway.standby]
seconds = 1
"""
    told = faults(text)
    for line, words in [
        (2, "name must be a text"),
        (3, "at least 64"),
        (4, "must be a number"),
        (5, 'unknown key "speed"'),
        (8, "https://site.example"),
        (10, "both set"),
        (7, "belong together"),
        (14, 'did you mean "swinging_door"'),
        (16, "both set"),
        (18, '"output" is missing'),
        (21, '"group" is missing'),
        (22, "at least 5"),
    ]:
        assert [t for t in told if t.startswith(f"gateway.toml:{line}: ") and words in t], (line, words, told)


def test_a_file_without_the_table_is_no_gateway_file() -> None:
    assert faults(PLANT)[0].startswith('gateway.toml:1: the table "gateway" is missing')


def test_faults_of_plugins_name_the_setting() -> None:
    text = '[gateway]\nname = "g"\n[[gateway.output]]\noutput = "x"\n[gateway.output.settings]\nport = 99999\n' + PLANT
    with pytest.raises(ConfigurationError) as caught:
        parse_gateway(text, "g.toml", None, lambda *_: ["port: too high"])
    assert str(caught.value) == "g.toml:6: output settings: port: too high"


def test_what_only_a_start_would_find_is_told_with_its_line() -> None:
    text = """[gateway]
name = "g"
detectors = ["limit", "flatline"]

[gateway.thin]
max_gap_s = 0.5
error_percent = 101

[gateway.standby]
group = "pair"
[gateway.standby.broker]
hots = "broker"
"""
    with pytest.raises(ConfigurationError) as caught:
        parse_gateway(
            text + PLANT, "g.toml", validate_broker=lambda _: ["hots: unknown"], detectors=("limits", "flatline")
        )
    assert str(caught.value).splitlines() == [
        'g.toml:3: there is no detector "limit"; did you mean "limits"?',
        "g.toml:6: max_gap_s must be at least 1, not 0.5",
        "g.toml:7: error_percent must be at most 100, not 101",
        "g.toml:12: broker: hots: unknown",
    ]


def test_every_key_is_documented() -> None:
    text = DOCUMENT.read_text()
    for table, keys in KEYS.items():
        section = text.split(f"### `{table}`\n", 1)
        assert len(section) == 2, f"{DOCUMENT.name} has no heading ### `{table}`"
        body = re.split(r"\n##+ ", section[1])[0]
        assert [k for k in keys if f"`{k}`" not in body] == [], table
    for method in ThinMethod:
        assert f"`{method}`" in text


def test_the_documented_example_is_valid() -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        settings, plant = read(example)
        assert settings.uplink is not None
        assert plant.signals
