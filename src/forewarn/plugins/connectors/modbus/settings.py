"""What a Modbus source's table in the plant file may say."""

from pydantic import BaseModel, ConfigDict, Field


class ModbusSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, description="Name or address of the device or gateway.")
    port: int = Field(502, ge=1, le=65535, description="TCP port.")
    unit: int = Field(1, ge=0, le=255, description="Unit id of signals whose address names none.")
    poll_interval_s: float = Field(1.0, gt=0, description="Time from the start of one poll to the start of the next.")
    timeout_s: float = Field(3.0, gt=0, description="Longest wait for a connection or an answer.")
    max_gap: int = Field(
        8, ge=0, le=124, description="Unused registers read along to save a request (for coils: 16 times as many)."
    )
