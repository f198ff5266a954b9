"""One MQTT session on the asyncio loop, for every plugin that speaks MQTT; no plugin itself."""
