"""Roles and paths as people write them: at the command line and in the settings."""

import difflib

from forewarn.domain.access import Grant, Role
from forewarn.domain.errors import InvalidInput
from forewarn.policies.plant_assets import PLAIN_ID


def checked_path(text: str) -> str:
    """`enterprise/site/area/line` or a beginning of it. Raises InvalidInput."""
    path = text.strip().strip("/")
    if path and not all(PLAIN_ID.fullmatch(name) for name in path.split("/")):
        raise InvalidInput(f"{text!r} is no path: write enterprise/site/area/line, or a beginning of it")
    return path


def person_grant(text: str) -> Grant:
    """`technician` everywhere, `technician:acme/pune` there. Raises InvalidInput."""
    word, _, path = text.partition(":")
    if word == Role.GATEWAY.value:
        raise InvalidInput("gateway is a role of machines: `forewarn machines add NAME`")
    return Grant(_role(word, [role.value for role in Role if role is not Role.GATEWAY]), checked_path(path))


def machine_role(word: str) -> Role:
    """Raises InvalidInput."""
    if word == Role.ADMIN.value:
        raise InvalidInput("a machine is no admin: a key that lies in a file must not let others in")
    return _role(word, [role.value for role in Role if role is not Role.ADMIN])


def _role(word: str, roles: list[str]) -> Role:
    if word not in roles:
        meant = difflib.get_close_matches(word, roles, 1)
        remedy = f"did you mean {meant[0]!r}?" if meant else f"there are: {', '.join(roles)}"
        raise InvalidInput(f"there is no role {word!r}; {remedy}")
    return Role(word)
