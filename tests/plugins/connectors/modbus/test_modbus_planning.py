"""Addresses, blocks and decoding: pure, so held to their laws by hypothesis."""

import math
import struct
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import ConfigurationError
from forewarn.plugins.connectors.modbus.address import (
    BIT_TABLES,
    BOOL,
    ORDERS,
    TYPES,
    Point,
    parse_address,
    parse_point,
)
from forewarn.plugins.connectors.modbus.blocks import MAX_BITS, MAX_REGISTERS, Most, plan_blocks, split_block
from forewarn.plugins.connectors.modbus.decode import Layout

units = st.integers(0, 3)
register_points = st.builds(
    Point,
    table=st.sampled_from(["holding", "input"]),
    register=st.integers(0, 600) | st.integers(0, 65532),
    type=st.sampled_from(sorted(TYPES)),
    unit=units,
    order=st.sampled_from(sorted(ORDERS)),
)
bit_points = st.builds(
    Point, table=st.sampled_from(BIT_TABLES), register=st.integers(0, 5000), type=st.just(BOOL), unit=units
)
points_lists = st.lists(register_points | bit_points, min_size=1, max_size=60)
gaps = st.integers(0, 124)


def check_cover(points, blocks) -> None:
    assert sorted(row for block in blocks for row in block.points) == list(range(len(points)))
    for block in blocks:
        assert 1 <= block.count <= (MAX_BITS if block.table in BIT_TABLES else MAX_REGISTERS)
        assert block.end <= 65536
        for row in block.points:
            point = points[row]
            assert (point.unit, point.table) == (block.unit, block.table)
            assert block.start <= point.register
            assert point.register + point.count <= block.end


@given(points_lists, gaps)
def test_every_point_lies_whole_in_one_block_within_the_limits(points, max_gap):
    check_cover(points, plan_blocks(points, max_gap))


@given(points_lists)
def test_without_gaps_no_unused_register_is_read(points):
    for block in plan_blocks(points, 0):
        used = {
            r for row in block.points for r in range(points[row].register, points[row].register + points[row].count)
        }
        assert used == set(range(block.start, block.end))


@given(points_lists, gaps)
def test_splitting_ends_with_one_point_a_block_and_loses_none(points, max_gap):
    blocks = plan_blocks(points, max_gap)
    for _ in range(3):
        check_cover(points, blocks)
        blocks = [part for block in blocks for part in split_block(points, block)]
    assert all(len(block.points) == 1 for block in blocks)


def test_a_hundred_and_twenty_five_neighbours_are_one_request():
    points = [Point("holding", register, "uint16", 1) for register in range(250)]
    assert [(block.start, block.count) for block in plan_blocks(points, 0)] == [(0, 125), (125, 125)]


LETTERS = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}
LETTERS |= {"float32": "f", "float64": "d"}


