"""Modbus status map: what a SCADA reads from a gateway, above all while the site is away."""

from typing import Final

from forewarn.plugins.outputs.modbus_status.output import ModbusStatus
from forewarn.plugins.outputs.modbus_status.status_map import MapRow, csv_text, map_rows

OUTPUT: Final = ModbusStatus()

__all__ = ["OUTPUT", "MapRow", "csv_text", "map_rows"]
