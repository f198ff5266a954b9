"""A Modbus signal's address: `<table>:<register>:<type>[:<order>][:scale=0.1][:offset=0][:unit=3]`."""

import math
from dataclasses import dataclass
from typing import Final

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
}
BOOL: Final = "bool"
# order -> (words swapped, bytes in each word swapped)
ORDERS: Final = {"ABCD": (False, False), "CDAB": (True, False), "BADC": (False, True), "DCBA": (True, True)}


@dataclass(frozen=True, slots=True)
class Point:
    """Where a signal lies: value = raw * scale + offset. `count`: registers (or bits) it takes from `register` on."""

    table: str
    register: int
    type: str
    unit: int
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0

    @property
    def count(self) -> int:
        return 1 if self.type == BOOL else TYPES[self.type][1]


class _Wrong(Exception):
    """Why an address cannot be read."""


def parse_address(address: str | None, signal_id: str, default_unit: int) -> Point:
    """Raises ConfigurationError that names the signal, its address and the part that is wrong."""
    try:
        return _parse(address or "", default_unit)
    except _Wrong as wrong:
        raise ConfigurationError(
            f"signal {signal_id!r}: address {address!r}: {wrong}; "
            "write it like holding:100:float32:CDAB:scale=0.1:unit=3"
        ) from None


def _parse(address: str, default_unit: int) -> Point:
    table, *rest = address.split(":")
    if table not in REGISTER_TABLES + BIT_TABLES:
        raise _Wrong(f"{table!r} is none of holding, input, coil, discrete")
    if not rest:
        raise _Wrong("the register is missing")
    register = _whole(rest[0], "register", 65535)
    kind, options = _type(table, rest[1:])
    order = "ABCD"
    if options and "=" not in options[0]:
        order, *options = options
        if kind == BOOL or order not in ORDERS:
            raise _Wrong(f"{order!r} is no word order of {kind}; there are {', '.join(ORDERS)}")
    settings = _options(options)
    unit = _whole(settings.pop("unit", str(default_unit)), "unit", 255)
    scale, offset = (_number(settings.get(name, preset), name) for name, preset in (("scale", "1"), ("offset", "0")))
    point = Point(table, register, kind, unit, order, scale, offset)
    if register + point.count > 65536:
        raise _Wrong(f"a {kind} at register {register} runs past the last one, 65535")
    return point


def _type(table: str, rest: list[str]) -> tuple[str, list[str]]:
    """The type and what follows it; a bit table may leave its only type out."""
    if table in BIT_TABLES:
        if not rest or "=" in rest[0]:
            return BOOL, rest
        if rest[0] != BOOL:
            raise _Wrong(f"a {table} is a bool, not {rest[0]!r}")
        return BOOL, rest[1:]
    if not rest or rest[0] not in TYPES:
        given = repr(rest[0]) if rest else "missing"
        raise _Wrong(f"type is {given}; there are {', '.join(TYPES)}")
    return rest[0], rest[1:]


def _options(options: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals or name not in ("scale", "offset", "unit") or name in found:
            raise _Wrong(f"{option!r} is none of scale=, offset=, unit=, each once at the most")
        found[name] = text
    return found


def _whole(text: str, what: str, highest: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > highest:
        raise _Wrong(f"{what} {text!r} is no whole number from 0 to {highest}")
    return int(text)


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _Wrong(f"{what} {text!r} is no number")
    return number
