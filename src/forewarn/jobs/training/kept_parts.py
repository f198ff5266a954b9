"""What a job learned of a template, kept while the job lasts: whoever goes on with it does not learn it again."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from forewarn.contracts.trained_detector import Parameters
from forewarn.domain.errors import ArtifactRefused, StorageFailed
from forewarn.kit.disk import sync_directory
from forewarn.policies.model_artifact import Json, pack, unpack

_DIGEST: Final = 32


class KeptParts:
    """`<directory>/<job id>/<key>`: the content's SHA-256, then the content; each whole or not there. The key says all
    that the part depends on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, job_id: str, key: str, about: Mapping[str, Json], part: Parameters) -> None:
        """Durable on return. Raises StorageFailed, InvalidInput where the part is not plain arrays."""
        content = pack(about, {name: np.asarray(array) for name, array in part.items()})
        path = self._directory / job_id / key
        half = path.with_name(f"{key}.{secrets.token_hex(4)}.half")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with half.open("xb") as file:
                file.write(hashlib.sha256(content).digest() + content)
                file.flush()
                os.fsync(file.fileno())
            half.replace(path)
            for folder in (path.parent, self._directory):
                sync_directory(folder)
        except OSError as error:
            text = f"what template machines share cannot be kept in {path.parent}: {error.strerror or error}"
            raise StorageFailed(f"{text}. Check owner and free space") from error

    def get(self, job_id: str, key: str) -> tuple[Mapping[str, Json], Parameters] | None:
        """None where there is none, or none that is whole: it is learned again."""
        try:
            kept = (self._directory / job_id / key).read_bytes()
            if hashlib.sha256(kept[_DIGEST:]).digest() == kept[:_DIGEST]:
                return unpack(kept[_DIGEST:])
        except (OSError, ArtifactRefused):
            pass
        return None

    def drop(self, is_over: Callable[[str], bool]) -> None:
        """What was kept of jobs that are over."""
        with contextlib.suppress(OSError):
            for folder in self._directory.iterdir():
                if is_over(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)
