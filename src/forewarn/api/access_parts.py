"""What the routes of people, machines and sessions are made of; `app/wiring.py` fills it in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

from anyio import CapacityLimiter
from fastapi import Depends, Request

from forewarn.api.access_book import AccessBook
from forewarn.api.access_tokens import TokenSigner
from forewarn.api.sign_on_parts import SingleSignOn
from forewarn.contracts.machine_store import MachineStore
from forewarn.contracts.people_store import PeopleStore
from forewarn.kit.clock import DAY
from forewarn.kit.passwords import PasswordHashing

# A hash takes 64 MiB and a core: more at once starve what the site is for.
_HASHES_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class AccessParts:
    """clock: microseconds UTC. demo: this is `forewarn demo`. secure_cookies: the page is served over TLS.
    session_us: how long a session lasts without being used; most_us: at the most. single_sign_on: None: passwords
    only."""

    people: PeopleStore
    machines: MachineStore
    book: AccessBook
    signer: TokenSigner
    hashing: PasswordHashing
    clock: Callable[[], int]
    demo: bool
    secure_cookies: bool
    session_us: int
    most_us: int = 30 * DAY
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_HASHES_AT_ONCE))
    single_sign_on: SingleSignOn | None = None


async def _access(request: Request) -> AccessParts:
    access: AccessParts = request.app.state.access
    return access


Access = Annotated[AccessParts, Depends(_access)]
