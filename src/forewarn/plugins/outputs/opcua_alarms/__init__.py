"""OPC UA server with the gateway's alarms, in the shape of Part 9's state, as plain nodes."""

from typing import Final

from forewarn.plugins.outputs.opcua_alarms.output import OpcUaAlarms

OUTPUT: Final = OpcUaAlarms()
