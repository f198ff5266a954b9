"""What was seen of models that are being tried: a row a rollout, state, side and process."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, and_, delete, select

from forewarn.catalog.engine import Database, upsert
from forewarn.catalog.model_tables import model_observations, model_rollouts
from forewarn.domain.model_delivery import Side, Tally

_C: Final = model_observations.c
# Of one gateway: its last restarts. A run that was cut short by the next has judged next to nothing.
_MOST_RUNS: Final = 32
_KEY: Final = ("rollout_id", "since", "side", "run")


class CatalogObservations:
    """ModelObservations in the catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, teller: str, tallies: Sequence[Tally]) -> None:
        if not tallies:
            return
        named = {tally.rollout_id for tally in tallies}
        r = model_rollouts.c
        with self._database.write() as connection:
            query = select(r.rollout_id, r.since).where(r.rollout_id.in_(named)).order_by(r.rollout_id)  # as all do
            since = {row.rollout_id: row.since for row in connection.execute(query.with_for_update())}
            for rollout_id, now in since.items():
                past = (_C.rollout_id == rollout_id) & (_C.since != now)
                connection.execute(delete(model_observations).where(past))
            told = _newest([tally for tally in tallies if since.get(tally.rollout_id) == tally.since])
            if told:
                upsert(connection, model_observations, [_row(teller, tally) for tally in told])
                _forget(connection, teller, told)

    def tallies(self, rollout_ids: Collection[str]) -> Sequence[Tally]:
        query = select(model_observations).where(_C.rollout_id.in_(rollout_ids))
        with self._database.read() as connection:
            return [_tally(row) for row in connection.execute(query)]


def _newest(tallies: Sequence[Tally]) -> list[Tally]:
    """Of each side no more than are kept."""
    sides: dict[tuple[str, Side], list[Tally]] = {}
    for tally in tallies:
        sides.setdefault((tally.rollout_id, tally.side), []).append(tally)
    return [one for side in sides.values() for one in sorted(side, key=lambda tally: -tally.run)[:_MOST_RUNS]]


def _forget(connection: Connection, teller: str, told: Sequence[Tally]) -> None:
    """Of who told, and of those sides: runs beyond the newest that are kept. What was told now stays even where a clock
    was set back, so that its run is not the newest."""
    now: dict[tuple[str, int, str], list[int]] = {}
    for tally in told:
        now.setdefault((tally.rollout_id, tally.since, tally.side.value), []).append(tally.run)
    for (rollout_id, since, side), runs in now.items():
        mine = and_(_C.rollout_id == rollout_id, _C.since == since, _C.side == side, _C.teller == teller)
        others = select(_C.run).where(mine, _C.run.not_in(runs)).order_by(_C.run.desc())
        gone = others.offset(_MOST_RUNS - len(runs)).scalar_subquery()
        connection.execute(delete(model_observations).where(mine, _C.run.in_(gone)))


def _row(teller: str, tally: Tally) -> dict[str, Any]:
    told = msgspec.to_builtins(replace(tally, latency=()))
    rest = {name: value for name, value in told.items() if name not in _KEY} | {"latency": list(tally.latency)}
    return {
        "rollout_id": tally.rollout_id,
        "since": tally.since,
        "side": tally.side.value,
        "teller": teller,
        "run": tally.run,
        "tally": rest,
    }


def _tally(row: Any) -> Tally:
    told = {"rollout_id": row.rollout_id, "since": row.since, "side": Side(row.side), "run": row.run, **row.tally}
    return msgspec.convert(told, Tally)
