"""Secrets written in clear where they do not belong: in a plant file, and so in the catalog."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

_WORDS: Final = "password|passwd|passphrase|secret|token|credentials?|(api|access|private)_?key"
_SECRET: Final = re.compile(rf"(^|_)({_WORDS})$", re.IGNORECASE)
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_URL: Final = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]*:[^/?#\s]*@")
_HOST: Final = re.compile(r"^[^/?#\s]*:[^/?#\s]*@")
_HOSTS: Final = frozenset({"host", "url", "address", "endpoint", "server"})
# Keys and certificates are mostly named by their file.
_IN_A_FILE: Final = re.compile(r"(^|_)(private_key|credentials?)$", re.IGNORECASE)
_FILE: Final = re.compile(r"^(~|\.{0,2}/|[A-Za-z]:\\)|\.\w{1,5}$")


def clear_secrets(settings: Mapping[str, object]) -> list[str]:
    """Each as `key: what to write instead`, never with the value."""
    return [f"{key}: {reason}" for key, value in _texts(settings, "") if (reason := _fault(key, value)) is not None]


def _texts(value: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, key)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield key, str(value)


def _fault(key: str, value: str) -> str | None:
    name = key.rpartition(".")[2]
    if _PRIVATE_KEY.search(value):
        return "a private key is written here in clear; name a file instead that only Forewarn may read"
    if _URL.match(value) or (name in _HOSTS and _HOST.match(value)):
        return "a password is written in this address; take it out, and name it in password_env or password_file"
    if value and _SECRET.search(name) and not (_IN_A_FILE.search(name) and _FILE.search(value)):
        return (
            "a secret is written here in clear, for everybody who may read the plant file or the catalog; take it out "
            f"and name where it lies: {name}_env (an environment variable) or {name}_file (a file)"
        )
    return None
