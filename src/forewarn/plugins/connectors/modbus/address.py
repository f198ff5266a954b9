"""A Modbus signal's address: `<where>:<type>[:<order>][:scale=0.1][:offset=0][:unit=3][:poll=fast]`.

where: `<table>:<register>`, from zero as in the protocol, or the number of the device's manual, from one, in five or
six digits: 40101 and 400101 are holding:100.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError

REGISTER_TABLES: Final = ("holding", "input")
BIT_TABLES: Final = ("coil", "discrete")
# type -> (numpy type in network order, registers)
TYPES: Final = {
    "int16": (">i2", 1),
    "uint16": (">u2", 1),
    "int32": (">i4", 2),
    "uint32": (">u4", 2),
    "int64": (">i8", 4),
    "uint64": (">u8", 4),
    "float32": (">f4", 2),
    "float64": (">f8", 4),
    "bcd16": (">u2", 1),
    "bcd32": (">u4", 2),
} | {f"bit{bit}": (">u2", 1) for bit in range(16)}
BOOL: Final = "bool"
# order -> (words swapped, bytes in each word swapped)
ORDERS: Final = {"ABCD": (False, False), "CDAB": (True, False), "BADC": (False, True), "DCBA": (True, True)}
_TABLE_OF_DIGIT: Final = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_OPTIONS: Final = ("scale", "offset", "unit", "poll")
_KINDS: Final = f"{', '.join(kind for kind in TYPES if not kind.startswith('bit'))}, bit0 to bit15"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a signal lies: value = raw * scale + offset. `count`: registers (or bits) it takes from `register` on.
    poll: its poll group, '' for the source's own interval."""

    table: str
    register: int
    type: str
    unit: int
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    poll: str = ""

    @property
    def count(self) -> int:
        return 1 if self.type == BOOL else TYPES[self.type][1]


class WrongAddress(Exception):
    """Why an address cannot be read."""


def parse_address(
    address: str | None, signal_id: str, default_unit: int, polls: Collection[str] | None = None
) -> Point:
    """polls: the poll groups there are; None = any.

    Raises ConfigurationError that names the signal, its address and the part that is wrong."""
    try:
        return parse_point(address or "", default_unit, polls)
    except WrongAddress as wrong:
        raise wrong_address(signal_id, address, wrong) from None


def wrong_address(signal_id: str, address: str | None, wrong: WrongAddress) -> ConfigurationError:
    return ConfigurationError(
        f"signal {signal_id!r}: address {address!r}: {wrong}; "
        "write it like holding:100:float32:CDAB:scale=0.1:unit=3, or as a name of the register map",
        condition=ConditionCode.UNKNOWN_ADDRESS,
    )


def parse_point(address: str, default_unit: int, polls: Collection[str] | None = None) -> Point:
    """Raises WrongAddress."""
    table, register, rest = _place(address)
    kind, options = _type(table, rest)
    order = "ABCD"
    if options and "=" not in options[0]:
        order, *options = options
        if kind == BOOL or order not in ORDERS:
            raise WrongAddress(f"{order!r} is no word order of {kind}; there are {', '.join(ORDERS)}")
    point = with_options(Point(table, register, kind, default_unit, order), options, polls)
    if register + point.count > 65536:
        raise WrongAddress(f"a {kind} at register {register} runs past the last one, 65535")
    return point


def with_options(point: Point, options: Collection[str], polls: Collection[str] | None = None) -> Point:
    """The point with `scale=`, `offset=`, `unit=`, `poll=` as said. Raises WrongAddress."""
    settings = _options(options)
    unit = _whole(settings.get("unit", str(point.unit)), "unit", 255)
    scale = _number(settings["scale"], "scale") if "scale" in settings else point.scale
    offset = _number(settings["offset"], "offset") if "offset" in settings else point.offset
    poll = settings.get("poll", point.poll)
    if poll and polls is not None and poll not in polls:
        raise WrongAddress(f"poll {poll!r} is none of the source's polls: {', '.join(polls) or 'it has none'}")
    return Point(point.table, point.register, point.type, unit, point.order, scale, offset, poll)


def _place(address: str) -> tuple[str, int, list[str]]:
    """Table, register and what follows them."""
    first, *rest = address.split(":")
    if first.isascii() and first.isdigit():
        return *_manual_number(first), rest
    if first not in REGISTER_TABLES + BIT_TABLES:
        raise WrongAddress(f"{first!r} is none of holding, input, coil, discrete")
    if not rest:
        raise WrongAddress("the register is missing")
    return first, _whole(rest[0], "register", 65535), rest[1:]


def _manual_number(text: str) -> tuple[str, int]:
    """Five digits reach to the 9999th, six to the 65536th of a table; less would leave the table unsaid."""
    table, number = _TABLE_OF_DIGIT.get(text[0]), int(text[1:] or "0")
    if len(text) not in (5, 6) or table is None or not 1 <= number <= 65536:
        raise WrongAddress(
            f"{text!r} may be counted from zero or from one: write holding:100 (from zero), or 40101 or 400101 as in "
            "the manual (from one; the first digit is 0 coil, 1 discrete, 3 input, 4 holding; five or six digits)"
        )
    return table, number - 1


def _type(table: str, rest: list[str]) -> tuple[str, list[str]]:
    """The type and what follows it; a bit table may leave its only type out."""
    if table in BIT_TABLES:
        if not rest or "=" in rest[0]:
            return BOOL, rest
        if rest[0] != BOOL:
            raise WrongAddress(f"a {table} is a bool, not {rest[0]!r}")
        return BOOL, rest[1:]
    if not rest or rest[0] not in TYPES:
        given = repr(rest[0]) if rest else "missing"
        raise WrongAddress(f"type is {given}; there are {_KINDS}")
    return rest[0], rest[1:]


def _options(options: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals or name not in _OPTIONS or name in found:
            raise WrongAddress(f"{option!r} is none of scale=, offset=, unit=, poll=, each once at the most")
        found[name] = text
    return found


def _whole(text: str, what: str, highest: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > highest:
        raise WrongAddress(f"{what} {text!r} is no whole number from 0 to {highest}")
    return int(text)


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise WrongAddress(f"{what} {text!r} is no number")
    return number
