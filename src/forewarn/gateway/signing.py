"""The gateway's own key: what it signs was written by who holds the key file, and was not changed since."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.gateway.disk_state import condition_of

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


def open_signer(directory: Path, note: Callable[[ConditionCode, str], None] = lambda code, text: None) -> Signer:
    """The key in `directory`/ledger.key (mode 0600), made at the first start; its public half is in ledger.pub.

    A file that holds no key is set aside, `note` is told, and a new one is made: a gateway does not stop collecting for
    it. The ledger so far cannot be continued with that. Raises StorageFailed when it can be neither read nor made."""
    path, public = directory / KEY_FILE, directory / PUBLIC_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        if (signer := _signer(path)) is None:
            aside = path.with_name(f"damaged-{time.time_ns() // 1_000}-{KEY_FILE}")
            path.rename(aside)
            _make(path)
            signer = _signer(path)
            text = f"{path} held no signing key ({2 * _BYTES} hexadecimal digits); it was set aside as {aside.name}"
            note(ConditionCode.BUFFER_DAMAGED, f"{text} and a new key was made. Check the disk")
        if signer is None:
            raise OSError("what was written is not what is read")
        told = signer.public_key + "\n"
        if not public.exists() or public.read_text("ascii", errors="replace") != told:
            public.write_text(told, "ascii")
    except OSError as error:
        text = f"cannot open the signing key {path}: {error}. Check owner and free space"
        raise StorageFailed(text, condition=condition_of(error)) from error
    return signer


def _signer(path: Path) -> Signer | None:
    try:
        secret = bytes.fromhex(path.read_text("ascii", errors="replace").strip())
        return Signer(Ed25519PrivateKey.from_private_bytes(secret))
    except ValueError:
        return None


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
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
