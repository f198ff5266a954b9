"""What an OPC UA alarm output's table in the gateway file may say."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class OpcUaAlarmsSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=4850, ge=1, le=65535, description="TCP port.")
    security: tuple[Literal["None", "Basic256Sha256"], ...] = Field(
        default=("None",), min_length=1, description="Security policies offered; Basic256Sha256 signs and encrypts."
    )
    certificate_folder: Path | None = Field(
        default=None, description="Where our certificate is made and kept, when Basic256Sha256 is offered."
    )
    trusted_certificates: Path | None = Field(
        default=None, description="Folder of the clients' certificates (DER); without it every client may connect."
    )
    open_to_all: bool = Field(
        default=False, description="Needed to offer security None at an address other than the machine's own."
    )
    all_up_to: int = Field(
        default=250,
        ge=0,
        description="With more rules only those are shown that were raised since our start.",
    )
    update_s: float = Field(
        default=1.0, gt=0, le=60, description="Longest time between two updates; changes come at once."
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if "Basic256Sha256" in self.security and self.certificate_folder is None:
            raise ValueError("security 'Basic256Sha256' needs a certificate_folder")
        if "None" in self.security and not self.open_to_all and not _is_loopback(self.host):
            raise ValueError(
                f"security 'None' at {self.host} lets everyone in the network read: offer Basic256Sha256 alone, or say "
                "open_to_all = true"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
