"""What was seen of models that are being tried: a row a rollout, state, side and process."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import delete, select

from forewarn.catalog.engine import Database, upsert
from forewarn.catalog.model_tables import model_observations, model_rollouts
from forewarn.domain.model_delivery import Side, Tally

_C: Final = model_observations.c
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
            query = select(r.rollout_id, r.since).where(r.rollout_id.in_(named)).with_for_update()
            since = {row.rollout_id: row.since for row in connection.execute(query)}
            for rollout_id, now in since.items():
                past = (_C.rollout_id == rollout_id) & (_C.since != now)
                connection.execute(delete(model_observations).where(past))
            rows = [_row(teller, tally) for tally in tallies if since.get(tally.rollout_id) == tally.since]
            if rows:
                upsert(connection, model_observations, rows)

    def tallies(self, rollout_ids: Collection[str]) -> Sequence[Tally]:
        query = select(model_observations).where(_C.rollout_id.in_(rollout_ids))
        with self._database.read() as connection:
            return [_tally(row) for row in connection.execute(query)]


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
