"""What leads out of a gateway: uplink, standby partner, outputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from forewarn import __version__
from forewarn.app.gateway.stores import Stores
from forewarn.app.plugins import load
from forewarn.contracts.connector import Connector
from forewarn.contracts.lease_broker import LeaseBroker
from forewarn.contracts.outbox import Urgency
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.errors import ConfigurationError
from forewarn.domain.series import Series
from forewarn.domain.sources import SourceTimes
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.gaps import Gaps
from forewarn.gateway.models.courier import ModelCourier
from forewarn.gateway.outputs import PlannedOutput
from forewarn.gateway.partner import Origins
from forewarn.gateway.standby import Standby
from forewarn.gateway.status import StatusReport
from forewarn.gateway.uplink.link import SiteLink
from forewarn.gateway.uplink.raw_requests import RawRequest
from forewarn.gateway.uplink.uplink import EVERYTHING, Uplink
from forewarn.gateway.wire import Wire
from forewarn.kit.steady_clock import SteadyClock
from forewarn.policies.gateway_settings import GatewaySettings, OutputSettings

_REQUEST_ROWS: Final = 20_000


def planned_output(settings: OutputSettings) -> PlannedOutput:
    output: Any = load("outputs", settings.output)
    return PlannedOutput(settings.name, output, output.settings.model_validate(dict(settings.settings)))


def site_link(settings: GatewaySettings) -> SiteLink | None:
    return None if settings.uplink is None else SiteLink(settings.uplink, settings.name, __version__)


def uplink_of(
    settings: GatewaySettings,
    link: SiteLink | None,
    stores: Stores,
    status: StatusReport,
    conditions: Conditions,
    standby: Standby | None,
    clock: SteadyClock,
    models: ModelCourier | None = None,
) -> Uplink | None:
    if settings.uplink is None or link is None:
        return None
    uplink = Uplink(
        settings.uplink,
        link,
        stores.outbox,
        stores.keys.id_of,
        status,
        _answering(stores),
        conditions,
        send_up_to=(lambda: EVERYTHING) if standby is None else standby.send_up_to,
        judge_clock=clock.judge,
        told=status.told,
        more=dict if models is None else models.told,
        heard=(lambda _answer: None) if models is None else models.heard,
    )
    if standby is not None:
        standby.covered_until = uplink.covered_until
    return uplink


def _answering(stores: Stores) -> Callable[[RawRequest], None]:
    """Puts what the site asks for beside the road."""
    packer = Wire()

    def answer(request: RawRequest) -> None:
        key_of = {name: key for key, name in stores.keys.id_of().items()}
        wanted = np.array(sorted(key_of[name] for name in request.signals if name in key_of), np.int32)
        # Piece by piece: a day of all signals is more than this process may hold. The site drops repeats.
        for found in stores.ring.pieces(wanted, request.start, request.end):
            for start in range(0, len(found), _REQUEST_ROWS):
                rows = slice(start, start + _REQUEST_ROWS)
                part = Series(found.signal[rows], found.time[rows], found.value[rows], found.quality[rows])
                stores.outbox.add([packer.readings(part, Urgency.REQUESTED)])

    return answer


def standby_of(
    settings: GatewaySettings,
    sources: Sequence[SourceConfig],
    connectors: Mapping[str, Connector],
    signals: Sequence[Signal],
    stores: Stores,
    link: SiteLink | None,
    conditions: Conditions,
    gaps: Gaps,
) -> Standby | None:
    if settings.standby is None:
        return None
    origins, broker = origins_of(sources, connectors, signals), _broker(settings)
    return Standby(settings.standby, settings.name, stores.outbox, link, broker, origins, conditions, gaps=gaps)


def origins_of(
    sources: Sequence[SourceConfig], connectors: Mapping[str, Connector], signals: Sequence[Signal]
) -> Origins:
    """signals: with their keys."""
    polled = [s.name for s in sources if connectors[s.connector].times is SourceTimes.RECEPTION]
    return Origins.of(signals, polled)


def _broker(settings: GatewaySettings) -> LeaseBroker | None:
    words = settings.standby
    if words is None or words.broker is None:
        return None
    leases: Any = load("lease_brokers", "mqtt")
    try:
        parsed = leases.settings.model_validate(dict(words.broker))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'broker'}: {f['msg']}" for f in error.errors())
        raise ConfigurationError(f"gateway.standby.broker: {faults}") from None
    broker: LeaseBroker = leases(parsed, words.group, settings.name)
    return broker
