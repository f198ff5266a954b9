"""Bad days of a gateway: whatever is wrong with devices, certificates, clocks, disks and files has its name on the
gateway's own page, at the site and among the site's findings; it ends when the cause does, and nothing is missing.

The stories run beside each other, for a state is told for a minute after it was last seen."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.bad_days import DEVICES, FINDINGS, Devices, Plant, Told, named_and_over
from tests.journeys.bad_plant import EdgeGateway, SmallDisk, good_values, nothing_missing, points
from tests.journeys.mounting import has_disk, needs_disk
from tests.journeys.worse_days import HARMS, Clock, Damage, Disk, Uplink, still_sound

# Everything waits for stories that take a minute and a half, and more where many others share the machine.
pytestmark = pytest.mark.timeout(900)


class Days:
    """Each story's outcome, once it is told to its end."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.plant = plant = Plant(folder, running)
        self.devices, self.clock = Devices(plant), Clock(plant)
        self.uplink, self.damage = Uplink(plant), Damage(plant, HARMS)
        self.disk = Disk(plant, running.enter_context(SmallDisk(folder))) if has_disk else None
        told: list[Any] = [each for each in (self.devices, self.uplink, self.damage, self.disk) if each is not None]
        files = [str(each.gateway.file) for each in told]
        done = plant.site.run("apply", *files, "--directory", str(plant.site.directory), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        running.callback(plant.site.stop)
        running.callback(self.clock.site.stop)
        plant.site.start()
        self.devices.break_them()
        stories = [*told, self.clock]
        threads = running.enter_context(ThreadPoolExecutor(len(stories)))
        for each in stories:
            running.callback(each.gateway.end, 9)
        self._told: dict[int, Future[Any]] = {id(each): threads.submit(each.story) for each in stories}

    def of(self, story: Any) -> Any:
        return self._told[id(story)].result()


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    with ExitStack() as running:
        yield Days(tmp_path_factory.mktemp("bad-days"), running)


@pytest.mark.parametrize("what", DEVICES)
def test_what_is_wrong_with_a_device_has_its_name_until_it_is_mended(days: Days, what: str) -> None:
    told, state = days.of(days.devices), DEVICES[what]
    named_and_over(told, state)
    assert state[1].replace("_", " ").capitalize() in told.seen, "in the browser"
    assert not FINDINGS or state in told.found, "a finding"
    assert not FINDINGS or state in told.found_over, "the finding is over"


def test_one_bad_device_costs_the_others_nothing(days: Days) -> None:
    days.of(days.devices)
    for signal_id in ("p1.recorded", "p1.published"):
        nothing_missing(days.plant.site, signal_id)


@pytest.mark.parametrize("signal_id", ["odd.late", "odd.text", "odd.list", "odd.nan", "ahead.clock"])
def test_a_signal_that_was_mended_brings_numbers(days: Days, signal_id: str) -> None:
    days.of(days.devices)
    assert len(good_values(days.plant.site, signal_id)) > 10


def test_what_was_no_number_is_kept_as_bad(days: Days) -> None:
    days.of(days.devices)
    for signal_id in ("odd.late", "odd.text", "odd.list", "odd.nan"):
        first = points(days.plant.site, signal_id)[0]
        assert first["quality"] >= 0x8000_0000, signal_id
        assert first["value"] is None, signal_id


def test_a_site_whose_clock_is_an_hour_wrong_costs_nothing(days: Days) -> None:
    clock: Clock = days.of(days.clock)
    named_and_over(clock.told, ("site", "clock_wrong"))
    assert [round(offset / 3600, 1) for offset in (*clock.offsets, clock.offset_at_site)] == [-1, 1, -1]
    for signal_id in ("p2.recorded", "p2.published"):
        nothing_missing(clock.site, signal_id)
    assert not FINDINGS or ("site", "clock_wrong") in clock.told.found
    ledger = clock.gateway.status()["ledger"]
    assert (ledger["refused"], ledger["rejected"]) == (0, 0)


@needs_disk
@pytest.mark.parametrize("kind", ["full", "read_only"])
def test_a_disk_that_takes_nothing_is_named_and_waited_for(days: Days, kind: str) -> None:
    disk: Disk = days.of(days.disk)
    told: Told = getattr(disk, kind)
    named_and_over(told, ("broker", f"disk_{kind}"))
    assert told.seen == "runs: True, []", "it runs, and calls it by no other name"
    assert not FINDINGS or ("broker", f"disk_{kind}") in told.found


@needs_disk
def test_what_the_devices_kept_while_the_disk_took_nothing_is_at_the_site(days: Days) -> None:
    days.of(days.disk)
    for signal_id in ("p3.recorded", "p3.published"):
        nothing_missing(days.plant.site, signal_id)


@pytest.mark.parametrize("code", ["certificate_expired", "certificate_untrusted"])
def test_the_site_s_own_certificate(days: Days, code: str) -> None:
    uplink: Uplink = days.of(days.uplink)
    state = ("site", code)
    assert state in uplink.told.page
    assert not FINDINGS or state in uplink.told.found, "a finding, told once the site was back"
    assert state in uplink.told.over
    assert state in uplink.told.over_at_site


def test_a_broken_file_read_again_changes_nothing_but_is_told(days: Days) -> None:
    uplink: Uplink = days.of(days.uplink)
    named_and_over(uplink.file, ("", "misconfigured"))
    line = (
        uplink.gateway.file.read_text()
        .splitlines()
        .index(next(line for line in uplink.gateway.file.read_text().splitlines() if "poll_interval_s" in line))
    )
    assert f"{uplink.gateway.file}:{line + 1}: " in uplink.file.seen
    assert "poll_interval_s" in uplink.file.seen


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_is_told_and_collecting_goes_on(days: Days, harm: str) -> None:
    damage: Damage = days.of(days.damage)
    still_sound(damage, harm)


MISTAKES = {
    'name = "gw-lines"': ("name = 7", "name"),
    "thin = { method": ("thin = { methods", "methods"),
    "timeout_s = 2": ("timeout_s = -2", "timeout_s"),
    "poll_interval_s = 0.5": ('poll_interval_s = "often"', "poll_interval_s"),
    'address = "holding:7:uint16"': ('adress = "holding:7:uint16"', "adress"),
    'source = "broker"': ('source = "brokers"', "brokers"),
}


def test_each_bad_line_of_a_file_is_named_with_file_line_and_reason(tmp_path: Path) -> None:
    with ExitStack() as running:
        plant = Plant(tmp_path, running)
        gateway = EdgeGateway(tmp_path, "gw-lines", plant.site, plant.counting("p7"))
    text = gateway.file.read_text()
    for right, (wrong, _) in MISTAKES.items():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    gateway.file.write_text(text)
    done = gateway.command()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said
    for wrong, reason in MISTAKES.values():
        line = next(n for n, line in enumerate(text.splitlines(), 1) if wrong in line)
        told = [each for each in said.splitlines() if f"{gateway.file}:{line}: " in each]
        assert any(reason in each for each in told), (wrong, said)
