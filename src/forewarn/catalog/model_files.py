"""Signed artifacts as files: `<directory>/<first two digits of the id>/<id>`, each whole or not there."""

import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import Final

from forewarn.domain.errors import ArtifactRefused, NotFound, StorageDamaged, StorageFailed
from forewarn.domain.model_versions import ArtifactFault
from forewarn.kit.disk import sync_directory
from forewarn.policies.model_signature import read_envelope

_HALF: Final = ".half"
_LEFT_S: Final = 3_600.0  # nobody has written on it for so long: its writer was killed


class ModelFiles:
    """Any process may write and read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.has_forgotten = False  # those that a kill left, in this process

    def put(self, version_id: str, artifact: bytes) -> None:
        """Durable on return. Raises ArtifactRefused for bytes that are not those of the id, StorageFailed."""
        if read_envelope(artifact).id != version_id:
            raise _not_of(version_id)
        path = self._path(version_id)
        try:
            if not path.exists() or path.read_bytes() != artifact:
                self._make(path.parent)
                _write(path, artifact)
                _tidy(path.parent)
            sync_directory(path.parent)  # a kill may have come between the rename and this
        except OSError as error:
            text = f"the model {version_id[:16]}… cannot be kept in {path.parent}: {error.strerror or error}"
            raise StorageFailed(f"{text}. Check owner and free space") from error

    def get(self, version_id: str) -> bytes:
        """Raises NotFound, StorageDamaged where the file is not what was written, and StorageFailed."""
        path = self._path(version_id)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"the file of model {version_id[:16]}… is not in {path.parent}: train it again") from None
        except OSError as error:
            raise StorageFailed(f"{path} cannot be read: {error.strerror or error}. Check owner and disk") from error
        try:
            if read_envelope(data).id == version_id:
                return data
        except ArtifactRefused:
            pass
        raise StorageDamaged(f"{path} is damaged: restore it from a backup, or train the model again")

    def delete(self, version_id: str) -> None:
        """Idempotent. Raises StorageFailed."""
        path = self._path(version_id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFailed(f"{path} cannot be deleted: {error.strerror or error}. Check owner and disk") from error

    def _path(self, version_id: str) -> Path:
        if len(version_id) != 64 or set(version_id) - set("0123456789abcdef"):
            raise NotFound(f"there is no model {version_id[:80]!r}")
        return self._directory / version_id[:2] / version_id

    def _make(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for each in (folder.parent, folder.parent.parent):
            sync_directory(each)


def _not_of(version_id: str) -> ArtifactRefused:
    return ArtifactRefused(f"these are not the bytes of model {version_id[:16]}…", fault=ArtifactFault.DAMAGED)


def _write(path: Path, content: bytes) -> None:
    half = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_HALF}")
    try:
        with half.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
        raise


def _tidy(folder: Path) -> None:
    now = time.time()
    for half in folder.glob(f"*{_HALF}"):
        with contextlib.suppress(OSError):
            if now - half.stat().st_mtime > _LEFT_S:
                half.unlink()
