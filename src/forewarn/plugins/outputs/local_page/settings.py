"""What the table of a local page in the gateway file may say."""

from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LEAST_TOKEN: Final = 16


class LocalPageSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8090, ge=1, le=65535, description="TCP port to listen on.")
    token_env: str | None = Field(None, description="Environment variable with the token (16 characters at least).")
    token_file: Path | None = Field(None, description="File that holds it; white space around it does not count.")
    certificate: Path | None = Field(None, description="Our certificate, PEM; HTTPS with it, HTTP without.")
    private_key: Path | None = Field(None, description="Its private key, PEM.")
    plain_http: bool = Field(False, description="Allow the token to travel unencrypted off this machine.")
    host_names: tuple[str, ...] = Field((), description="On loopback: Host headers allowed besides localhost.")
    refresh_s: float = Field(1.0, ge=0.2, le=60, description="How often an open page is brought up to date.")
    most_viewers: int = Field(20, ge=1, le=500, description="Open pages at once.")

    @property
    def on_loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        if self.token_env and self.token_file:
            raise ValueError("token_env and token_file are both given: remove one of them")
        if self.on_loopback:
            return self
        if not self.token_env and not self.token_file:
            raise ValueError(
                f"host {self.host} can be reached from other machines: name a token (token_env or token_file), or "
                "listen on 127.0.0.1"
            )
        if not self.certificate and not self.plain_http:
            raise ValueError(
                f"host {self.host} can be reached from other machines and the token would travel unencrypted: give "
                "certificate and private_key, or allow it with plain_http = true"
            )
        return self
