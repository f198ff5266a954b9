"""Why a single sign-on came to nothing, as the sign-in page is told."""

from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from forewarn.domain.errors import ForewarnError

UNKNOWN: Final = "unknown"


class SignOnProblem(StrEnum):
    """`problem` in the sign-in page's address; docs/api.md has a sentence for each."""

    PROVIDER_AWAY = "provider_away"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NOT_TRUSTED = "not_trusted"
    UNKNOWN_PERSON = "unknown_person"
    DISABLED = "disabled"
    NO_ROLE = "no_role"
    LAST_ADMIN = "last_admin"
    DELAYED = "delayed"
    FAILED = "failed"


class SignOnRefused(ForewarnError):
    """Nobody was signed in. The text is for the audit log and the operator, `problem` for the person.

    actor, target: as the audit log names them; never with a code or a token."""

    def __init__(
        self, problem: SignOnProblem, why: str, *, actor: str = UNKNOWN, target: str = "single sign-on"
    ) -> None:
        super().__init__(why)
        self.problem = problem
        self.actor = actor
        self.target = target


def page_of(problem: SignOnProblem) -> str:
    """Where the browser is sent."""
    return f"/sign-in?{urlencode({'problem': problem.value})}"
