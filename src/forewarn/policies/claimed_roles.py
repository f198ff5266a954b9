"""The roles that a single sign-on provider's claims stand for."""

from collections.abc import Iterable, Mapping

from forewarn.domain.access import Grant

RoleMap = Mapping[str, tuple[Grant, ...]]


def claimed_grants(claims: Mapping[str, object], name: str, roles: RoleMap) -> tuple[Grant, ...]:
    """What `roles` gives for the values of the claim `name`, in the map's order; values it does not hold give nothing.

    name: of a claim, or a way into nested ones (`realm_access.roles`)."""
    held = set(_values(_found(claims, name)))
    return tuple(dict.fromkeys(grant for value, grants in roles.items() if value in held for grant in grants))


def _found(claims: Mapping[str, object], name: str) -> object:
    # A claim may be named by an address, which has dots of its own.
    if name in claims:
        return claims[name]
    first, dot, rest = name.partition(".")
    inner = claims.get(first)
    return _found(inner, rest) if dot and isinstance(inner, Mapping) else None


def _values(found: object) -> Iterable[str]:
    """A list of texts, or one text."""
    if isinstance(found, str):
        return (found,)
    return (value for value in found if isinstance(value, str)) if isinstance(found, list) else ()
