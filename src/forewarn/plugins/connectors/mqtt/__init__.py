"""MQTT 3.1.1 and 5 client for JSON telemetry."""

from typing import Final

from forewarn.plugins.connectors.mqtt.connector import MqttConnector

CONNECTOR: Final = MqttConnector()
