"""MQTT events: alarms and findings for whoever listens at the plant's broker, above all while the site is away."""

from typing import Final

from forewarn.plugins.outputs.mqtt_events.output import MqttEvents

OUTPUT: Final = MqttEvents()
