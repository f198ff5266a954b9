"""The gateway's own key: what it signs was written by who holds the key file, and was not changed since."""

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from forewarn.domain.errors import ConfigurationError, StorageFailed

KEY_FILE = "ledger.key"
PUBLIC_FILE = "ledger.pub"
_BYTES = 32


class Signer:
    """Ed25519. public_key: 64 hexadecimal digits."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes_raw().hex()

    def sign(self, what: bytes) -> bytes:
        """64 bytes; about 0.1 ms."""
        return self._private.sign(what)


def open_signer(directory: Path) -> Signer:
    """The key in `directory`/ledger.key (mode 0600), made at the first start; its public half is in ledger.pub.

    Raises ConfigurationError when the file holds no key, StorageFailed when it can be neither read nor made."""
    path = directory / KEY_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        secret = path.read_text("ascii", errors="replace").strip()
    except OSError as error:
        raise StorageFailed(f"cannot open the signing key {path}: {error}. Check owner and free space") from error
    try:
        signer = Signer(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)))
    except ValueError as error:
        raise ConfigurationError(
            f"{path} holds no signing key ({2 * _BYTES} hexadecimal digits). Restore it from a backup; with a new one "
            "the ledger so far cannot be continued"
        ) from error
    public = directory / PUBLIC_FILE
    if not public.exists():
        public.write_text(signer.public_key + "\n", "ascii")
    return signer


def _make(path: Path) -> None:
    """Under another name first: a power loss leaves a whole key or none."""
    half = path.with_suffix(".new")
    half.unlink(missing_ok=True)
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, Ed25519PrivateKey.generate().private_bytes_raw().hex().encode() + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    half.rename(path)


def holds(public_key: str, signature: bytes, what: bytes) -> bool:
    """Whether the owner of `public_key` signed exactly this."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, what)
    except (InvalidSignature, ValueError):
        return False
    return True
