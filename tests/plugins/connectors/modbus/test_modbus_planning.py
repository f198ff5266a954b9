"""Addresses, blocks and decoding: pure, so held to their laws by hypothesis."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import ConfigurationError
from forewarn.plugins.connectors.modbus.address import BIT_TABLES, BOOL, ORDERS, TYPES, Point, parse_address
from forewarn.plugins.connectors.modbus.blocks import MAX_BITS, MAX_REGISTERS, plan_blocks, split_block
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


def words_of(value: float, kind: str, order: str) -> list[int]:
    """The registers a device of this order would hold, byte by byte as the letters say."""
    letters = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q"}
    packed = struct.pack(">" + {**letters, "float32": "f", "float64": "d"}[kind], value)
    words = [packed[i : i + 2] for i in range(0, len(packed), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return [int.from_bytes(word, "big") for word in words]


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
