"""Readings pushed over HTTP: the specification's batches, single values, and other makers' webhooks by mapping."""

from typing import Final

from forewarn.plugins.connectors.webhook.connector import WebhookConnector

CONNECTOR: Final = WebhookConnector()
