"""`forewarn replay`: joins a recording on disk to the site's front door."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import orjson
from rich.progress import Progress

from forewarn.domain.errors import ForewarnError, InvalidInput, NotFound, SourceUnreachable
from forewarn.jobs.recording import read_recording, to_wire
from forewarn.jobs.replay import Replay, ReplayCount


def replay_recording(
    path: Path, asset: str, speed: float, url: str, pairs: list[str], progress: Progress
) -> tuple[ReplayCount, list[str]]:
    """Replay `path` into `asset`; the verdicts, and the columns that no signal of the asset matched."""
    mapping = {}
    for pair in pairs:
        column, equals, signal = pair.partition("=")
        if not equals or not signal:
            raise InvalidInput(f"--map {pair!r} is not column=signal", field="map")
        mapping[column] = signal
    _check(url)
    wire, unmatched = to_wire(read_recording(path), asset, _signal_ids(url, asset), mapping)
    if wire.num_rows == 0:
        raise InvalidInput(f"{path}: there are no readings in it", field="file")
    task = progress.add_task(path.name, total=wire.num_rows)
    replay = Replay(url, gateway=f"replay:{path.name}")
    with progress:
        return replay.run(wire, speed, lambda sent: progress.update(task, completed=sent)), unmatched


def _check(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise InvalidInput(f"--url {url!r} is no address of a site; write http://127.0.0.1:8080", field="url")


def _signal_ids(url: str, asset: str) -> list[str]:
    address = f"{url.rstrip('/')}/api/v1/assets/{urllib.parse.quote(asset, safe='')}"
    try:
        with urllib.request.urlopen(address, timeout=30) as response:  # noqa: S310 (scheme checked above)
            return [signal["id"] for signal in orjson.loads(response.read())["signals"]]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise NotFound(f"the site has no asset {asset!r}; `forewarn apply` a plant file that has it") from error
        raise ForewarnError(f"the site answered {error.code} to a question about {asset!r}") from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceUnreachable(f"no site at {url} ({error}); start one with `forewarn serve`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NotFound(f"what answers at {url} is no Forewarn site, or has no asset {asset!r}") from error
