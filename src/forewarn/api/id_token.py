"""Whether an ID token is the provider's word, for us, for this sign-in, and of now (OIDC Core 1.0, 3.1.3.7)."""

from collections.abc import Mapping
from typing import Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jws, jwt
from joserfc.errors import BadSignatureError, InvalidClaimError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from forewarn.api.sign_on_problems import SignOnProblem, SignOnRefused

Keys = KeySet
# Signatures that only the provider can make: no `none`, and nothing that a shared secret makes.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_REGISTRY: Final = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
_KINDS: Final = ("RSA", "EC")
_SKEW_S: Final = 60
_LONGEST_SUBJECT: Final = 255


def keys_of(document: Mapping[str, object]) -> Keys:
    """The public keys of a JWK set that sign; those we cannot read are left out. Raises ValueError."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("no JWK set")
    found: list[jwk.Key] = []
    for entry in listed:
        if isinstance(entry, dict) and entry.get("kty") in _KINDS and entry.get("use", "sig") == "sig":
            try:
                found.append(jwk.import_key(entry))
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    return KeySet(found)


def signed_by_another(id_token: str, keys: Keys) -> bool:
    """Whether the token's key is not here, or its signature is another's: the provider's keys may have changed."""
    try:
        jwt.decode(id_token, keys, registry=_REGISTRY)
    except (InvalidKeyIdError, BadSignatureError):
        return True
    except (JoseError, ValueError, TypeError):
        return False
    return False


def verified(
    id_token: str, keys: Keys, *, issuer: str, client_id: str, nonce: str, access_token: str, now_s: int
) -> dict[str, object]:
    """The claims. Raises JoseError, SignOnRefused."""
    try:
        read = jwt.decode(id_token, keys, registry=_REGISTRY)
    except (ValueError, TypeError, RecursionError):
        raise SignOnRefused(SignOnProblem.NOT_TRUSTED, "the ID token cannot be read") from None
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    params = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    claims = CodeIDToken(read.claims, read.header, options, params)
    claims.validate(now=now_s, leeway=_SKEW_S)
    subject = claims["sub"]
    if not (isinstance(subject, str) and 0 < len(subject) <= _LONGEST_SUBJECT):
        raise InvalidClaimError("sub")
    if not (subject.isascii() and subject.isprintable()):
        raise InvalidClaimError("sub")
    return dict(claims)
