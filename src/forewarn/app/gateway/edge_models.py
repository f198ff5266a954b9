"""A gateway's trained models: those that act, those that are tried, and who brings them."""

from collections.abc import Callable
from dataclasses import dataclass

from forewarn.app.gateway.stores import Stores
from forewarn.app.trained_plugins import InstalledDetectors
from forewarn.domain.findings import BY_EDGE
from forewarn.domain.gateways import GatewayRole
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.models.courier import ModelCourier
from forewarn.gateway.models.drift_teller import DriftTeller
from forewarn.gateway.models.folder import ModelFolder
from forewarn.gateway.models.local_models import LocalModels
from forewarn.gateway.models.trust import TrustedKeys
from forewarn.gateway.standby import Standby
from forewarn.gateway.uplink.link import SiteLink
from forewarn.kit.clock import now_us
from forewarn.kit.web_address import is_private
from forewarn.learning.drift_watch import DriftWatch
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_trials import ModelTrials
from forewarn.policies.gateway_settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class EdgeModels:
    """counts: whether what is tried is counted here. courier: None where there is no site."""

    local: LocalModels
    watch: MachineWatch
    trials: ModelTrials
    counts: Callable[[], bool]
    courier: ModelCourier | None


def edge_models(
    settings: GatewaySettings, stores: Stores, link: SiteLink | None, conditions: Conditions, standby: Standby | None
) -> EdgeModels:
    """Raises StorageFailed."""
    words = settings.uplink
    named, private = ((), False) if words is None else (words.model_keys, is_private(words.url))
    keys = TrustedKeys(stores.memory, named, private)
    detectors = InstalledDetectors()
    local = LocalModels(ModelFolder(settings.directory), detectors, keys.known)
    trials = ModelTrials(local.tried, detectors, now_us)

    def counts() -> bool:
        return standby is None or standby.role[0] is not GatewayRole.STANDBY

    drift = DriftWatch()
    teller = DriftTeller(lambda: drift.judged if counts() else {}, now_us)
    courier = None if link is None else ModelCourier(link, local, keys, trials.tallies, conditions, teller)
    watch = MachineWatch(local.acting, detectors, drift=drift, detected_by=BY_EDGE)
    return EdgeModels(local, watch, trials, counts, courier)
