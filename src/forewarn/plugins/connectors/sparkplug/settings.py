"""What a Sparkplug source's table in the plant file may say."""

from pydantic import Field, field_validator

from forewarn.plugins.mqtt_link.settings import BrokerSettings

_FORBIDDEN = "+/#"


class SparkplugSettings(BrokerSettings):
    host_id: str = Field(
        "forewarn", min_length=1, description="Our host id (spBv1.0/STATE/<host_id>), unique at the broker."
    )
    groups: tuple[str, ...] = Field((), description="Group ids to listen to; all (spBv1.0/#) without any.")
    reorder_timeout_s: float = Field(
        2.0,
        gt=0,
        description="How long a message that came too early waits for those before; then a rebirth is asked.",
    )
    rebirth_interval_s: float = Field(10.0, gt=0, description="Least time between two such requests to one edge node.")
    gather_ms: float = Field(20.0, ge=0, le=50, description="Longest a message waits for others to share its batch.")

    @field_validator("host_id", "groups")
    @classmethod
    def _plain(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for text in (given,) if isinstance(given, str) else given:
            if not text or any(mark in text for mark in _FORBIDDEN):
                raise ValueError(f"{text!r} is no Sparkplug id: it is empty or has one of {_FORBIDDEN} in it")
        return given
