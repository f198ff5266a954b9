"""What a Modbus source's table in the plant file may say."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_UnitId = Annotated[int, Field(ge=0, le=255)]


class DeviceSettings(BaseModel):
    """What one unit behind the connection bears; None = as the source's own setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_registers: int | None = Field(default=None, ge=4, le=125, description="Most registers it answers at once.")
    max_bits: int | None = Field(
        default=None, ge=1, le=2000, description="Most coils or discrete inputs it answers at once."
    )
    timeout_s: float | None = Field(default=None, gt=0, description="Longest wait for an answer of this unit.")
    budget_s: float | None = Field(
        default=None, gt=0, description="Most of the line's time that one of its polls may take."
    )


class RegisterSettings(BaseModel):
    """One line of a register map, written into the plant file; columns as in the CSV file."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    name: str = Field(description="What signals call it in their address.")
    address: str = Field(description="holding:100 (from zero) or 40101 (the manual's number, from one).")
    type: str = Field(
        default="", description="int16 ... float64, bcd16, bcd32, bit0 to bit15; bool for coils and inputs."
    )
    order: str = Field(default="", description="ABCD, CDAB, BADC or DCBA.")
    scale: str = Field(default="", description="value = raw * scale + offset.")
    offset: str = Field(default="", description="value = raw * scale + offset.")
    unit: str = Field(default="", description="Unit id; the source's without it.")
    poll: str = Field(default="", description="Name of a poll group; the source's poll_interval_s without it.")


class ModbusSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    transport: Literal["tcp", "rtu", "rtu_over_tcp"] = Field(
        default="tcp", description="Modbus TCP, a serial line, or a serial line behind a plain TCP converter."
    )
    host: str = Field(default="", description="Name or address of the device or gateway; not for rtu.")
    port: int = Field(default=502, ge=1, le=65535, description="TCP port.")
    serial_port: str = Field(default="", description="The serial line's device, as /dev/ttyUSB0; for rtu only.")
    baudrate: int = Field(default=19200, ge=300, le=4_000_000, description="Bits per second of the serial line.")
    parity: Literal["N", "E", "O"] = Field(default="E", description="None, even or odd; the standard's preset is even.")
    stopbits: Literal[1, 2] = Field(default=1, description="Stop bits; the standard asks for 2 where parity is N.")
    bytesize: Literal[7, 8] = Field(default=8, description="Bits of a byte on the serial line; RTU has 8.")
    unit: int = Field(default=1, ge=0, le=255, description="Unit id of signals whose address names none.")
    map: str = Field(
        default="", description="Register map, a CSV file: an absolute path, or relative to the working directory."
    )
    registers: list[RegisterSettings] = Field(
        default=[], description="Register map written out here; adds to the file's."
    )
    poll_interval_s: float = Field(
        default=1.0, gt=0, description="Time from the start of one poll to the start of the next."
    )
    polls: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={}, description="Poll groups with intervals of their own: name -> seconds."
    )
    timeout_s: float = Field(
        default=3.0,
        gt=0,
        description="Longest wait for a connection or an answer; with several units no longer than a unit's budget.",
    )
    budget_s: float | None = Field(
        default=None,
        gt=0,
        description="Most of the line's time that one poll of a unit may take; the poll's interval without.",
    )
    max_registers: int = Field(default=125, ge=4, le=125, description="Most registers in one request.")
    max_bits: int = Field(default=2000, ge=1, le=2000, description="Most coils or discrete inputs in one request.")
    max_gap: int = Field(
        default=8,
        ge=0,
        le=124,
        description="Unused registers read along to save a request (for coils: 16 times as many).",
    )
    devices: dict[_UnitId, DeviceSettings] = Field(default={}, description="What single units bear less, by unit id.")

    @model_validator(mode="after")
    def _reaches_something(self) -> "ModbusSettings":
        if self.transport == "rtu" and not self.serial_port:
            raise ValueError("transport rtu needs serial_port, as /dev/ttyUSB0")
        if self.transport != "rtu" and not self.host:
            raise ValueError(f"transport {self.transport} needs host, the device's name or address")
        return self

    @property
    def place(self) -> str:
        """The connection's other end, for people."""
        return self.serial_port if self.transport == "rtu" else f"{self.host}:{self.port}"
