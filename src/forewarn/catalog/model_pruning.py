"""Artifacts that nobody needs any more: marked in the catalog first, then deleted."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, select, update

from forewarn.catalog.model_files import ModelFiles
from forewarn.catalog.model_tables import model_champions, model_rollout_members, model_versions
from forewarn.domain.errors import Conflict
from forewarn.kit.clock import DAY


def prune(connection: Connection, kept: int, named: Collection[str], now: int) -> Sequence[str]:
    """Mark what goes; the versions' rows are held until the transaction ends."""
    c = model_versions.c
    rows = in_order(select(c.version_id, c.asset_id).where(c.bytes_deleted_at.is_(None))).with_for_update()
    needed = _needed(connection) | set(named)
    newer: Counter[str] = Counter()
    gone = []
    for row in connection.execute(rows).all():
        newer[row.asset_id] += 1
        if newer[row.asset_id] > kept and row.version_id not in needed:
            gone.append(row.version_id)
    for start in range(0, len(gone), 500):
        some = c.version_id.in_(gone[start : start + 500])
        connection.execute(update(model_versions).where(some).values(bytes_deleted_at=now))
    return gone


def in_order(versions: Select[Any]) -> Select[Any]:
    """As all do that hold several, so that no two wait for each other crosswise: by machine, the newest first."""
    c = model_versions.c
    return versions.order_by(c.asset_id, c.created_at.desc(), c.version_id)


def forget_bytes(connection: Connection, files: ModelFiles, now: int) -> None:
    """Delete the files of all that were marked within a day, and the first time of all that ever were: a kill may have
    come between mark and deletion, however long ago. Whoever adds a version again waits for its row, so that no file
    goes of one that is here again. Raises StorageFailed."""
    c = model_versions.c
    since = now - DAY if files.has_forgotten else 0
    marked = in_order(select(c.version_id).where(c.bytes_deleted_at >= since)).with_for_update()
    for version_id in connection.execute(marked).scalars().all():
        files.delete(version_id)
    files.has_forgotten = True


def check_bytes(deleted: Mapping[str, int]) -> None:
    """deleted: when, by version id. Raises Conflict, naming one."""
    for version_id, at in deleted.items():
        day = datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d")
        raise Conflict(
            f"the bytes of model {version_id[:16]}… were deleted on {day}, only its card is left: train the machine "
            "again; FOREWARN_MODELS_KEPT says how many versions are kept"
        )


def _needed(connection: Connection) -> set[str]:
    """Of champions, of those before them, of open rollouts."""
    champions, m = model_champions.c, model_rollout_members.c
    needed = {v for row in connection.execute(select(champions.version_id, champions.former_id)) for v in row if v}
    return needed | set(connection.execute(select(m.version_id).where(m.is_open)).scalars())
