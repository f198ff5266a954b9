"""What an OPC UA source's table in the plant file may say."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class OpcUaSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^opc\.tcp://[^/:]+:\d+", description="Endpoint, `opc.tcp://host:port/path`.")
    security: Literal["None", "Basic256Sha256"] = Field(
        "None", description="Security policy; Basic256Sha256 signs and encrypts and needs certificate and private_key."
    )
    certificate: Path | None = Field(None, description="Our certificate, DER or PEM.")
    private_key: Path | None = Field(None, description="Its private key, PEM or DER.")
    server_certificate: Path | None = Field(
        None, description="The server's certificate, pinned. Without it the first one the server shows is believed."
    )
    application_uri: str = Field("urn:forewarn:gateway", description="Our application URI, as in our certificate.")
    user: str | None = Field(None, description="User name; anonymous without one.")
    password_env: str | None = Field(None, description="Environment variable that holds the user's password.")
    password_file: Path | None = Field(None, description="File that holds it; white space around it does not count.")
    publishing_interval_ms: float = Field(250.0, gt=0, description="How often the server sends what has changed.")
    sampling_interval_ms: float = Field(
        -1.0, ge=-1, description="How often the server looks at each node; -1: as often as it publishes; 0: fastest."
    )
    queue_size: int = Field(10, ge=1, description="Samples of a node the server keeps between two publishes.")
    keepalive_s: float = Field(2.0, gt=0, description="With nothing changed, the server says so this often.")
    silent_keepalives: int = Field(3, ge=2, description="Keepalives missed before the connection is rebuilt.")
    publish_requests: int = Field(6, ge=1, le=50, description="Publish requests kept in flight.")
    timeout_s: float = Field(4.0, gt=0, description="Longest wait for any other answer.")
    retry_refused_s: float = Field(10.0, gt=0, description="How often nodes the server refused are asked for again.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.security != "None" and not (self.certificate and self.private_key):
            raise ValueError(f"security {self.security!r} needs certificate and private_key")
        if (self.password_env or self.password_file) and not self.user:
            raise ValueError("password_env or password_file is given without user")
        if self.password_env and self.password_file:
            raise ValueError("password_env and password_file are both given: remove one of them")
        return self
