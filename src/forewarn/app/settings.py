"""Settings: environment variables `FOREWARN_*`, or a `forewarn.toml` in the working directory."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from forewarn.domain.errors import ConfigurationError

MIB = 1 << 20
READING_BYTES = 24  # of a reading in the batch log where nothing can be compressed: signal, time, value, quality
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every key is described in docs/operations/settings.md; a test holds the two together."""

    model_config = SettingsConfigDict(env_prefix="FOREWARN_", toml_file="forewarn.toml", extra="forbid")

    directory: Path = Field(Path("var/site"), description="Where catalog, log and historian lie")
    host: str = Field("127.0.0.1", min_length=1, description="Address the web server listens on")
    port: int = Field(8080, ge=0, le=65535, description="Port the web server listens on; 0 takes a free one")
    database_url: str | None = Field(None, description="Catalog; default is SQLite in the directory")
    batch_log: str = Field("sqlite_spool", description="Batch log plugin")
    historian: str = Field("parquet", description="Historian plugin")
    log_capacity_mib: int = Field(8192, ge=16, description="Bound of the batch log on disk, MiB")
    flush_readings: int = Field(2_000_000, ge=1_000, description="Readings in memory before a segment is written")
    flush_interval_s: Positive = Field(30.0, description="Longest time before a segment is written, seconds")
    keep_raw_days: Positive | None = Field(None, description="Days that readings are kept; none keeps all")
    keep_rollup_days: Positive | None = Field(None, description="Days that rollups are kept; none keeps all")
    max_body_mib: int = Field(8, ge=1, description="Largest request body, MiB, before and after decompression")
    max_future_s: Positive = Field(300.0, description="How far ahead of our clock a source time may lie, seconds")
    detectors: tuple[str, ...] = Field(
        ("limits", "rate_of_change", "flatline", "robust_z"), description="Detectors that score on arrival"
    )
    pump_asset: str | None = Field(None, description="Asset that the pump dialect of /api/ingest speaks for")
    log_format: Literal["console", "json"] = Field("console", description="Structured log as text or JSON lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged")
    data: Path | None = Field(None, description="Folder of public measurements, used by tests only")

    @field_validator("data", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _rollups_outlive_readings(self) -> Self:
        raw, rollups = self.keep_raw_days, self.keep_rollup_days
        if rollups is not None and (raw is None or rollups < raw):
            raise ValueError(
                "keep_rollup_days may not be less than keep_raw_days (none: for ever): rollups answer for readings "
                "that are gone, not the other way round"
            )
        return self

    @model_validator(mode="after")
    def _log_holds_what_is_not_yet_a_segment(self) -> Self:
        # A frame stays in the log until its readings are in a segment: one flush under way, one filling up.
        capacity, each = self.log_capacity_mib * MIB, 2 * READING_BYTES
        if capacity < self.flush_readings * each:
            raise ValueError(
                f"log_capacity_mib = {self.log_capacity_mib} cannot hold flush_readings = {self.flush_readings} twice, "
                "so ingest would stop before a segment is written. Set FOREWARN_LOG_CAPACITY_MIB to "
                f"{-(-self.flush_readings * each // MIB)} or more, or FOREWARN_FLUSH_READINGS to {capacity // each} or "
                "less"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @property
    def catalog_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.directory / 'catalog.db').absolute()}"

    def make_directory(self) -> Path:
        """The data directory, made if need be. Raises ConfigurationError when it cannot be written."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            probe = self.directory / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(
                f"the data directory {self.directory} cannot be written ({error.strerror}); "
                "choose another with --directory or FOREWARN_DIRECTORY"
            ) from error
        return self.directory
