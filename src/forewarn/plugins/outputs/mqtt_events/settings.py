"""What the output's table in the gateway file may say."""

import string
from typing import Literal, Self

from pydantic import Field, model_validator

from forewarn.plugins.mqtt_link.settings import BrokerSettings


class MqttEventsSettings(BrokerSettings):
    when: Literal["away", "always"] = Field(
        "away", description="away: alarm events and findings while the site is not to be reached; always: at any time."
    )
    findings: bool = Field(True, description="Findings too, not alarm events alone.")
    events_topic: str = Field(
        "digital_twin/{asset}/events", min_length=1, description="Where events go; {asset}, {gateway} are filled in."
    )
    state_topic: str = Field(
        "forewarn/gateway/{gateway}/state", min_length=1, description="Where the gateway's state is kept, retained."
    )
    update_s: float = Field(1.0, gt=0, le=60, description="How often the state is looked at; told when it changed.")

    @model_validator(mode="after")
    def _topics(self) -> Self:
        for name, text, known in (
            ("events_topic", self.events_topic, {"asset", "gateway"}),
            ("state_topic", self.state_topic, {"gateway"}),
        ):
            try:
                fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if fields - known:
                raise ValueError(f"{name} names {sorted(fields - known)}; it may name {sorted(known)}")
            if "+" in text or "#" in text:
                raise ValueError(f"{name}: nothing can be published to wildcards")
        return self
