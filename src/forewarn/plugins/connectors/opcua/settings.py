"""What an OPC UA source's table in the plant file may say."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

_STRICT = ConfigDict(extra="forbid", frozen=True)
Endpoint = Annotated[str, StringConstraints(pattern=r"^opc\.tcp://[^/:@]+:\d+")]


class Sampling(BaseModel):
    """How the nodes of some signals are sampled; what is not said stays as it is for all."""

    model_config = _STRICT

    match: tuple[str, ...] = Field(
        min_length=1, description="Signal ids it is for, as in fnmatch: `pump-1??.vibration*`."
    )
    sampling_interval_ms: float | None = Field(None, ge=-1, description="As the source's own.")
    queue_size: int | None = Field(None, ge=1, description="As the source's own.")
    discard_oldest: bool | None = Field(None, description="As the source's own.")
    deadband: float | None = Field(None, ge=0, description="As the source's own.")
    deadband_percent: float | None = Field(None, ge=0, le=100, description="As the source's own.")


class History(BaseModel):
    """Reading from the server's own history what was missed."""

    model_config = _STRICT

    read: bool = Field(True, description="Ask the server for what was missed, where its nodes keep history.")
    folder: Path | None = Field(
        None, description="Where it is kept which holes are not yet filled, so that a restart of ours forgets none."
    )
    longest_hours: float = Field(24.0, gt=0, description="How far back is asked for at the most.")
    page: int = Field(1_000, ge=1, description="Values of a node a call.")
    nodes: int = Field(20, ge=1, description="Nodes a call; fewer where the server allows fewer.")
    values_per_s: int = Field(20_000, ge=1, description="Most values a second, so that the live ones are not delayed.")


class OpcUaSettings(BaseModel):
    model_config = _STRICT

    url: Endpoint | None = Field(None, description="Endpoint, `opc.tcp://host:port/path`.")
    servers: tuple[Endpoint, ...] = Field(
        (), description="Instead of url: servers with the same nodes, the first that is well is used till it fails."
    )
    least_service_level: int = Field(
        200, ge=0, le=255, description="With several servers: below this ServiceLevel another one is taken."
    )
    security: Literal["None", "Basic256Sha256"] = Field(
        "None", description="Security policy; Basic256Sha256 signs and encrypts, with certificates on both sides."
    )
    certificate: Path | None = Field(None, description="Our certificate, DER or PEM.")
    private_key: Path | None = Field(None, description="Its private key, PEM or DER.")
    certificate_folder: Path | None = Field(
        None, description="Without certificate: where a self-signed one is made and kept, readable by us alone."
    )
    server_certificate: tuple[Path, ...] = Field(
        (), description="The server's certificate, pinned: a file, or a list of files for several servers."
    )
    trusted_certificates: Path | None = Field(
        None, description="Folder of certificates that are trusted: of servers, or of who issued theirs."
    )
    trust_first_use: bool = Field(
        False, description="Believe the first certificate a server shows, and pin it in certificate_folder."
    )
    application_uri: str = Field("urn:forewarn:gateway", description="Our application URI, as in our certificate.")
    user: str | None = Field(None, description="User name; anonymous without one.")
    password_env: str | None = Field(None, description="Environment variable that holds the user's password.")
    password_file: Path | None = Field(None, description="File that holds it; white space around it does not count.")
    user_certificate: Path | None = Field(None, description="Instead of user: the user's X.509 certificate.")
    user_private_key: Path | None = Field(None, description="Its private key, PEM or DER.")
    retry_credentials_s: float = Field(
        60.0, ge=0, description="Refused credentials are not tried again before this, so that no account is locked."
    )
    publishing_interval_ms: float = Field(250.0, gt=0, description="How often the server sends what has changed.")
    sampling_interval_ms: float = Field(
        -1.0, ge=-1, description="How often the server looks at each node; -1: as often as it publishes; 0: fastest."
    )
    queue_size: int = Field(10, ge=1, description="Samples of a node the server keeps between two publishes.")
    discard_oldest: bool = Field(True, description="When that is full the oldest goes; else the newest.")
    deadband: float = Field(0.0, ge=0, description="Changes up to this, in the node's unit, are not reported.")
    deadband_percent: float = Field(
        0.0, ge=0, le=100, description="The same in percent of the node's EURange, or of the signal's range."
    )
    server_deadband: bool = Field(
        True, description="Ask the server to apply the deadband too; false for a server that does it wrongly."
    )
    sampling: tuple[Sampling, ...] = Field((), description="Exceptions for some signals; the first that matches wins.")
    sessions: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto", description="Sessions the nodes are spread over; auto: by their number, more when one falls behind."
    )
    items_per_session: int = Field(5_000, ge=1, description="With auto: nodes a session holds to begin with.")
    most_sessions: int = Field(8, ge=1, description="With auto: never more than this.")
    keepalive_s: float = Field(2.0, gt=0, description="With nothing changed, the server says so this often.")
    silent_keepalives: int = Field(3, ge=2, description="Keepalives missed before the connection is rebuilt.")
    publish_requests: int = Field(6, ge=1, le=50, description="Publish requests kept in flight, a session.")
    timeout_s: float = Field(4.0, gt=0, description="Longest wait for any other answer.")
    retry_refused_s: float = Field(10.0, gt=0, description="How often nodes the server refused are asked for again.")
    history: History = Field(
        default_factory=lambda: History.model_validate({}), description="What the server's own history is asked for."
    )

    @property
    def urls(self) -> tuple[str, ...]:
        return self.servers or (self.url or "",)

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        """One server certificate may stand without brackets, one pattern too."""
        if isinstance(given, dict):
            pinned = given.get("server_certificate")
            if isinstance(pinned, str | Path):
                given = {**given, "server_certificate": (pinned,)}
            if isinstance(rules := given.get("sampling"), list | tuple):
                given = {**given, "sampling": [_one_match(rule) for rule in rules]}
        return given

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.url) == bool(self.servers):
            raise ValueError("give either url or servers, which holds several of them")
        if self.security != "None":
            self._check_certificates()
        if (self.password_env or self.password_file) and not self.user:
            raise ValueError("password_env or password_file is given without user")
        if self.password_env and self.password_file:
            raise ValueError("password_env and password_file are both given: remove one of them")
        if bool(self.user_certificate) != bool(self.user_private_key):
            raise ValueError("user_certificate and user_private_key belong together: give both")
        if self.user and self.user_certificate:
            raise ValueError("user and user_certificate are both given: remove one of them")
        return self

    def _check_certificates(self) -> None:
        if bool(self.certificate) != bool(self.private_key):
            raise ValueError("certificate and private_key belong together: give both, or certificate_folder alone")
        if not (self.certificate or self.certificate_folder):
            raise ValueError(
                f"security {self.security!r} needs certificate and private_key, or a certificate_folder "
                "in which they are made"
            )
        if self.trust_first_use and not self.certificate_folder:
            raise ValueError("trust_first_use needs a certificate_folder, to remember whom it trusts")
        if not (self.server_certificate or self.trusted_certificates or self.trust_first_use):
            raise ValueError(
                f"security {self.security!r} needs to know whom to trust: server_certificate (a file), "
                "trusted_certificates (a folder) or trust_first_use = true"
            )


def _one_match(rule: object) -> object:
    if isinstance(rule, dict) and isinstance(rule.get("match"), str):
        return {**rule, "match": (rule["match"],)}
    return rule
