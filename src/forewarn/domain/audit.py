"""What was done, by whom, and how one knows that nobody rewrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class AuditAction(StrEnum):
    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNED_OUT = "signed_out"
    SESSION_REVOKED = "session_revoked"
    REFRESH_REPLAYED = "refresh_replayed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PERSON_CHANGED = "person_changed"
    MACHINE_CHANGED = "machine_changed"
    MACHINE_ENROLLED = "machine_enrolled"
    KEY_ROTATED = "key_rotated"
    ALARM_ACTED = "alarm_acted"
    ANOMALY_JUDGED = "anomaly_judged"
    PLANT_APPLIED = "plant_applied"
    COMMAND_GIVEN = "command_given"
    READINGS_EXPORTED = "readings_exported"
    AUDIT_EXPORTED = "audit_exported"
    LOG_DISCARDED = "log_discarded"
    READINGS_WRITTEN = "readings_written"  # by a person; gateways do nothing else
    MODEL_CHANGED = "model_changed"
    UNREADABLE = "unreadable"  # never recorded: a row that is none of ours


OWN: Final = "forewarn"  # actor: the site by itself, asked by nobody


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be recorded. actor: Principal.label, `local <user>` of the command line, or OWN. target: what it was
    done to. before, after: the part that changed, JSON values, never a secret. address: the peer. why: the doer
    says."""

    action: AuditAction
    actor: str
    target: str
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    address: str = ""
    why: str = ""
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A recorded deed. number: 1, 2, ... without a gap. digest: over everything above and the entry before."""

    number: int
    at: int
    deed: Deed
    digest: str
