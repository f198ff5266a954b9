"""`forewarn models rollout show`: who acts on a machine."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forewarn.app import terminal
from forewarn.app.cli import app
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.model_delivery import Side, Tally
from forewarn.domain.model_versions import ModelCard, ModelVersion
from forewarn.domain.rollouts import RollbackReason, Rollout
from forewarn.kit.clock import now_us
from forewarn.policies.model_artifact import pack
from forewarn.policies.model_signature import content_id, sign
from forewarn.policies.rollout import begin, roll_back
from tests.catalog.plants import plant
from tests.jobs.training.run_here import SITE

DEED = Deed(AuditAction.MODEL_CHANGED, "anna", "a model")


def test_who_acts_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.console, "_width", 200)
    with open_site_catalog(Settings(directory=tmp_path)) as catalog:
        catalog.plant.apply(plant("p1", "p2"), ())
        models = catalog.models

        def add(asset_id: str, number: int) -> str:
            payload = pack({"asset": asset_id, "number": number}, {"mean": np.arange(3.0)})
            about = ModelVersion(content_id(payload), asset_id, "", ("pca",), number, ModelCard((), 9, ("s",)), "", 0)
            return models.add(about, sign(payload, SITE)).id

        def promote(version: str) -> None:
            models.promote(version, lambda _before, _after: DEED)

        def told(rollout_id: str = "r1") -> list[str]:
            arguments = ["models", "rollout", "show", rollout_id, "--directory", str(tmp_path)]
            shown = CliRunner().invoke(app, arguments).output
            return [line.split("│")[-2].strip() for line in shown.splitlines() if line[2:5] in ("p1 ", "p2 ")]

        def roll_back_at(rollout_id: str, at: int) -> None:
            back = roll_back(models.rollout(rollout_id), RollbackReason.BY_HAND, "late", at)
            models.change_rollout(rollout_id, lambda _rollout: back, lambda _before, _after: DEED)

        promote(add("p1", 1))
        new = {asset_id: add(asset_id, 2) for asset_id in ("p1", "p2")}
        models.start(Rollout("r1", new, 1, since=1), DEED)
        models.change_rollout("r1", lambda r: begin(r, 9), lambda _before, _after: DEED)
        assert told() == ["the champion", "nobody yet"]
        short = Tally("r1", 9, Side.CHALLENGER, 1, asset_s=5e-324, alarms=1)
        catalog.observations.keep("gw", [short])
        listed = CliRunner().invoke(app, ["models", "rollout", "list", "--directory", str(tmp_path)])
        assert "alarms an asset-week: none yet (champion: none yet)" in listed.output
        roll_back_at("r1", now_us())
        promote(new["p2"])
        assert told() == ["the champion", "the new one"]
        models.start(Rollout("r2", {"p1": add("p1", 3)}, 1, since=1), DEED)
        roll_back_at("r2", 10)  # long before the present champion was one
        assert told("r2") == ["another one"]
