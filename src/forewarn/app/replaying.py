"""`forewarn replay`: joins a recording on disk to the site's front door."""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import orjson
from rich.progress import Progress

from forewarn.domain.errors import ForewarnError, InvalidInput, NotFound, NotSignedIn, SourceUnreachable
from forewarn.jobs.recording import read_recording, to_wire
from forewarn.jobs.replay import Replay, ReplayCount


def replay_recording(
    path: Path, asset: str, speed: float, url: str, pairs: list[str], key: str | None, progress: Progress
) -> tuple[ReplayCount, list[str]]:
    """Replay `path` into `asset`; the verdicts, and the columns that no signal of the asset matched."""
    mapping = {}
    for pair in pairs:
        column, equals, signal = pair.partition("=")
        if not equals or not signal:
            raise InvalidInput(f"--map {pair!r} is not column=signal", field="map")
        mapping[column] = signal
    _check(url)
    wire, unmatched = to_wire(read_recording(path), asset, _signal_ids(url, asset, key), mapping)
    if wire.num_rows == 0:
        raise InvalidInput(f"{path}: there are no readings in it", field="file")
    task = progress.add_task(path.name, total=wire.num_rows)
    replay = Replay(url, f"{_own_name(url, key)}replay:{path.name}", key)
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


def _ask(url: str, path: str, key: str | None) -> Any:
    signed = {} if key is None else {"Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url.rstrip("/") + path, headers=signed)  # noqa: S310 (scheme checked above)
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return orjson.loads(response.read())


def _own_name(url: str, key: str | None) -> str:
    """What the gateway_id of a machine with this key must begin with."""
    try:
        return f"{_ask(url, '/api/v1/machines/self', key)['name']}/"
    except urllib.error.HTTPError:
        return ""  # a person's token


def _signal_ids(url: str, asset: str, key: str | None) -> list[str]:
    try:
        found = _ask(url, f"/api/v1/assets/{urllib.parse.quote(asset, safe='')}", key)
        return [signal["id"] for signal in found["signals"]]
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise NotSignedIn(
                f"the site wants a key that may read and write {asset!r} ({error.code}): make one with "
                "`forewarn machines add replay --role plant_engineer --key` and put it into FOREWARN_KEY"
            ) from error
        if error.code == 404:
            raise NotFound(f"the site has no asset {asset!r}; `forewarn apply` a plant file that has it") from error
        raise ForewarnError(f"the site answered {error.code} to a question about {asset!r}") from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceUnreachable(f"no site at {url} ({error}); start one with `forewarn serve`") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NotFound(f"what answers at {url} is no Forewarn site, or has no asset {asset!r}") from error
