"""Who is champion of a machine, and the locks under which that changes.

Whoever changes it holds machines first, then rollouts, then versions, each with one statement in one order, so that no
two wait for each other crosswise.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, any_, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from forewarn.catalog.engine import upsert
from forewarn.catalog.model_pruning import in_order
from forewarn.catalog.model_rows import rollout_of, rollout_row, version_of
from forewarn.catalog.model_tables import model_champions, model_rollout_members, model_rollouts, model_versions
from forewarn.catalog.tables import assets
from forewarn.domain.audit import Deed
from forewarn.domain.errors import Conflict
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.domain.rollouts import Rollout
from forewarn.kit.clock import to_rfc3339
from forewarn.policies.rollout import OPEN, begin_anew


def is_version(version_id: str) -> ColumnElement[bool]:
    return model_versions.c.version_id == version_id


def hold_machines(connection: Connection, asset_ids: Iterable[str]) -> None:
    """Nobody else changes the models of these machines before this transaction ends."""
    held = select(assets.c.asset_id).where(_among(connection, assets.c.asset_id, asset_ids))
    connection.execute(held.order_by(assets.c.asset_id).with_for_update())


def hold_rollouts(connection: Connection, rollout: Rollout) -> None:
    """This one, and those under way that have a machine of it."""
    m, r = model_rollout_members.c, model_rollouts.c
    others = select(m.rollout_id).where(m.is_open, _among(connection, m.asset_id, rollout.versions))
    held = select(r.rollout_id).where(or_(r.rollout_id == rollout.id, r.rollout_id.in_(others)))
    connection.execute(held.order_by(r.rollout_id).with_for_update())


def hold_versions(connection: Connection, version_ids: Iterable[str]) -> dict[str, ModelVersion]:
    """As they are, until the transaction ends: nobody deletes their bytes meanwhile. Absent where there is none."""
    some = in_order(select(model_versions).where(_among(connection, model_versions.c.version_id, version_ids)))
    return {row.version_id: version_of(row) for row in connection.execute(some.with_for_update())}


def hold_involved(connection: Connection, versions: Mapping[str, str]) -> None:
    """Those of machines (id by asset id), their champions, and the ones before these."""
    c = model_champions.c
    query = select(c.version_id, c.former_id).where(_among(connection, c.asset_id, versions))
    known = {each for row in connection.execute(query) for each in row if each is not None}
    version_id = model_versions.c.version_id
    held = in_order(select(version_id).where(_among(connection, version_id, known | set(versions.values()))))
    connection.execute(held.with_for_update())


def _among(connection: Connection, column: ColumnElement[str], ids: Iterable[str]) -> ColumnElement[bool]:
    """One parameter for any number of ids: a statement takes no more than 32,766, and locks that are taken with two
    statements are not taken in one order."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(ids), ARRAY(Text)))
    return column.in_(select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value))


def check_free(connection: Connection, asset_ids: Collection[str]) -> None:
    """Raises Conflict where one of them is in a rollout under way."""
    m = model_rollout_members.c
    query = select(m.asset_id, m.rollout_id).where(m.is_open, _among(connection, m.asset_id, asset_ids))
    row = connection.execute(query.order_by(m.asset_id).limit(1)).first()
    if row is not None:
        raise Conflict(f"{row.asset_id} is in rollout {row.rollout_id!r}, which is under way: end that first")


def follow(connection: Connection, after: Rollout, now: int) -> frozenset[str]:
    """Rollout, members, versions and champions as `after` says. Ids of machines that have another champion now."""
    mine = model_rollouts.c.rollout_id == after.id
    connection.execute(update(model_rollouts).where(mine).values(rollout_row(after)))
    members = model_rollout_members.c.rollout_id == after.id
    connection.execute(update(model_rollout_members).where(members).values(is_open=after.state in OPEN))
    moved = set()
    for asset_id, version_id in after.versions.items():
        if after.state is ModelState.CHAMPION:
            has_moved = crown(connection, asset_id, version_id, now)
        elif after.state is ModelState.ROLLED_BACK:
            has_moved = depose(connection, asset_id, version_id, after.note, now)
        else:
            has_moved = False
            _set_state(connection, version_id, after.state, now)
        if has_moved:
            moved.add(asset_id)
    return frozenset(moved)


def restart_others(connection: Connection, cause: Rollout, moved: Collection[str], now: int, deed: Deed) -> list[Deed]:
    """Rollouts under way that have one of the machines that `cause` has given another champion (`moved`) begin their
    step anew: what was seen beside the one champion says nothing of a step beside the other. deed: that of `cause`;
    the doer is the same."""
    m, deeds = model_rollout_members.c, []
    ids = select(m.rollout_id).where(m.is_open, m.rollout_id != cause.id, _among(connection, m.asset_id, moved))
    r = model_rollouts.c
    for row in connection.execute(select(model_rollouts).where(r.rollout_id.in_(ids)).order_by(r.rollout_id)).all():
        since = begin_anew(rollout_of(row, {}), now).since
        connection.execute(update(model_rollouts).where(r.rollout_id == row.rollout_id).values(since=since))
        before, after = ({"state": row.state, "since": to_rfc3339(at)} for at in (row.since, since))
        why = f"its champion changed with rollout {cause.id} ({cause.state.value}): this step begins anew"
        deeds.append(replace(deed, target=f"rollout {row.rollout_id}", before=before, after=after, why=why))
    return deeds


def crown(connection: Connection, asset_id: str, version_id: str, now: int) -> bool:
    """Whether it was not the champion already."""
    before = champion_of(connection, asset_id)
    former = None if before is None else before.version_id
    if former == version_id:
        return False
    row = {"asset_id": asset_id, "version_id": version_id, "since": now, "former_id": former}
    upsert(connection, model_champions, [row])
    if former is not None:
        _set_state(connection, former, ModelState.RETIRED, now)
    _set_state(connection, version_id, ModelState.CHAMPION, now)
    return True


def depose(connection: Connection, asset_id: str, version_id: str, reason: str, now: int) -> bool:
    """Rolled back; where it was the champion, which is returned, the one before it is that again."""
    champion = champion_of(connection, asset_id)
    was_champion = champion is not None and champion.version_id == version_id
    if champion is not None and was_champion:
        mine = model_champions.c.asset_id == asset_id
        if champion.former_id is None:
            connection.execute(delete(model_champions).where(mine))
        else:
            again = {"version_id": champion.former_id, "since": now, "former_id": None}
            connection.execute(update(model_champions).where(mine).values(again))
            _set_state(connection, champion.former_id, ModelState.CHAMPION, now)
    _set_state(connection, version_id, ModelState.ROLLED_BACK, now, reason)
    return was_champion


def _set_state(connection: Connection, version_id: str, state: ModelState, now: int, reason: str = "") -> None:
    told = {"state": state.value, "state_since": now, "reason": reason}
    connection.execute(update(model_versions).where(is_version(version_id)).values(told))


def champion_of(connection: Connection, asset_id: str) -> Row[Any] | None:
    return connection.execute(select(model_champions).where(model_champions.c.asset_id == asset_id)).first()
