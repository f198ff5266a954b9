"""OPC UA client: subscriptions decoded straight into columns."""

from typing import Final

from forewarn.plugins.connectors.opcua.connector import OpcUaConnector

CONNECTOR: Final = OpcUaConnector()
