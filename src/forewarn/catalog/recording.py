"""A deed in the transaction of what was done."""

from typing import Protocol

from sqlalchemy import Connection

from forewarn.domain.audit import AuditEntry, Deed
from forewarn.domain.errors import ConfigurationError


class Recorder(Protocol):
    def append(self, connection: Connection, deed: Deed) -> AuditEntry: ...


def record(audit: Recorder | None, connection: Connection, deed: Deed) -> None:
    """Raises ConfigurationError, and so rolls back, where the catalog was opened without an audit log."""
    if audit is None:
        raise ConfigurationError("this catalog was opened without the audit log's key, so nothing can be done in it")
    audit.append(connection, deed)
