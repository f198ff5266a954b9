"""One run against one server, and a look around in it."""

from collections.abc import AsyncGenerator, Sequence

from asyncua.ua.uaerrors import UaError

from forewarn.contracts.browser import FoundPoint
from forewarn.contracts.connector import ReadingSink, SourceRequest
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua.browse import walk
from forewarn.plugins.connectors.opcua.facts import Limits, limits_of, ranges_of
from forewarn.plugins.connectors.opcua.feed import Feed
from forewarn.plugins.connectors.opcua.fleet import Fleet, Scene, first_failure
from forewarn.plugins.connectors.opcua.history import HistoryReader
from forewarn.plugins.connectors.opcua.missed import Missed
from forewarn.plugins.connectors.opcua.redundancy import Choice, Chosen, Memory
from forewarn.plugins.connectors.opcua.session import close_session
from forewarn.plugins.connectors.opcua.settings import OpcUaSettings


async def collect(request: SourceRequest, settings: OpcUaSettings, memory: Memory, sink: ReadingSink) -> None:
    """Until cancelled or lost, as Connector.run."""
    feed = Feed(request.signals, settings, sink)
    missed = Missed(memory.owed, feed, sink, wanted=settings.history.read)
    missed.note(range(len(feed)))
    choice = Choice(settings, memory)
    chosen = await choice.choose(sink)
    try:
        limits = await _ask(chosen, feed)
        scene = Scene(chosen.entrance, settings, limits, feed, sink, missed)
        reader = HistoryReader(chosen.entrance, settings, limits, feed, missed, sink)
        await first_failure(
            Fleet(scene).run(chosen.client), choice.watch(chosen), reader.run(), missed.remember(), feed.remind()
        )
    except SourceUnreachable as error:
        choice.lost(str(error))
        raise
    except (OSError, TimeoutError, UaError) as error:
        choice.lost(str(error))
        raise SourceUnreachable(f"{chosen.entrance.url} is lost: {str(error) or type(error).__name__}") from error
    finally:
        missed.end()
        await close_session(chosen.client, polite=False)  # who cancels early may leave it open


async def _ask(chosen: Chosen, feed: Feed) -> Limits:
    """The server's limits, and the ranges that a deadband in percent needs."""
    limits = await limits_of(chosen.client)
    rows = [row for row, plan in enumerate(feed.plans) if plan.percent]
    nodes = [feed.addresses[row].node for row in rows]
    feed.use_ranges(dict(zip(rows, await ranges_of(chosen.client, nodes, limits), strict=True)))
    return limits


async def look_around(settings: OpcUaSettings, match: Sequence[str], most: int) -> AsyncGenerator[FoundPoint]:
    """As Browser.browse."""
    chosen = await Choice(settings, Memory()).choose(None)
    try:
        async for point in walk(chosen.client, await limits_of(chosen.client), match, most):
            yield point
    except (OSError, TimeoutError, UaError) as error:
        raise SourceUnreachable(f"{chosen.entrance.url} is lost: {str(error) or type(error).__name__}") from error
    finally:
        await close_session(chosen.client, polite=True)
