"""For which gateway somebody may speak, and under which name the log counts their batches."""

from dataclasses import replace
from typing import Final

from forewarn.api.telemetry_batch import Telemetry
from forewarn.domain.access import Principal, PrincipalKind
from forewarn.domain.errors import NotAllowed

# No gateway_id holds a tab, so a person's numbers never meet a gateway's.
_PERSON: Final = "person\t"


def spoken_by(principal: Principal, telemetry: Telemetry) -> Telemetry:
    """Raises NotAllowed when a machine speaks for another gateway. A person's batches stand under their own name."""
    batch = telemetry.batch
    if principal.kind is PrincipalKind.MACHINE:
        if batch.gateway != principal.name and not batch.gateway.startswith(principal.name + "/"):
            raise NotAllowed(
                f"this key speaks for gateway {principal.name!r} and those below {principal.name + '/'!r}, "
                f"not for {batch.gateway!r}"
            )
        return telemetry
    return replace(telemetry, batch=replace(batch, gateway=f"{_PERSON}{principal.name}\t{batch.gateway}"))


def shown(gateway: str) -> str:
    """The log's name as people read it."""
    if not gateway.startswith(_PERSON):
        return gateway
    _, person, name = gateway.split("\t", 2)
    return f"{name} ({person})"
