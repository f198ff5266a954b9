"""Who signed a model's artifact, and that it is what was signed; docs/formats/model.md.

0        8        16            48           80            144
+--------+--------+-------------+------------+-------------+---------+
| magic  | length | SHA-256 of  | public key | Ed25519     | payload |
|        | uint64 | the payload |            | signature   |         |
+--------+--------+-------------+------------+-------------+---------+
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from forewarn.domain.errors import ArtifactRefused
from forewarn.domain.model_versions import ArtifactFault
from forewarn.policies.model_artifact import MOST_BYTES

MAGIC: Final = b"FWMODEL\x01"  # the number says Ed25519 and SHA-256: no file chooses its own algorithm
_DOMAIN: Final = b"forewarn model artifact 1\x00"  # no other signature of this key holds for a model
_SIGNED: Final = 80
HEAD: Final = 144


class Signer(Protocol):
    """Holder of an Ed25519 key; public_key: 64 hexadecimal digits."""

    @property
    def public_key(self) -> str: ...

    def sign(self, what: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """A whole artifact whose payload is what its head says. Who may sign was not asked."""

    id: str
    public_key: str
    signature: bytes
    signed: bytes
    payload: bytes


def content_id(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def sign(payload: bytes, signer: Signer) -> bytes:
    """Raises ArtifactRefused (TOO_LARGE)."""
    if HEAD + len(payload) > MOST_BYTES:
        raise _too_large(HEAD + len(payload))
    digest, key = hashlib.sha256(payload).digest(), bytes.fromhex(signer.public_key)
    head = MAGIC + len(payload).to_bytes(8, "little") + digest + key
    return head + signer.sign(_DOMAIN + head) + payload


def read_envelope(data: bytes) -> Envelope:
    """Raises ArtifactRefused: TOO_LARGE, TRUNCATED, POISONED (no artifact at all) or DAMAGED."""
    if len(data) > MOST_BYTES:
        raise _too_large(len(data))
    if data[: len(MAGIC)] != MAGIC[: len(data)]:
        raise _refused("this is no model's file", ArtifactFault.POISONED)
    size = HEAD + int.from_bytes(data[8:16], "little") if len(data) >= 16 else HEAD
    if len(data) < size:
        raise _refused(f"{len(data):,} of {size:,} bytes are there", ArtifactFault.TRUNCATED)
    payload = data[HEAD:]
    if len(data) > size or hashlib.sha256(payload).digest() != data[16:48]:
        raise _refused("its bytes are not those that were signed", ArtifactFault.DAMAGED)
    return Envelope(data[16:48].hex(), data[48:_SIGNED].hex(), data[_SIGNED:HEAD], data[:_SIGNED], payload)


def open_signed(data: bytes, trusted: Collection[str]) -> bytes:
    """The payload of an artifact that one of the `trusted` public keys (64 hexadecimal digits) signed.

    Raises ArtifactRefused with any fault but POISONED contents: those `unpack` finds."""
    envelope = read_envelope(data)
    if envelope.public_key not in trusted:
        raise _refused(
            f"it is signed by {envelope.public_key[:16]}…, whom nobody trusts here", ArtifactFault.UNKNOWN_KEY
        )
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(envelope.public_key))
        key.verify(envelope.signature, _DOMAIN + envelope.signed)
    except (InvalidSignature, ValueError):
        raise _refused("that key did not sign it", ArtifactFault.WRONG_SIGNATURE) from None
    return envelope.payload


def _refused(why: str, fault: ArtifactFault) -> ArtifactRefused:
    return ArtifactRefused(f"this model is not used, {why}. Have the site send it again", fault=fault)


def _too_large(size: int) -> ArtifactRefused:
    return _refused(f"{size:,} bytes; at most {MOST_BYTES:,} are taken", ArtifactFault.TOO_LARGE)
