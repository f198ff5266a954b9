"""The models on a gateway's disk: artifacts as they were signed, and which of them are in use.

A file is written under another name, fsync, renamed, directory fsync. An artifact comes before the plan that names it,
and goes after it: a kill or a power loss at any step leaves the old plan with all its artifacts, or the new one."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import structlog

from forewarn.domain.errors import StorageFailed
from forewarn.domain.model_delivery import Thresholds, WantedModels
from forewarn.gateway.disk_state import condition_of
from forewarn.kit.disk import HALF, sync_directory, write_whole
from forewarn.policies.model_artifact import MOST_BYTES

_log = structlog.get_logger(__name__)
DIRECTORY: Final = "models"
PLAN: Final = "plan.json"
_DIGITS: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Plan:
    """wanted: what the site said last. used: id of the version that acts here, by asset id; another one than wanted
    where that one could not be used; kept: thresholds of such, as the site said them last."""

    wanted: WantedModels = field(default_factory=WantedModels)
    used: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, Thresholds] = field(default_factory=dict)

    @property
    def versions(self) -> frozenset[str]:
        return self.wanted.versions | frozenset(self.used.values())

    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """By version id, of those that are others than they were learned."""
        return {**self.kept, **self.wanted.thresholds}


class ModelFolder:
    """One process, one thread at a time. Raises StorageFailed where the disk refuses."""

    def __init__(self, directory: Path) -> None:
        """directory: the gateway's; what was half written when the last process ended is removed."""
        self._directory = directory / DIRECTORY
        with _told(self._directory):
            if not self._directory.exists():
                self._directory.mkdir()
                sync_directory(directory)
            for half in self._directory.glob(f"*{HALF}"):
                half.unlink()

    def put(self, version_id: str, artifact: bytes) -> None:
        """Durable on return."""
        with _told(self._directory):
            write_whole(self._path(version_id), artifact)

    def get(self, version_id: str) -> bytes | None:
        """None where there is none. What comes back was not checked."""
        with _told(self._directory):
            try:
                with self._path(version_id).open("rb") as file:
                    return file.read(MOST_BYTES + 1)
            except FileNotFoundError:
                return None

    def read_plan(self) -> Plan:
        """An empty one where there is none, or none that can be read: the site says it again."""
        with _told(self._directory):
            try:
                told = (self._directory / PLAN).read_bytes()
            except FileNotFoundError:
                return Plan()
        try:
            plan = msgspec.json.decode(told, type=Plan)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _log.warning("model_plan_unreadable", error=str(error))
            return Plan()
        return plan if all(map(is_version, plan.versions)) else Plan()

    def write_plan(self, plan: Plan) -> None:
        """Durable on return."""
        with _told(self._directory):
            write_whole(self._directory / PLAN, msgspec.json.encode(plan))

    def keep_only(self, versions: Collection[str]) -> None:
        """Artifacts that nobody needs are removed; what the disk will not part with goes another time."""
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                if is_version(path.name) and path.name not in versions:
                    path.unlink()

    def _path(self, version_id: str) -> Path:
        assert is_version(version_id), version_id
        return self._directory / version_id


def is_version(text: str) -> bool:
    """64 hexadecimal digits: nothing else becomes the name of a file."""
    return len(text) == 64 and _DIGITS.issuperset(text)


@contextlib.contextmanager
def _told(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        text = f"models cannot be kept in {directory}: {error.strerror or error}. Check owner and free space"
        raise StorageFailed(text, condition=condition_of(error)) from error
