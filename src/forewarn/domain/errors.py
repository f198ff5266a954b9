"""The one error tree. An error learns its HTTP status only in `api/`."""

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.model_versions import ArtifactFault


class ForewarnError(Exception):
    """Root of every error Forewarn raises on purpose; its text names the cause and the remedy."""


class InvalidInput(ForewarnError):
    """What was sent cannot be read. `field` names the offending part, as the sender would."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ArtifactRefused(InvalidInput):
    """A model's file that must not be scored with; `fault` names why."""

    def __init__(self, message: str, *, fault: ArtifactFault) -> None:
        super().__init__(message, field="artifact")
        self.fault = fault


class NotFound(ForewarnError):
    """The named thing does not exist."""


class Conflict(ForewarnError):
    """The request is well formed but the thing's state forbids it."""


class NotSignedIn(ForewarnError):
    """Nobody is known behind the request: no token, or one that is wrong, old or revoked."""


class NotAllowed(ForewarnError):
    """Who asks is known, and may not."""


class Delayed(ForewarnError):
    """Too many attempts; nothing was tried. Retry later."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BatchLogFull(ForewarnError):
    """The durable log has reached its bound; nothing of the batch was taken. Retry later."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageFailed(ForewarnError):
    """The disk refused (full, read-only, broken); nothing was acknowledged. `condition` names which."""

    def __init__(self, message: str, *, condition: ConditionCode = ConditionCode.FAILED) -> None:
        super().__init__(message)
        self.condition = condition


class StorageDamaged(StorageFailed):
    """What was stored is not as it was written: read again, it is the same."""


class NotEnoughData(ForewarnError):
    """Too little is known to say anything; the text says what is there and how much is needed."""


class WouldBlock(ForewarnError):
    """The answer needs the disk, a lock or much work, and the caller may not wait. Ask again where one may."""


class SourceUnreachable(ForewarnError):
    """A device or server does not answer; the supervisor will try again. `condition` names why."""

    def __init__(self, message: str, *, condition: ConditionCode = ConditionCode.UNREACHABLE) -> None:
        super().__init__(message)
        self.condition = condition


class ConfigurationError(ForewarnError):
    """Settings or a plant file are wrong. `where` is `file:line` when known; `condition` names what a source lacks."""

    def __init__(
        self, message: str, *, where: str | None = None, condition: ConditionCode = ConditionCode.MISCONFIGURED
    ) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where
        self.condition = condition
