"""What every plugin that speaks MQTT may be told of its broker."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class BrokerSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, description="Name or address of the broker.")
    port: int = Field(1883, ge=1, le=65535, description="TCP port; 8883 is usual with tls.")
    protocol: Literal["3.1.1", "5"] = Field("3.1.1", description="MQTT version.")
    client_id: str | None = Field(
        None, description="Names our session at the broker, unique there; `forewarn-<name>` without one."
    )
    tls: bool = Field(False, description="Encrypt the connection.")
    ca: Path | None = Field(None, description="Certificates that may sign the broker's; the system's without one.")
    certificate: Path | None = Field(None, description="Our certificate, PEM.")
    private_key: Path | None = Field(None, description="Its private key, PEM.")
    user: str | None = Field(None, description="User name; anonymous without one.")
    password_env: str | None = Field(None, description="Environment variable that holds the user's password.")
    password_file: Path | None = Field(None, description="File that holds it; white space around it does not count.")
    keepalive_s: int = Field(5, ge=1, le=65535, description="Longest silence; after two of them the broker is lost.")
    timeout_s: float = Field(5.0, gt=0, description="Longest wait for the connection to stand.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.tls and (self.ca or self.certificate or self.private_key):
            raise ValueError("ca, certificate and private_key are given without tls = true")
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        if (self.password_env or self.password_file) and not self.user:
            raise ValueError("password_env or password_file is given without user")
        if self.password_env and self.password_file:
            raise ValueError("password_env and password_file are both given: remove one of them")
        return self
