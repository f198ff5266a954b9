"""What becomes of a file once all of it is stored."""

import shutil
from itertools import count
from pathlib import Path

from forewarn.plugins.connectors.folder.looking import MARKER
from forewarn.plugins.connectors.folder.settings import FolderSettings


def finish(path: Path, settings: FolderSettings) -> None:
    """Leave, move or delete it and its marker; nothing that lies there is overwritten. Raises OSError."""
    if settings.afterwards == "leave":
        return
    if settings.afterwards == "delete":
        path.unlink(missing_ok=True)
    else:
        folder = settings.done_folder or settings.path / "done"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(path, _free_name(folder, path))
    path.with_name(path.name + MARKER).unlink(missing_ok=True)


def _free_name(folder: Path, path: Path) -> Path:
    if not (folder / path.name).exists():
        return folder / path.name
    return next(free for i in count(1) if not (free := folder / f"{path.stem}-{i}{path.suffix}").exists())
