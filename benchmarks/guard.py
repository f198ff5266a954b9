"""What it costs to know who asks, whether they may, and what they may see.

The guard of a real site with 200 people and 200 machines, asked without HTTP around it. Promise: under 0.3 ms at p99.
Run: python -m benchmarks.guard [--quick]
"""

import argparse
import contextlib
import hashlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.served_site import plant_toml
from forewarn.api.guard import Guard
from forewarn.app.plant import read_plant
from forewarn.app.settings import Settings
from forewarn.app.wiring import Site, open_site
from forewarn.domain.access import Action, Grant, Role
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import ForewarnError
from forewarn.domain.people import Machine, Person, Session
from forewarn.kit.clock import DAY, now_us
from forewarn.policies.rules import default_rules

DEED: Final = Deed(AuditAction.PERSON_CHANGED, "benchmark", "accounts")
MANY: Final = 200
PART: Final = "bench/bench"


@contextlib.contextmanager
def new_site(folder: Path) -> Iterator[Site]:
    plant = folder / "plant.toml"
    plant.write_text(plant_toml(100, 100))
    with open_site(Settings(directory=folder / "site")) as site:
        described = read_plant(plant)
        site.catalog.plant.apply(described, default_rules(described))
        site.plant.refresh()
        yield site


def tokens(site: Site, path: str) -> list[str]:
    """An access token of each of MANY people with a role on `path`."""
    made = []
    for _ in range(MANY):
        person_id, session_id, now = secrets.token_hex(8), secrets.token_hex(8), now_us()
        held = (Grant(Role.PLANT_ENGINEER, path),)
        site.catalog.people.add(Person(person_id, person_id, "", held, None, False, False, now), DEED)
        session = Session(session_id, person_id, b"0" * 32, None, now, now, now + DAY, "127.0.0.1", "benchmark")
        site.catalog.people.open_session(session, DEED)
        made.append(site.access.signer.issue(person_id, session_id)[0])
    return made


def keys(site: Site) -> list[str]:
    made = []
    for _ in range(MANY):
        machine_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        hashed = hashlib.sha256(secret.encode()).digest()
        held = (Grant(Role.GATEWAY, ""),)
        machine = Machine(machine_id, machine_id, held, None, None, hashed, None, None, False, now_us(), None)
        site.catalog.machines.add(machine, DEED)
        made.append(f"fwk_{machine_id}_{secret}")
    return made


def knocking(guard: Guard, shown: list[str], action: Action) -> Callable[[int], None]:
    scopes = [_scope(token) for token in shown]

    def knock(i: int) -> None:
        with contextlib.suppress(ForewarnError):
            guard.admit(dict(scopes[i % len(scopes)]), action)

    return knock


def _scope(token: str) -> dict[str, Any]:
    headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {token}".encode())]
    return {"type": "http", "method": "GET", "path": "/", "headers": headers}


def asked(label: str, knock: Callable[[int], None], times: int) -> None:
    took = np.empty(times)
    for i in range(times):
        began = time.perf_counter()
        knock(i)
        took[i] = time.perf_counter() - began
    p50, p99, worst = 1e3 * np.quantile(took, (0.5, 0.99, 1.0))
    print(f"{label:<44}{times:>9,}{p50:>10.4f}{p99:>10.4f}{worst:>10.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the questions")
    times = 10_000 if parser.parse_args().quick else 100_000
    with tempfile.TemporaryDirectory() as folder, new_site(Path(folder)) as site:
        whole, part, gateways = tokens(site, ""), tokens(site, PART), keys(site)
        site.access.book.changed()
        guard: Guard = site.app.state.guard
        print("the guard alone                                   asked    p50 ms    p99 ms  worst ms")
        asked("a token seen for the first time", knocking(guard, whole, Action.READ), MANY)
        asked("a token, the whole plant", knocking(guard, whole, Action.READ), times)
        asked("a token, a part of the plant (first time)", knocking(guard, part, Action.READ), MANY)
        asked("a token, a part of the plant", knocking(guard, part, Action.READ), times)
        asked("a machine's key", knocking(guard, gateways, Action.INGEST), times)
        asked("a token that may not", knocking(guard, whole, Action.MANAGE_ACCESS), times // 10)
        forged = [f"{token[:-4]}AAAA" for token in whole]
        asked("a forged token", knocking(guard, forged, Action.READ), times // 10)


if __name__ == "__main__":
    main()
