"""The stories of `test_bad_days.py` that are not about devices: clocks, disks, the way to the site, damaged files."""

import itertools
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from forewarn.domain.access import Role
from forewarn.kit.clock import HOUR
from tests.journeys.bad_days import Plant, State, Told, found_on, gather
from tests.journeys.bad_plant import (
    NAMED_S,
    OVER_S,
    START_S,
    ClockedSite,
    EdgeGateway,
    SmallDisk,
    findings_of,
    nothing_missing,
    until,
)
from tests.peers.certificates import Authority, Identity
from tests.peers.processes import Peer, free_port, python_peer


class Clock:
    """The site's clock is an hour behind, then an hour ahead, then right."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self.site = ClockedSite(plant.folder / "clocked", FOREWARN_FLUSH_INTERVAL_S="2")
        self.gateway = EdgeGateway(plant.folder, "gw-clock", self.site, plant.counting("p2"))
        self.told, self.offsets, self.offset_at_site = Told(), [], 0.0

    def story(self) -> "Clock":
        gateway, state, told = self.gateway, {("site", "clock_wrong")}, self.told
        self.site.apply(gateway.file)
        self.site.start()
        with self.site.credentials() as credentials:  # a person's token would be of the future, or over
            self.site.http.auth = credentials.machine("looker", role=Role.ADMIN)
        self._plant.machine("p2")
        gateway.start()
        until(lambda: gateway.status().get("ledger", {}).get("acknowledged", 0) > 20, "the first readings")
        for ahead in (-HOUR, HOUR):
            self.site.set_clock(ahead)
            until(lambda ahead_s=ahead / 1e6: abs(self._offset_s() - ahead_s) < 60, "the offset is measured", NAMED_S)
            self.offsets.append(self._offset_s())
            gather(told.page, state, NAMED_S, gateway.codes)
            if ahead < 0:
                gather(told.site, state, 15, gateway.codes_at_site)
                gather(told.found, state, 30, lambda: found_on(gateway, "p2", state))
                self.offset_at_site = gateway.at_site()["uplink"]["clock_offset_s"]
            time.sleep(2)
        self.site.set_clock(0)
        gather(told.over, state, OVER_S, lambda: state - gateway.codes())
        gather(told.over_at_site, state, 15, gateway.over_at_site)
        return self

    def _offset_s(self) -> float:
        return float(self.gateway.status().get("uplink", {}).get("clock_offset_s") or 0.0)


class Disk:
    """The disk is full, then its kernel finds it damaged and lets nobody write."""

    def __init__(self, plant: Plant, disk: SmallDisk) -> None:
        self._plant, self._disk = plant, disk
        place = str(disk.place / "gateway")
        self.gateway = EdgeGateway(plant.folder, "gw-disk", plant.site, plant.counting("p3"), directory=place)
        self.full, self.read_only = Told(), Told()

    def story(self) -> "Disk":
        gateway, names = self.gateway.start(), ("server", "plc", "broker")
        self._plant.machine("p3")
        until(lambda: gateway.connected(*names), "all connected", START_S)
        self._disk.refuse()
        self._bad("disk_read_only", self.read_only)
        gateway.end(signal.SIGKILL)
        self._disk.repair()
        gateway.start()
        until(lambda: gateway.connected(*names), "all connected again", START_S)
        state = {("broker", "disk_read_only")}
        gather(self.read_only.over, state, OVER_S, lambda: state - gateway.codes())
        gather(self.read_only.over_at_site, state, 15, gateway.over_at_site)
        self._disk.fill()
        self._bad("disk_full", self.full)
        self._disk.make_room()
        for name in names:
            gateway.goes_on(name)
        state = {("broker", "disk_full")}
        gather(self.full.over, state, OVER_S, lambda: state - gateway.codes())
        gather(self.full.over_at_site, state, 15, gateway.over_at_site)
        return self

    def _bad(self, code: str, told: Told) -> None:
        state = {("broker", code)}
        gather(told.page, state, NAMED_S, self.gateway.codes)
        gather(told.site, state, 15, self.gateway.codes_at_site)
        gather(told.found, state, 30, lambda: found_on(self.gateway, "p3", state))
        others = {each for _, each in self.gateway.codes()} - {code, "overrun"}
        told.seen = f"runs: {self.gateway.runs()}, {sorted(others)}"


class Uplink:
    """The certificate of the site's TLS front expires, then is one of another authority's; and the gateway's file is
    broken while it runs."""

    def __init__(self, plant: Plant) -> None:
        self._plant, folder = plant, plant.folder / "tls"
        self._ours, self._others = Authority(folder, "ours"), Authority(folder, "others")
        self._ca, self._port = folder / "trusted.pem", free_port()
        shutil.copy(self._ours.certificate, self._ca)
        self._good = self._ours.sign("front")
        self._old, self._new = self._ours.sign("old", days=-0.5), self._others.sign("new")
        url = f"https://127.0.0.1:{self._port}"
        self.gateway = EdgeGateway(
            plant.folder, "gw-uplink", plant.site, plant.counting("p4"), url=url, ca=str(self._ca)
        )
        self.told, self.file = Told(), Told()

    def _front(self, identity: Identity) -> Peer:
        files = (str(identity.certificate), str(identity.private_key))
        target = str(self._plant.site.port)
        return python_peer("tls_front.py", target, *files, port=self._port)

    def story(self) -> "Uplink":
        gateway, told = self.gateway, self.told
        self._plant.machine("p4")
        with self._front(self._good):
            gateway.start()
            until(lambda: gateway.status().get("ledger", {}).get("acknowledged", 0) > 20, "the first readings")
        for identity, code in ((self._old, "certificate_expired"), (self._new, "certificate_untrusted")):
            with self._front(identity):
                gather(told.page, {("site", code)}, NAMED_S, gateway.codes)
                until(lambda code=code: gateway.stood_s("site", code) > 11, f"{code} lasts, so that it is a finding")
                if code == "certificate_untrusted":
                    self._believe_new()
                    wanted = {("site", "certificate_expired"), ("site", "certificate_untrusted")}
                    gather(told.over_at_site, wanted, 90, gateway.over_at_site)
                    told.over = wanted - gateway.codes()
                    gather(told.found, wanted, 30, lambda w=wanted: found_on(gateway, "p4", w, ended=True))
                    self._break_the_file()
                    nothing_missing(gateway.site, "p4.published")
        return self

    def _believe_new(self) -> None:
        fresh = self._ca.with_suffix(".new")
        fresh.write_bytes(self._ours.certificate.read_bytes() + self._others.certificate.read_bytes())
        fresh.replace(self._ca)

    def _break_the_file(self) -> None:
        gateway, told, state = self.gateway, self.file, {("", "misconfigured")}
        whole = gateway.head + gateway.text
        gateway.reload(whole.replace("poll_interval_s = 0.5", 'poll_interval_s = "often"'))
        gather(told.page, state, NAMED_S, gateway.codes)
        gather(told.site, state, 15, gateway.codes_at_site)
        text = next((c["text"] for c in gateway.status()["conditions"] if c["code"] == "misconfigured"), "")
        gateway.goes_on("broker")
        gateway.reload(whole)
        gather(told.over, state, 20, lambda: state - gateway.codes())
        gather(told.over_at_site, state, 15, gateway.over_at_site)
        told.seen = text


FLAPS = 3  # what comes and goes is told so often an hour
# What surely loses something first, so that it is among those that are told.
HARMS = (
    "the raw log is no database any more",
    "the outbox is no database any more",
    "the raw log's journal is cut",
    "bytes of the outbox's journal are turned",
    "bytes of the raw log are turned",
    "bytes of the outbox are turned",
)
MORE_HARMS = (
    "the outbox's journal is cut",
    "the memory's journal is cut",
    "bytes of the raw log's journal are turned",
    "bytes of the memory are turned",
    "all of it at once",
)


class Damage:
    """Killed, and its files are not what they were when it starts again."""

    def __init__(self, plant: Plant, harms: Sequence[str]) -> None:
        self._plant, self._harms = plant, harms
        self.gateway = EdgeGateway(plant.folder, "gw-damage", plant.site, plant.counting("p5"))
        self.after: dict[str, tuple[set[State], set[State], str, int]] = {}

    def _harm(self, name: str) -> None:
        if name.startswith("all"):
            for each in (*HARMS, *MORE_HARMS[:-1]):
                if "no database" not in each:  # nothing of it would be left to harm
                    self._harm(each)
            return
        folder, pattern = next(place for words, place in _PLACES.items() if words in name)
        files = list((self.gateway.directory / folder).glob(pattern + ("-wal" if "journal" in name else "")))
        assert files, name
        for file in files:
            content = bytearray(file.read_bytes())
            if "no database" in name:  # nor is there a journal to heal it from
                file.with_name(file.name + "-wal").unlink(missing_ok=True)
                content[:100] = bytes(100)
            middle = len(content) // 2
            if "cut" in name:
                del content[-min(3_001, len(content)) :]
            elif "turned" in name:
                content[middle : middle + 64] = bytes(b ^ 0x5A for b in content[middle : middle + 64])
            file.write_bytes(content)

    def story(self) -> "Damage":
        """What its page says after each harm, and the ledger at the next kill."""
        gateway = self.gateway
        self._plant.machine("p5")
        gateway.start()
        for name in self._harms:
            until(lambda: gateway.connected("plc", "broker"), f"before {name}", START_S)
            time.sleep(1.5)
            gateway.end(signal.SIGKILL)
            self._harm(name)
            gateway.start()
            until(lambda: gateway.connected("plc", "broker"), f"after {name}", START_S)
            gateway.goes_on("plc")
            gateway.goes_on("broker")
            since = {("", c["code"]): c["since"] for c in gateway.status()["conditions"] if not c["subject"]}
            found: set[State] = set()
            if self._told_so_far() < FLAPS:
                gather(found, set(since), 60, lambda since=since: self._found(since))
            done = gateway.command("ledger")
            self.after[name] = set(since), found, done.stdout + done.stderr, done.returncode
        return self

    def _told_so_far(self) -> int:
        return sum(bool(found) for _, found, *_ in self.after.values())

    def _found(self, since: Mapping[State, int]) -> set[State]:
        """Those of which the site has a finding that began then, over or not."""
        return {
            state
            for state, at in since.items()
            for f in findings_of(self.gateway.site, state[1], "p5")
            if abs(datetime.fromisoformat(f["detected_at"]).timestamp() - at / 1e6) < 0.01
        }


_PLACES = {"raw log": ("raw", "*.db"), "outbox": ("outbox", "outbox.db"), "memory": ("", "gateway.db")}


class Slowly:
    """States that take minutes: a device's clock that is behind, and a gateway that begins an hour behind."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._machine, self._own = plant.folder / "machine.clock", plant.folder / "own.clock"
        self.gateway = EdgeGateway(plant.folder, "gw-slow", plant.site, plant.counting("p6"))
        self.gateway.environment["FOREWARN_DRILL_CLOCK"] = str(self._own)
        self.device, self.own = Told(), Told()

    def story(self) -> "Slowly":
        gateway = self.gateway
        self._machine.write_text("-3600")
        self._plant.machine("p6", str(self._machine))
        gateway.start()
        self._told({("broker", "clock_wrong")}, self.device, lambda: self._machine.write_text("0"))
        gateway.end(signal.SIGTERM)
        self._own.write_text(str(-HOUR))
        gateway.start()
        self._told({("site", "clock_wrong"), ("server", "clock_wrong")}, self.own, lambda: self._own.write_text("0"))
        return self

    def _told(self, states: set[State], told: Told, mend: Callable[[], object]) -> None:
        gateway = self.gateway
        gather(told.page, states, OVER_S, gateway.codes)
        gather(told.site, states, 15, gateway.codes_at_site)
        gather(told.found, states, 30, lambda: found_on(gateway, "p6", states))
        before = {c["since"] for c in gateway.status()["conditions"] if c["code"] == "clock_wrong"}
        time.sleep(70)
        after = {c["since"] for c in gateway.status()["conditions"] if c["code"] == "clock_wrong"}
        told.seen = "one state" if before == after else f"{before} became {after}"
        mend()
        gather(told.over, states, OVER_S, lambda: states - gateway.codes())
        gather(told.over_at_site, states, 15, gateway.over_at_site)


def still_sound(damage: Damage, harm: str) -> None:
    codes, found, ledger, status = damage.after[harm]
    lost = {("", "buffer_damaged")}
    assert codes == lost if "no database" in harm else codes <= lost, "on the gateway's own page"
    before = itertools.takewhile(lambda each: each != harm, damage.after)
    is_told = sum(bool(damage.after[each][1]) for each in before) < FLAPS
    assert found == (codes if is_told else set()), "a finding"
    assert status == 0, ledger
