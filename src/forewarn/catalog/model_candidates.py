"""Which candidates may be rolled out now."""

from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from forewarn.catalog.model_tables import model_champions, model_rollout_members, model_versions
from forewarn.catalog.narrowing import sees_asset
from forewarn.domain.access import Scope
from forewarn.domain.model_versions import ModelState


def free_candidates(scope: Scope) -> Select[Any]:
    """Asset id, version id, time and reason: the newest candidate of each machine, where it is no older than the
    champion, its bytes are there, and the machine is in no rollout under way. No cards are read."""
    c, champion, m = model_versions.c, model_versions.alias("champion"), model_rollout_members.c
    place = func.row_number().over(partition_by=c.asset_id, order_by=(c.created_at.desc(), c.version_id))
    every = select(c.asset_id, c.version_id, c.created_at, c.reason, c.bytes_deleted_at, place.label("place"))
    n = every.where(c.state == ModelState.CANDIDATE.value, sees_asset(scope, c.asset_id)).subquery("newest").c
    is_tried = n.asset_id.in_(select(m.asset_id).where(m.is_open))
    is_newer = or_(champion.c.created_at.is_(None), n.created_at >= champion.c.created_at)
    crowned = model_champions.c
    return (
        select(n.asset_id, n.version_id, n.created_at, n.reason)
        .outerjoin(model_champions, crowned.asset_id == n.asset_id)
        .outerjoin(champion, champion.c.version_id == crowned.version_id)
        .where(and_(n.place == 1, n.bytes_deleted_at.is_(None), ~is_tried, is_newer))
    )
