"""What a starting site says of settings that let it run and yet do not do what was meant."""

from pathlib import Path

from tests.app.test_cli import GOOD_PLANT
from tests.site_process import SiteProcess


def start_and_stop(site: SiteProcess) -> str:
    site.start()
    assert site.stop() == 0
    return site.log.read_text()


def test_a_pump_asset_that_is_none_and_an_empty_plant_are_told(tmp_path: Path) -> None:
    said = start_and_stop(SiteProcess(tmp_path / "site", FOREWARN_PUMP_ASSET="p9"))
    assert "plant_is_empty" in said
    assert f"forewarn apply plant.toml --directory {tmp_path / 'site'}" in said
    assert "pump_asset_unknown" in said
    assert "add 'p9' to the plant file, or set FOREWARN_PUMP_ASSET" in said


def test_a_site_in_order_says_only_that_it_is_ready(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(GOOD_PLANT)
    site = SiteProcess(tmp_path / "site", FOREWARN_PUMP_ASSET="p1")
    site.apply(tmp_path / "plant.toml")
    lines = start_and_stop(site).splitlines()
    assert ["site_ready" in line for line in lines] == [True], lines
