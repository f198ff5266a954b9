"""Modbus client over TCP and serial lines: block reads, all four word orders."""

from typing import Final

from forewarn.plugins.connectors.modbus.connector import ModbusConnector

CONNECTOR: Final = ModbusConnector()
