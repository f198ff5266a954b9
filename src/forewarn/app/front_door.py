"""What the settings say of strangers: names that are served, rates, connections."""

from forewarn.api.front_door import FrontDoor
from forewarn.api.origin import OriginCheck
from forewarn.api.rate_limits import RateLimits, Rates
from forewarn.app.connection import ConnectionLimits
from forewarn.app.listening import on_loopback
from forewarn.app.settings import Settings


def front_door(settings: Settings) -> FrontDoor:
    rates = Rates(settings.requests_per_minute, settings.sign_ins_per_minute, settings.ingest_per_second)
    return FrontDoor(OriginCheck(settings.allowed_hosts, loopback=on_loopback(settings.host)), RateLimits(rates))


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Of a proxy's address all connections are: there it counts them."""
    most = settings.max_connections
    return ConnectionLimits(
        head_s=settings.head_timeout_s,
        body_bytes_s=settings.least_upload_bytes_s,
        connections=most,
        connections_of_address=most if settings.behind_proxy else settings.max_connections_of_address,
    )
