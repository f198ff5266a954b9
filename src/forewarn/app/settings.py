"""Settings: environment variables `FOREWARN_*`, or a `forewarn.toml` in the working directory."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from forewarn.app.named_files import NamedFiles
from forewarn.app.sign_on_words import RoleTexts, check_sign_on
from forewarn.domain.errors import ConfigurationError

MIB = 1 << 20
READING_BYTES = 24  # of a reading in the batch log where nothing can be compressed: signal, time, value, quality
_HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_.-]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every key is described in docs/operations/settings.md; a test holds the two together."""

    model_config = SettingsConfigDict(env_prefix="FOREWARN_", toml_file="forewarn.toml", extra="forbid")

    directory: Path = Field(Path("var/site"), description="Where catalog, log and historian lie")
    host: str = Field("127.0.0.1", min_length=1, description="Address the web server listens on")
    port: int = Field(8080, ge=0, le=65535, description="Port the web server listens on; 0 takes a free one")
    tls_certificate: Path | None = Field(None, description="PEM file of the web server's certificate chain")
    tls_key: Path | None = Field(None, description="PEM file of its private key")
    client_ca: Path | None = Field(None, description="PEM file of who signs the certificates of machines")
    behind_proxy: bool = Field(False, description="A proxy ends TLS, and nothing else reaches the port")
    trusted_proxies: tuple[str, ...] = Field((), description="Addresses or networks whose X-Forwarded-* is believed")
    allowed_hosts: tuple[str, ...] = Field((), description="Names that the site is served under")
    requests_per_minute: int = Field(600, ge=1, description="Requests a minute of a session or key, ingest apart")
    sign_ins_per_minute: int = Field(30, ge=1, description="Attempts to sign in or enrol a minute from one address")
    ingest_per_second: int = Field(2_000, ge=1, description="Ingest requests a second of one key")
    head_timeout_s: Positive = Field(10.0, description="Longest time for a request's headers to come, seconds")
    least_upload_bytes_s: Positive = Field(1_024.0, description="Slowest that a request's body may come, bytes/s")
    max_connections: int = Field(8_192, ge=16, description="Connections to the web server at once")
    max_connections_of_address: int = Field(2_048, ge=1, description="Connections from one address at once")
    database_url: str | None = Field(None, description="Catalog; default is SQLite in the directory")
    secrets_directory: Path | None = Field(None, description="Where keys lie; default is `secrets` in the directory")
    session_days: Positive = Field(30.0, description="How long a sign-in lasts at the most, days")
    session_hours: Positive = Field(12.0, description="How long a sign-in lasts without being used, hours")
    oidc_issuer: str | None = Field(None, description="Single sign-on: the OpenID Connect provider's own address")
    oidc_client_id: str | None = Field(None, description="What the provider calls this site")
    oidc_client_secret: SecretStr | None = Field(None, description="The site's secret at the provider")
    oidc_redirect_uri: str | None = Field(None, description="Where the provider sends people back to")
    oidc_scopes: str = Field("openid profile email", description="What the provider is asked for")
    oidc_roles_claim: str = Field("roles", min_length=1, description="Claim that roles are read from")
    oidc_role_map: dict[str, RoleTexts] = Field({}, description="Value of that claim -> a role here, or several")
    oidc_create_people: bool = Field(False, description="Whether who is not known here gets an account")
    oidc_button: str = Field("Single sign-on", min_length=1, max_length=60, description="Words of the page's button")
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
    model_detectors: tuple[str, ...] = Field(
        ("robust_z", "pca", "ridge_twin", "window_mahalanobis"), description="Detectors that a new model is made of"
    )
    false_alarms_per_week: Positive = Field(1.0, description="Budget of false alarms a machine's model has, a week")
    rollout_step_hours: Positive = Field(24.0, description="Least hours of a new model in the shadow, and as canary")
    rollout_watch_days: Positive = Field(7.0, description="How long a new champion may still be rolled back, days")
    rollout_every_s: Positive = Field(60.0, description="How often rollouts of models are looked at, seconds")
    rollout_auto: bool = Field(True, description="Whether models that were trained are rolled out by themselves")
    models_kept: int = Field(5, ge=2, description="Versions of a machine's model whose bytes are kept")
    training_auto: bool = Field(True, description="Whether machines are trained without being asked for")
    training_every_days: float = Field(
        7.0, ge=0, le=3_660, description="Days until a machine is trained anew; 0 for never by itself"
    )
    training_on_drift: bool = Field(False, description="Whether drift that lasts for a day has a machine trained anew")
    training_look_s: Positive = Field(60.0, description="How often it is looked at what is to be trained, seconds")
    training_workers: int | None = Field(
        None, ge=1, description="Processes that train; none: all cores but one, as far as memory goes"
    )
    training_executor: Literal["local", "ray", "dask"] = Field("local", description="Where training runs")
    training_address: str = Field("", description="Address of that Ray or Dask cluster")
    pump_asset: str | None = Field(None, description="Asset that the pump dialect of /api/ingest speaks for")
    log_format: Literal["console", "json"] = Field("console", description="Structured log as text or JSON lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged")
    data: Path | None = Field(None, description="Folder of public measurements, used by tests only")

    @field_validator(
        *("data", "secrets_directory", "tls_certificate", "tls_key", "client_ca"),
        *("oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_redirect_uri"),
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _HOST_NAME.fullmatch(name):
                raise ValueError(f"holds {name!r}, which is no host name: without scheme, port and path")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"holds {proxy!r}, which is no address and no network ({error})") from None
        return proxies

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: set both, or none")
        if self.client_ca is not None and self.tls_certificate is None:
            raise ValueError("client_ca needs tls_certificate: without TLS nobody shows a certificate")
        if self.trusted_proxies and not self.behind_proxy:
            raise ValueError("trusted_proxies needs behind_proxy = true: without a proxy nobody is believed")
        return self

    @model_validator(mode="after")
    def _sign_on_is_whole(self) -> Self:
        check_sign_on(
            self.oidc_issuer, self.oidc_client_id, self.oidc_redirect_uri, self.oidc_scopes, self.oidc_role_map
        )
        return self

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
        return (init_settings, env_settings, NamedFiles(settings_cls), TomlConfigSettingsSource(settings_cls))

    @property
    def secrets_path(self) -> Path:
        return self.secrets_directory or self.directory / "secrets"

    @property
    def catalog_url(self) -> str:
        return self.database_url or f"sqlite:///{(self.directory / 'catalog.db').absolute()}"

    def make_directory(self) -> Path:
        """The data directory, made if need be. Raises ConfigurationError when it cannot be written."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            probe = self.directory / ".writable"
            probe.touch()
            probe.unlink(missing_ok=True)  # another process may have looked at the same moment
        except OSError as error:
            raise ConfigurationError(
                f"the data directory {self.directory} cannot be written ({error.strerror}); "
                "choose another with --directory or FOREWARN_DIRECTORY"
            ) from error
        return self.directory