def words_of(value: float, kind: str, order: str) -> list[int]:
    """The registers a device of this order would hold, byte by byte as the letters say."""
    if kind.startswith("bcd"):
        packed = bytes.fromhex(f"{value:0{int(kind[3:]) // 4}d}")
    elif kind.startswith("bit"):
        packed = struct.pack(">H", value << int(kind[3:]))
    else:
        packed = struct.pack(">" + LETTERS[kind], value)
    words = [packed[i : i + 2] for i in range(0, len(packed), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return [int.from_bytes(word, "big") for word in words]


def value_of(words: list[int], kind: str, order: str) -> float:
    """One signal read by itself and decoded by hand."""
    parts = [word.to_bytes(2, "big") for word in words]
    if order in ("CDAB", "DCBA"):
        parts.reverse()
    if order in ("BADC", "DCBA"):
        parts = [part[::-1] for part in parts]
    packed = b"".join(parts)
    if kind.startswith("bcd"):
        return float(packed.hex()) if packed.hex().isdigit() else math.nan
    if kind.startswith("bit"):
        return float(int.from_bytes(packed, "big") >> int(kind[3:]) & 1)
    return float(struct.unpack(">" + LETTERS[kind], packed)[0])


def test_the_four_orders_spelled_out():
    """12.5 as float32 is 41 48 00 00."""
    assert words_of(12.5, "float32", "ABCD") == [0x4148, 0x0000]
    assert words_of(12.5, "float32", "CDAB") == [0x0000, 0x4148]
    assert words_of(12.5, "float32", "BADC") == [0x4841, 0x0000]
    assert words_of(12.5, "float32", "DCBA") == [0x0000, 0x4841]


@st.composite
def valued_points(draw):
    kind = draw(st.sampled_from(sorted(TYPES)))
    if kind.startswith("float"):
        value = draw(st.floats(width=int(kind[5:]), allow_nan=False))
    elif kind.startswith("bcd"):
        value = draw(st.integers(0, 10 ** (int(kind[3:]) // 4) - 1))
    elif kind.startswith("bit"):
        value = draw(st.integers(0, 1))
    else:
        bits, signed = int(kind.lstrip("uint")), not kind.startswith("u")
        value = draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else st.integers(0, 2**bits - 1))
    return kind, draw(st.sampled_from(sorted(ORDERS))), value


@given(st.lists(valued_points(), min_size=1, max_size=40), gaps, st.integers(0, 9))
def test_decoding_gives_back_what_the_device_holds(chosen, max_gap, space):
    device, points, at = {}, [], 0
    for kind, order, value in chosen:
        points.append(Point("holding", at, kind, 1, order))
        device.update(enumerate(words_of(value, kind, order), start=at))
        at += points[-1].count + space
    blocks = plan_blocks(points, max_gap)
    layout = Layout(points, blocks)
    memory = np.zeros(layout.size, np.uint16)
    for block, span in zip(blocks, layout.spans, strict=True):
        memory[span] = [device.get(register, 0xDEAD) for register in range(block.start, block.end)]
    assert layout.decode(memory).tolist() == [float(value) for _, _, value in chosen]


manual_digit = {"coil": "0", "discrete": "1", "input": "3", "holding": "4"}


@st.composite
def maps(draw):
    """Rows of a register map: how the address is spelled, and what it stands for."""
    rows = []
    for _ in range(draw(st.integers(1, 50))):
        table = draw(st.sampled_from(["holding", "input", *BIT_TABLES]))
        register = draw(st.integers(0, 500) | st.integers(9_990, 10_010))
        kind = BOOL if table in BIT_TABLES else draw(st.sampled_from(sorted(TYPES)))
        order = "ABCD" if kind == BOOL else draw(st.sampled_from(sorted(ORDERS)))
        digits = draw(st.sampled_from([4, 5] if register < 9_999 else [5]))
        spelled = draw(st.sampled_from([f"{table}:{register}", f"{manual_digit[table]}{register + 1:0{digits}d}"]))
        rows.append((spelled, table, register, kind, order))
    return rows


@given(maps(), gaps, st.integers(4, 125), st.integers(1, 2000), st.integers(0, 2**32))
def test_blocks_of_any_map_say_what_reading_each_signal_alone_says(rows, max_gap, registers, bits, seed):
    random = Random(seed)
    device = {table: random.choices(range(65536), k=10_020) for table in ("holding", "input")}
    device |= {table: random.choices(range(2), k=10_020) for table in BIT_TABLES}
    points = [
        parse_point(spelled + ("" if kind == BOOL else f":{kind}:{order}"), 1) for spelled, _, _, kind, order in rows
    ]
    blocks = plan_blocks(points, max_gap, most=Most(registers, bits))
    layout = Layout(points, blocks)
    memory = np.zeros(layout.size, np.uint16)
    for block, span in zip(blocks, layout.spans, strict=True):
        assert block.count <= (bits if block.table in BIT_TABLES else registers)
        memory[span] = device[block.table][block.start : block.end]
    alone = [
        float(device[table][register])
        if kind == BOOL
        else value_of(device[table][register : register + TYPES[kind][1]], kind, order)
        for _, table, register, kind, order in rows
    ]
    np.testing.assert_array_equal(layout.decode(memory), alone)


def test_what_is_no_binary_coded_decimal_is_no_number():
    points = [Point("holding", 0, "bcd16", 1), Point("holding", 1, "bcd16", 1)]
    layout = Layout(points, plan_blocks(points, 0))
    assert layout.decode(np.array([0x1234, 0x12A4], np.uint16)).tolist() == [1234.0, pytest.approx(np.nan, nan_ok=True)]


def test_scale_and_offset():
    points = [Point("input", 0, "int16", 1, scale=0.1, offset=-40.0)]
    layout = Layout(points, plan_blocks(points, 0))
    assert layout.decode(np.array([1234], np.uint16))[0] == pytest.approx(83.4)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("holding:100:float32", Point("holding", 100, "float32", 1)),
        ("holding:0:float32:CDAB:scale=0.1:unit=3", Point("holding", 0, "float32", 3, "CDAB", 0.1)),
        ("input:7:int16:offset=-40:scale=0.5", Point("input", 7, "int16", 1, "ABCD", 0.5, -40.0)),
        ("coil:12", Point("coil", 12, "bool", 1)),
        ("coil:12:bool:unit=2", Point("coil", 12, "bool", 2)),
        ("discrete:65535", Point("discrete", 65535, "bool", 1)),
        ("40101:float32:CDAB", Point("holding", 100, "float32", 1, "CDAB")),
        ("400101:float32:CDAB", Point("holding", 100, "float32", 1, "CDAB")),
        ("30001:int16:unit=7", Point("input", 0, "int16", 7)),
        ("10008", Point("discrete", 7, "bool", 1)),
        ("00013:unit=2", Point("coil", 12, "bool", 2)),
        ("465536:uint16", Point("holding", 65535, "uint16", 1)),
        ("holding:3:bit15", Point("holding", 3, "bit15", 1)),
        ("holding:3:bcd32:DCBA:poll=fast", Point("holding", 3, "bcd32", 1, "DCBA", poll="fast")),
    ],
)
def test_addresses(text, point):
    assert parse_address(text, "p.s", 1) == point


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "none of holding"),
        ("register:1:int16", "'register' is none of holding, input, coil, discrete"),
        ("holding", "register is missing"),
        ("holding:x:int16", "register 'x'"),
        ("holding:70000:int16", "register '70000'"),
        ("holding:65535:float32", "runs past the last"),
        ("holding:1", "type is missing"),
        ("holding:1:float", "type is 'float'"),
        ("holding:1:float32:ACBD", "'ACBD' is no word order"),
        ("holding:1:float32:scale=x", "scale 'x'"),
        ("holding:1:float32:scale=nan", "scale 'nan'"),
        ("holding:1:float32:factor=2", "'factor=2'"),
        ("holding:1:float32:unit=1:unit=2", "'unit=2'"),
        ("holding:1:float32:unit=256", "unit '256'"),
        ("coil:1:int16", "a coil is a bool"),
        ("100:int16", "may be counted from zero or from one"),
        ("40000:int16", "may be counted from zero or from one"),
        ("20001:int16", "may be counted from zero or from one"),
        ("465537:int16", "may be counted from zero or from one"),
        ("holding:1:bit16", "type is 'bit16'"),
        ("coil:1:bool:CDAB", "'CDAB' is no word order"),
    ],
)
def test_a_wrong_address_is_named_with_its_fault(text, why):
    with pytest.raises(ConfigurationError) as raised:
        parse_address(text, "pump.s1", 1)
    assert "pump.s1" in str(raised.value)
    assert repr(text) in str(raised.value)
    assert why in str(raised.value)


@given(st.text(alphabet="abcdefghijklnopt:=0123456789.ABCDuint", max_size=40))
def test_any_text_is_an_address_or_a_named_fault(text):
    try:
        found: object = parse_address(text, "pump.s1", 1)
    except ConfigurationError as error:
        found = str(error)
    assert isinstance(found, Point) or "pump.s1" in str(found)
