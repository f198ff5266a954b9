"""What a webhook source's table in the plant file may say."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from forewarn.domain.errors import InvalidInput
from forewarn.plugins.connectors.webhook.json_path import parse_path, parse_template


class HookSettings(BaseModel):
    """One kind of foreign webhook, taken as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(pattern=r"^/[^\s?#]*$", description="Path it is posted to, such as /hooks/weather.")
    values: Mapping[str, str] = Field(
        min_length=1,
        description="Where a number lies in the JSON -> the signal's address; `{where}` in an address is filled in.",
    )
    each: str = Field("", description="Where the list lies whose elements are read one by one; empty: the whole body.")
    time: str = Field("", description="Where the time lies, in the element or else in the body; empty: of reception.")
    time_unit: Literal["auto", "s", "ms", "us", "ns"] = Field(
        "auto", description="Unit of a numeric time since 1970; auto tells it by its size. Text is RFC 3339."
    )

    @field_validator("each", "time")
    @classmethod
    def _is_path(cls, text: str) -> str:
        _explained(parse_path, text)
        return text

    @field_validator("values")
    @classmethod
    def _are_paths(cls, values: Mapping[str, str]) -> Mapping[str, str]:
        for where, address in values.items():
            _explained(parse_path, where)
            _explained(parse_template, address)
        return values


def _explained(parse: object, text: str) -> None:
    assert callable(parse)
    try:
        parse(text)
    except InvalidInput as error:
        raise ValueError(str(error)) from None


class WebhookSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8095, ge=1, le=65535, description="TCP port to listen on.")
    token_env: str | None = Field(None, description="Environment variable that holds the token senders must show.")
    token_file: Path | None = Field(None, description="File that holds it; white space around it does not count.")
    token_header: str = Field(
        "Authorization",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header that carries the token; in Authorization it stands after `Bearer `.",
    )
    certificate: Path | None = Field(None, description="Our certificate, PEM; HTTPS with it, HTTP without.")
    private_key: Path | None = Field(None, description="Its private key, PEM.")
    client_ca: Path | None = Field(None, description="Only senders whose certificate this one signed get in, PEM.")
    plain_http: bool = Field(False, description="Allow a token to travel unencrypted off this machine.")
    host_names: tuple[str, ...] = Field((), description="On loopback: Host headers allowed besides localhost.")
    batch_path: str = Field(
        "/api/v1/telemetry/batch", pattern=r"^/[^\s?#]+$", description="Where batches are posted to."
    )
    push_path: str = Field(
        "/push", pattern=r"^/[^\s?#]*[^\s?#/]$", description="Single values go to this path, a slash and the address."
    )
    hook: tuple[HookSettings, ...] = Field((), description="Other makers' webhooks, one table each.")
    max_body_bytes: int = Field(4_000_000, ge=1_000, description="Largest body, before and after decompression.")
    timeout_s: float = Field(10.0, gt=0, description="Longest a sender may take for its headers, and for its body.")
    store_within_s: float = Field(20.0, gt=0, description="Longest a sender waits for the disk before it is told 503.")
    most_waiting: int = Field(200_000, ge=1, description="So many readings may wait for the disk; then 429.")
    most_connections: int = Field(64, ge=1, description="Connections at once; one more is told 503.")
    silence_s: float | None = Field(
        None, gt=0, description="Longest usual pause between two pushes; after it the source is stale. Any without one."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        if self.client_ca and not self.certificate:
            raise ValueError("client_ca is given without certificate and private_key")
        if self.token_env and self.token_file:
            raise ValueError("token_env and token_file are both given: remove one of them")
        if not _on_loopback(self.host):
            self._guarded()
        paths = [self.batch_path, *(hook.path for hook in self.hook)]
        twice = {path for path in paths if paths.count(path) > 1 or path.startswith(f"{self.push_path}/")}
        if twice:
            raise ValueError(f"path {min(twice)!r} is meant by two settings: change one of them")
        return self

    def _guarded(self) -> None:
        named = self.token_env or self.token_file
        if not named and not self.client_ca:
            raise ValueError(
                f"host {self.host} can be reached from other machines: name a token (token_env or token_file) or "
                "client_ca, or listen on 127.0.0.1"
            )
        if not self.certificate and not self.plain_http:
            raise ValueError(
                f"host {self.host} can be reached from other machines and a token would travel unencrypted: give "
                "certificate and private_key, or allow it with plain_http = true"
            )


def _on_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
