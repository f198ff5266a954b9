"""What single sign-on is made of; `app/sign_on.py` fills it in."""

from dataclasses import dataclass

from forewarn.api.oidc_client import OidcClient
from forewarn.api.sign_on_attempt import Attempts
from forewarn.policies.claimed_roles import RoleMap


@dataclass(frozen=True, slots=True)
class Admission:
    """roles_claim: where the roles stand. roles: what its values give; empty, people keep the roles they have here.
    create: who is not known here is made a person."""

    roles_claim: str
    roles: RoleMap
    create: bool


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """redirect_uri: where the provider sends people back to; None: to the host they came by. button: its words."""

    client: OidcClient
    attempts: Attempts
    admission: Admission
    redirect_uri: str | None
    button: str
