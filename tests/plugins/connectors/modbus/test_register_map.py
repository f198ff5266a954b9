"""The register map: every wrong line is told at once, with its file, number and reason."""

import pytest

from forewarn.domain.errors import ConfigurationError
from forewarn.plugins.connectors.modbus.address import Point
from forewarn.plugins.connectors.modbus.register_map import load_map
from forewarn.plugins.connectors.modbus.settings import ModbusSettings


def map_of(tmp_path, text: str, **more: object):
    path = tmp_path / "pump.csv"
    path.write_text(text)
    return load_map(ModbusSettings.model_validate({"host": "h", "map": str(path), **more}))


def test_names_stand_for_addresses(tmp_path):
    registers = map_of(
        tmp_path,
        "# Feed pump, manual p. 31\n"
        "name, address, type, order, scale, offset, unit, poll, description\n"
        "\n"
        "pressure, 40101, float32, CDAB, 0.1, -1, 3, slow, discharge\n"
        "running, 00013\n"
        "trip, holding:7, bit3\n",
        polls={"slow": 10.0, "fast": 0.1},
    )
    assert registers.point("pressure", "p.s") == Point("holding", 100, "float32", 3, "CDAB", 0.1, -1.0, "slow")
    assert registers.point("running", "p.s") == Point("coil", 12, "bool", 1)
    assert registers.point("trip", "p.s") == Point("holding", 7, "bit3", 1)
    assert registers.point("trip:unit=9:poll=fast", "p.s") == Point("holding", 7, "bit3", 9, poll="fast")
    assert registers.point("input:4:int16", "p.s") == Point("input", 4, "int16", 1)


def test_semicolons_and_a_byte_order_mark_as_spreadsheets_write_them(tmp_path):
    registers = map_of(tmp_path, "\ufeffName;Address;Type\r\nspeed;30002;uint16\r\n")
    assert registers.point("speed", "p.s") == Point("input", 1, "uint16", 1)


def test_a_map_in_the_plant_file():
    entries = [{"name": "speed", "address": 30002, "type": "uint16", "scale": 0.5}]
    registers = load_map(ModbusSettings.model_validate({"host": "h", "registers": entries}))
    assert registers.point("speed", "p.s") == Point("input", 1, "uint16", 1, scale=0.5)


def test_every_wrong_line_is_told_at_once(tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        map_of(
            tmp_path,
            "name,address,type,order,scale,unit,poll\n"
            "a,40101,float\n"
            "b,100,int16\n"
            "c,holding:5,int16\n"
            "c,holding:6,int16\n"
            "d,holding:7,int16,,x\n"
            "e,holding:8,int16,,,300\n"
            "f,holding:9,int16,,,,hourly\n"
            ",holding:9,int16\n"
            "g,,int16\n"
            "h,holding:9,int16,ABCD,1,1,,8\n"
            "i,holding:65535,float32\n",
            registers=[{"name": "c", "address": "holding:5", "type": "int16"}],
        )
    told = str(raised.value).splitlines()[1:]
    reasons = [
        "2: 'a': type is 'float'",
        "3: 'b': '100' may be counted from zero or from one",
        "5: the name 'c' stands there already",
        "6: 'd': scale 'x'",
        "7: 'e': unit '300'",
        "8: 'f': poll 'hourly' is none of the source's polls: it has none",
        "9: the name '' must be a word",
        "10: address '' is neither",
        "11: 8 cells under 7 columns",
        "12: 'i': a float32 at register 65535 runs past the last one",
        "settings.registers, entry 1: the name 'c' stands there already",
    ]
    assert len(told) == len(reasons)
    for line, reason in zip(told, reasons, strict=True):
        assert reason in line
    assert all(line.startswith(f"{tmp_path}/pump.csv:") for line in told[:-1])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name,type\n", "pump.csv:1: the columns are wrong (missing: 'address')"),
        ("name,address,adress\n", "unknown: 'adress'"),
        ("name,name,address\n", "twice: 'name'"),
        ("# nothing\n", "is empty"),
    ],
)
def test_a_header_that_is_wrong(tmp_path, text, why):
    with pytest.raises(ConfigurationError) as raised:
        map_of(tmp_path, text)
    assert why in str(raised.value)


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigurationError, match=r"no\.csv: cannot be read: No such file.*relative path begins at"):
        load_map(ModbusSettings.model_validate({"host": "h", "map": "no.csv"}))


def test_a_name_that_no_map_holds_is_named_with_its_signal(tmp_path):
    registers = map_of(tmp_path, "name,address,type\nspeed,30002,uint16\n")
    with pytest.raises(ConfigurationError, match=r"pump\.s1.*'sped'.*a name of the register map"):
        registers.point("sped", "pump.s1")
    with pytest.raises(ConfigurationError, match="'factor=2' is none of scale="):
        registers.point("speed:factor=2", "pump.s1")


@pytest.mark.parametrize(
    "settings", [{}, {"transport": "rtu", "host": "h"}, {"transport": "rtu_over_tcp", "serial_port": "/dev/ttyS0"}]
)
def test_settings_that_reach_nothing_are_refused(settings):
    with pytest.raises(ValueError, match="needs"):
        ModbusSettings.model_validate(settings)
