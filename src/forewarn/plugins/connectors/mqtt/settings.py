"""What an MQTT source's table in the plant file may say."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from forewarn.plugins.connectors.mqtt.topics import check_pattern, names_in
from forewarn.plugins.mqtt_link.settings import BrokerSettings

TELEMETRY_TOPIC = "digital_twin/+/telemetry"


class WillSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str = Field(pattern=r"^[^+#]+$", description="Where it is told whether we are there; no wildcards.")
    offline: str = Field("offline", description="What the broker publishes when we are gone.")
    online: str = Field("online", description="What we publish when we are there.")
    retain: bool = Field(True, description="The broker keeps it for whoever asks later.")


class MappingSettings(BaseModel):
    """One kind of message: where it is published and where in it the readings are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str = Field(
        min_length=1,
        description="Topic filter; {name} stands for one level and gives it a name, as does + without one.",
    )
    payload: Literal["telemetry", "json", "fields", "number"] = Field(
        "json",
        description="telemetry: as without a mapping; json: by paths; fields: an object of numbers; number: text.",
    )
    signal: str = Field(
        "", description="What names the signal, made of the topic's names, {topic} and {sensor}; see README."
    )
    each: str = Field("", description="json: path of a list whose items are readings; the whole message without one.")
    sensor: str = Field("", description="json: path of the name that {sensor} stands for.")
    value: str = Field("value", description="json: path of the value; fields: path of the object, '' = the message.")
    time: str = Field("", description="json, fields: path of the time; time of reception without one.")
    time_unit: Literal["s", "ms", "us", "iso"] = Field("ms", description="Unit of numbers there; iso: RFC 3339 text.")
    quality: str = Field("", description="json: path of the quality: good, uncertain, bad or a StatusCode.")
    qos: Literal[0, 1] = Field(1, description="0: unacknowledged; 1: the broker keeps it until it is on our disk.")

    @model_validator(mode="after")
    def _understood(self) -> Self:
        check_pattern(self.topic)
        known = {*names_in(self.topic), "topic", "sensor"}
        unknown = [name for name in names_in(self.signal) if name not in known]
        if unknown:
            raise ValueError(f"signal names {{{unknown[0]}}}, which is none of: {', '.join(sorted(known))}")
        if self.payload == "json" and not self.value:
            raise ValueError("payload json needs the path of the value")
        if "{sensor}" in self.signal and self.payload == "json" and not self.sensor:
            raise ValueError("signal names {sensor}, but there is no path of it")
        return self


class MqttSettings(BrokerSettings):
    topics: tuple[str, ...] = Field(
        (TELEMETRY_TOPIC,),
        description="Filters of telemetry topics; the first + is the asset's id. None if there is a mapping only.",
    )
    qos: Literal[0, 1] = Field(1, description="Of topics: 0: unacknowledged; 1: kept until it is on our disk.")
    mapping: tuple[MappingSettings, ...] = Field((), description="Other kinds of messages, the first that fits counts.")
    retained: Literal["take", "ignore"] = Field(
        "take", description="What the broker held of a topic before we asked: a reading, or nothing."
    )
    will: WillSettings | None = Field(None, description="Where it is told whether we are there; nowhere without it.")
    session_expiry_s: int = Field(86_400, ge=0, description="MQTT 5: how long the broker keeps our messages for us.")
    gather_ms: float = Field(20.0, ge=0, le=50, description="Longest a message waits for others to share its batch.")
    gather_messages: int = Field(
        20, ge=1, description="So many waiting messages go at once; not above the broker's in-flight limit."
    )

    @model_validator(mode="before")
    @classmethod
    def _only_mapped(cls, given: object) -> object:
        if isinstance(given, dict) and given.get("mapping") and "topics" not in given:
            return {**given, "topics": ()}
        return given

    @model_validator(mode="after")
    def _something_to_take(self) -> Self:
        if not self.topics and not self.mapping:
            raise ValueError("neither topics nor a mapping is given: there is nothing to take")
        for topic in self.topics:
            check_pattern(topic)
        return self
