"""The part of the plant that a transaction may see: as a WHERE, and on PostgreSQL once more as row-level security."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, text, true

from forewarn.catalog.tables import assets
from forewarn.domain.access import Scope

_LEVELS: Final = (assets.c.enterprise, assets.c.site, assets.c.area, assets.c.line)
# Paths are set one a line, after a line of none: '*' alone is everything (migration 0004), a path of that name is not.
_SET_SCOPE: Final = text("SELECT set_config('forewarn.scope', :paths, true)")


def sees_asset(scope: Scope, asset_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Condition: the asset of that id lies within `scope`."""
    if scope.everywhere:
        return true()
    if not scope.paths:
        return false()
    return asset_id.in_(select(assets.c.asset_id).where(or_(*map(_below, scope.paths))))


def _below(path: str) -> ColumnElement[bool]:
    names = path.split("/")
    if len(names) > len(_LEVELS):
        return false()
    return and_(*(level == name for level, name in zip(_LEVELS, names, strict=False)))


def set_scope(connection: Connection, scope: Scope) -> None:
    """For the rest of the transaction; a connection begins with everything."""
    if not scope.everywhere and connection.dialect.name == "postgresql":
        lines = ["", *(path for path in scope.paths if "\n" not in path)]
        connection.execute(_SET_SCOPE, {"paths": "\n".join(lines)})
