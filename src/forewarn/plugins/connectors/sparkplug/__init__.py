"""Sparkplug B host application."""

from typing import Final

from forewarn.plugins.connectors.sparkplug.connector import SparkplugConnector

CONNECTOR: Final = SparkplugConnector()
