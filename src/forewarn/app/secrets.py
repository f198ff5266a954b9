"""Keys of the site: from the environment, a named file or the secrets directory, made at first use.

No message tells a value or a part of it."""

import base64
import binascii
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import Final

from forewarn.app.named_files import SUFFIX, read_named
from forewarn.app.settings import Settings
from forewarn.domain.errors import ConfigurationError

PREFIX: Final = "FOREWARN_SECRET_"
LEAST_BYTES: Final = 32
_MOST_BYTES: Final = 4096
_REMEDY: Final = "write 32 random bytes in base64 (`openssl rand -base64 32`)"


def read_secret(settings: Settings, name: str, *, make: bool = True) -> bytes:
    """At least 32 bytes: from `FOREWARN_SECRET_<NAME>`, from the file that `FOREWARN_SECRET_<NAME>_FILE` names, or from
    `<secrets directory>/<name>`, base64 each.

    make: with none of them, make the last with 32 random bytes; processes that start at once agree on one. Raises
    ConfigurationError for a secret that is short, broken, readable by others or, without `make`, missing."""
    variable = PREFIX + name.upper()
    if given := os.environ.get(variable):
        return _decoded(given, variable)
    if named := os.environ.get(variable + SUFFIX):
        return _decoded(read_named(variable + SUFFIX, Path(named)), named)
    path = settings.secrets_path / name
    found = _read(path)
    if found is None and make:
        _make(path)
        found = _read(path)
    if found is None:
        raise ConfigurationError(
            f"the secret {path} is missing: restore it from a backup, or set {variable} to what it held"
        )
    return _decoded(found, str(path))


def audit_key(settings: Settings, *, make: bool = True) -> bytes:
    """Key of the audit log's digests. make: False where a log exists that a new key could not vouch for."""
    return read_secret(settings, "audit_key", make=make)


def _decoded(text: str, where: str) -> bytes:
    try:
        value = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"{where} holds no base64: {_REMEDY}") from None
    if len(value) < LEAST_BYTES:
        raise ConfigurationError(f"{where} holds {len(value)} bytes, {LEAST_BYTES} are the least: {_REMEDY}")
    return value


def _read(path: Path) -> str | None:
    """None when there is no such file."""
    try:
        with path.open("rb") as file:
            # Of the file that is open: its name could mean another one by now.
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigurationError(
                    f"{path} can be read by others (mode {stat.S_IMODE(mode):03o}): `chmod 600 {path}`, and if others "
                    "work on this machine, replace the secret"
                )
            return file.read(_MOST_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"the secret {path} cannot be read: {error.strerror}") from error


def _make(path: Path) -> None:
    """Whole or not at all, and never in place of one that is there."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(base64.b64encode(secrets.token_bytes(LEAST_BYTES)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(fresh, path)
        except FileExistsError:
            pass  # another process was first: its secret is everybody's
        finally:
            os.unlink(fresh)
        _sync_directory(path.parent)
    except OSError as error:
        raise ConfigurationError(
            f"the secret {path} cannot be made: {error.strerror}; set FOREWARN_SECRETS_DIRECTORY to a folder that can "
            f"be written, or {PREFIX}{path.name.upper()} itself ({_REMEDY})"
        ) from error


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
