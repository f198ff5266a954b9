"""Single sign-on of a site, as its settings say."""

import hashlib
import hmac
from collections.abc import Callable

from forewarn.api.oidc_client import OidcClient, Provider
from forewarn.api.sign_on_attempt import Attempts
from forewarn.api.sign_on_parts import Admission, SingleSignOn
from forewarn.app.settings import Settings
from forewarn.app.sign_on_words import claimed_roles
from forewarn.kit.clock import now_us


def single_sign_on(settings: Settings, token_key: bytes, clock: Callable[[], int] = now_us) -> SingleSignOn | None:
    """None where no provider is set. token_key: the site's; sign-ins under way are sealed with a key made from it.
    clock: microseconds UTC."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    secret = settings.oidc_client_secret
    provider = Provider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        None if secret is None else secret.get_secret_value(),
        settings.oidc_scopes,
    )
    return SingleSignOn(
        OidcClient(provider, clock),
        Attempts(hmac.digest(token_key, b"single sign-on attempts", hashlib.sha256), clock),
        Admission(settings.oidc_roles_claim, claimed_roles(settings.oidc_role_map), settings.oidc_create_people),
        settings.oidc_redirect_uri,
        settings.oidc_button,
    )
