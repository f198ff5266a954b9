"""From messages to columns, by what their topics say of them."""

import paho.mqtt.client as paho

from forewarn.domain.conditions import ConditionCode
from forewarn.kit.clock import SECOND
from forewarn.plugins.connectors.mqtt.gathered import Gathered
from forewarn.plugins.connectors.mqtt.mapped import Mapped
from forewarn.plugins.connectors.mqtt.names import Names
from forewarn.plugins.connectors.mqtt.payload import Translator
from forewarn.plugins.connectors.mqtt.settings import MqttSettings
from forewarn.plugins.connectors.mqtt.topics import TopicFinder, filter_of
from forewarn.plugins.mqtt_link.link import Subscription


class Reader:
    """From a message to columns by what its topic says of it."""

    def __init__(self, settings: MqttSettings, names: Names) -> None:
        self._translator = Translator(names)
        patterns = [*settings.topics, *(rule.topic for rule in settings.mapping)]
        self._finder = TopicFinder(patterns)
        telemetry: list[Mapped | None] = [None] * len(settings.topics)
        self._readers = telemetry + [
            None if rule.payload == "telemetry" else Mapped(rule, self._translator.names) for rule in settings.mapping
        ]
        self._ignore_retained = settings.retained == "ignore"

    def add(self, message: paho.MQTTMessage, offset_us: int, into: Gathered) -> None:
        """offset_us: our clock minus the monotonic one that messages are stamped with."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            into.reject(1, "a topic is not UTF-8", ConditionCode.NONSENSE)
            return
        found = self._finder.find(topic)
        if found is None:
            into.reject(1, f"topic {topic!r} is not among those asked for", ConditionCode.UNKNOWN_ADDRESS)
            return
        if message.retain and (self._ignore_retained or not message.payload):
            return
        number, named = found
        reader, received_us = self._readers[number], offset_us + int(message.timestamp * SECOND)
        payload = bytes(message.payload)
        if reader is None:
            self._translator.add(named.get("asset", ""), payload, received_us, into, retained=message.retain)
        else:
            reader.add(topic, named, payload, received_us, message.retain, into)


def subscriptions(settings: MqttSettings) -> list[Subscription]:
    """One a filter; where two patterns have the same, the higher qos."""
    wanted: dict[str, int] = {}
    for topic, qos in [
        *((topic, settings.qos) for topic in settings.topics),
        *((rule.topic, rule.qos) for rule in settings.mapping),
    ]:
        asked = filter_of(topic)
        wanted[asked] = max(qos, wanted.get(asked, 0))
    return [Subscription(topic, qos, settings.retained == "take") for topic, qos in wanted.items()]
