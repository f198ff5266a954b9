"""Which files of the folder are complete and not stored yet."""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.folder.ledger import FolderLedger, Head, Seen
from forewarn.plugins.connectors.folder.settings import FolderSettings

MARKER: Final = ".done"


class Watch:
    """clock: seconds that only go forward."""

    def __init__(self, settings: FolderSettings, ledger: FolderLedger, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        self._resting: dict[str, tuple[tuple[int, int], float]] = {}

    def look(self) -> list[tuple[Path, Seen]]:
        """Files to read, oldest first, each with how far it is stored; also those that are stored but not yet moved or
        deleted. Raises SourceUnreachable."""
        settings = self._settings
        try:
            found = {
                path.name: path
                for path in settings.path.iterdir()
                if any(fnmatch(path.name, pattern) for pattern in settings.pattern)
                and not path.name.startswith(".")
                and path.is_file()
            }
        except OSError as error:
            raise SourceUnreachable(f"folder {settings.path} cannot be read: {error.strerror}") from error
        present = set(found)
        ready: list[tuple[int, Path, Seen]] = []
        for path in found.values():
            try:
                head = Head(path)
                seen = self._seen(path, head, present)
            except OSError:
                continue  # it is gone, or not ours to read yet
            if self._is_due(path, head, seen):
                ready.append((head.changed_ns, path, seen))
        self._ledger.forget_all_but(present)
        self._resting = {name: rest for name, rest in self._resting.items() if name in present}
        return [(path, seen) for _, path, seen in sorted(ready, key=lambda each: (each[0], each[1].name))]

    def _seen(self, path: Path, head: Head, present: set[str]) -> Seen:
        known = self._ledger.known(path.name)
        if known is not None:
            if head.is_unchanged(known):
                return known
            if head.matches(known) and (self._settings.follows(path) or not known.settled):
                return head.grown(known)
            return head.fresh()
        moved = self._ledger.renamed_from(head, present)
        if moved is None:
            return head.fresh()
        seen = moved if head.size == moved.size else head.grown(moved)
        self._ledger.keep(path.name, seen)
        return seen

    def _is_due(self, path: Path, head: Head, seen: Seen) -> bool:
        if seen.problem:
            return False
        if seen.done:
            return self._settings.afterwards != "leave"
        if self._settings.follows(path):
            return head.size > seen.mark.offset
        if self._settings.complete == "renamed":
            return True
        if self._settings.complete == "marker":
            return path.with_name(path.name + MARKER).exists()
        return self._is_stable(path.name, (head.size, head.changed_ns))

    def _is_stable(self, name: str, now: tuple[int, int]) -> bool:
        before, since = self._resting.get(name, (None, 0.0))
        if before != now:
            since = self._clock()
            self._resting[name] = (now, since)
        return self._clock() - since >= self._settings.stable_s
