"""Single sign-on as the settings write it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from forewarn.app.role_words import person_grant
from forewarn.domain.access import Grant
from forewarn.domain.errors import InvalidInput
from forewarn.kit.web_address import is_private

RoleTexts = str | tuple[str, ...]


def check_sign_on(
    issuer: str | None,
    client_id: str | None,
    redirect_uri: str | None,
    scopes: str,
    role_map: Mapping[str, RoleTexts],
) -> None:
    """Raises ValueError."""
    if (issuer is None) != (client_id is None):
        there, missing = ("oidc_issuer", "oidc_client_id") if client_id is None else ("oidc_client_id", "oidc_issuer")
        raise ValueError(f"{there} is set and {missing} is not: single sign-on needs both, or neither")
    for name, address in (("oidc_issuer", issuer), ("oidc_redirect_uri", redirect_uri)):
        if address is not None and not (is_private(address) and _is_plain(address)):
            raise ValueError(
                f"{name} = {address!r} is no address for single sign-on: write https://host/path (http only on this "
                "machine), without query, fragment and password"
            )
    if "openid" not in scopes.split():
        raise ValueError(f"oidc_scopes = {scopes!r} lacks openid, without which the provider says nothing of a person")
    claimed_roles(role_map)


def claimed_roles(role_map: Mapping[str, RoleTexts]) -> dict[str, tuple[Grant, ...]]:
    """`role` or `role:path` as grants. Raises ValueError."""
    try:
        return {
            value: tuple(person_grant(text) for text in ((texts,) if isinstance(texts, str) else texts))
            for value, texts in role_map.items()
        }
    except InvalidInput as error:
        raise ValueError(f"oidc_role_map: {error}") from None


def _is_plain(address: str) -> bool:
    parts = urlsplit(address)
    return not (parts.query or parts.fragment or parts.username or parts.password)
