"""The models of a gateway as people see them."""

from collections.abc import Collection

from pydantic import BaseModel

from forewarn.api.gateway_desk import ModelsThere
from forewarn.api.times import Instant, text_of
from forewarn.domain.model_delivery import HeldModels
from forewarn.policies.model_delivery import fingerprint, thresholds_name


class GatewayMachineModel(BaseModel):
    """Of one machine. wanted: id of the version that should act there; acting: that does; refused: a word for what is
    wrong with the one that should. moved: the thresholds of the wanted one are others than were learned."""

    asset_id: str
    wanted: str | None
    acting: str | None
    refused: str | None
    moved: bool


class GatewayModels(BaseModel):
    """told_at: when the gateway told of them last, null where it has not since this site began. up_to_date: it follows
    what the site wants of it now, and uses all of it. thresholds, thresholds_wanted: names of those that are in use
    there, and should be; empty where all are as learned. keys: fingerprints of those whose models it believes;
    trusts_site: this site's own among them."""

    told_at: Instant | None
    up_to_date: bool
    thresholds: str
    thresholds_wanted: str
    keys: list[str]
    trusts_site: bool
    machines: list[GatewayMachineModel]

    @classmethod
    def of(cls, there: ModelsThere, assets: Collection[str]) -> "GatewayModels":
        """assets: ids of the machines that are told of."""
        wanted, held = there.wanted, there.held or HeldModels()
        moved = {v: wanted.thresholds[v] for v in wanted.acting.values() if v in wanted.thresholds}
        used = dict(held.acting) == dict(wanted.acting) and held.thresholds == thresholds_name(moved)
        machines = {*wanted.acting, *held.acting, *held.refused}.intersection(assets)
        return cls(
            told_at=None if there.told_at is None else text_of(there.told_at),
            up_to_date=there.held is not None and held.revision == wanted.revision and used,
            thresholds=held.thresholds,
            thresholds_wanted=thresholds_name(moved),
            keys=list(held.keys),
            trusts_site=any(fingerprint(key) in held.keys for key in wanted.keys),
            machines=[
                GatewayMachineModel(
                    asset_id=asset_id,
                    wanted=wanted.acting.get(asset_id),
                    acting=held.acting.get(asset_id),
                    refused=held.refused.get(asset_id),
                    moved=wanted.acting.get(asset_id, "") in moved,
                )
                for asset_id in sorted(machines)
            ],
        )
