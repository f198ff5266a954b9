"""The register map: names for a device's registers, from a CSV file or written into the plant file."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from forewarn.domain.errors import ConfigurationError
from forewarn.plugins.connectors.modbus.address import Point, WrongAddress, parse_point, with_options, wrong_address
from forewarn.plugins.connectors.modbus.settings import ModbusSettings

COLUMNS: Final = ("name", "address", "type", "order", "scale", "offset", "unit", "poll")
_NEEDED: Final = ("name", "address")
_COMMENT: Final = "description"


class RegisterMap:
    """Points by name; a signal's address is a name (`speed`, `speed:unit=3:poll=fast`) or spelled out."""

    def __init__(self, points: Mapping[str, Point], settings: ModbusSettings) -> None:
        self._points = dict(points)
        self._settings = settings

    def __len__(self) -> int:
        return len(self._points)

    def point(self, address: str | None, signal_id: str) -> Point:
        """Raises ConfigurationError that names the signal, its address and the part that is wrong."""
        name, *options = (address or "").split(":")
        try:
            if name in self._points:
                return with_options(self._points[name], options, self._settings.polls)
            return parse_point(address or "", self._settings.unit, self._settings.polls)
        except WrongAddress as wrong:
            raise wrong_address(signal_id, address, wrong) from None


def load_map(settings: ModbusSettings) -> RegisterMap:
    """The file's lines and the plant file's own.

    Raises ConfigurationError with every wrong line: its file, number and reason."""
    points: dict[str, Point] = {}
    faults: list[str] = []
    for where, row in _rows(settings, faults):
        try:
            name, point = _entry(row, settings)
            if name in points:
                raise WrongAddress(f"the name {name!r} stands there already")
            points[name] = point
        except WrongAddress as wrong:
            faults.append(f"{where}: {wrong}")
    if faults:
        raise ConfigurationError("the register map is wrong:\n" + "\n".join(faults))
    return RegisterMap(points, settings)


def _rows(settings: ModbusSettings, faults: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each entry stands, and its columns."""
    if settings.map:
        yield from _file_rows(settings.map, faults)
    for number, entry in enumerate(settings.registers, start=1):
        yield f"settings.registers, entry {number}", entry.model_dump()


def _file_rows(path: str, faults: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        lines = Path(path).read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        faults.append(f"{path}: cannot be read: {reason}; a relative path begins at {Path.cwd()}")
        return
    header: list[str] | None = None
    separator = ","
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if header is None:
            separator = ";" if line.count(";") > line.count(",") else ","
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
        if header is None:
            header = [cell.lower() for cell in cells]
            if wrong := _header_fault(header):
                faults.append(f"{path}:{number}: {wrong}")
                return
        elif len(cells) > len(header) and any(cells[len(header) :]):
            faults.append(f"{path}:{number}: {len(cells)} cells under {len(header)} columns")
        else:
            yield f"{path}:{number}", dict(zip(header, cells, strict=False))
    if header is None:
        faults.append(f"{path}: is empty; its first line names the columns: {','.join(COLUMNS)}")


def _header_fault(header: list[str]) -> str:
    unknown = [name for name in header if name not in (*COLUMNS, _COMMENT)]
    missing = [name for name in _NEEDED if name not in header]
    twice = {name for name in header if header.count(name) > 1}
    if unknown or missing or twice:
        parts = [("unknown", unknown), ("missing", missing), ("twice", sorted(twice))]
        told = "; ".join(f"{what}: {', '.join(map(repr, names))}" for what, names in parts if names)
        return f"the columns are wrong ({told}); there are {', '.join(COLUMNS)} and {_COMMENT}"
    return ""


def _entry(row: Mapping[str, str], settings: ModbusSettings) -> tuple[str, Point]:
    name, address = row["name"], row.get("address", "")
    if not name or ":" in name or name.isdigit():
        raise WrongAddress(f"the name {name!r} must be a word without ':', so that no address looks like it")
    words = [address, *(row.get(key, "") for key in ("type", "order"))]
    options = [f"{key}={row[key]}" for key in ("scale", "offset", "unit", "poll") if row.get(key)]
    if not address or "=" in address or address.count(":") > 1:
        raise WrongAddress(f"address {address!r} is neither like holding:100 nor like 40101")
    try:
        point = parse_point(":".join([*(word for word in words if word), *options]), settings.unit, settings.polls)
    except WrongAddress as wrong:
        raise WrongAddress(f"{name!r}: {wrong}") from None
    return name, point
