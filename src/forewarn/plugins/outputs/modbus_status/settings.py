"""What a Modbus status output's table in the gateway file may say."""

from pydantic import BaseModel, ConfigDict, Field


class ModbusStatusSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. Modbus knows no passwords: open it to the SCADA's network only.",
    )
    port: int = Field(default=5020, ge=1, le=65535, description="TCP port; 502 needs the right to listen below 1024.")
    unit: int = Field(default=1, ge=0, le=247, description="Unit id that is answered; 0 answers every one.")
    update_s: float = Field(
        default=1.0, gt=0, le=60, description="Longest time between two updates; changes come at once."
    )
