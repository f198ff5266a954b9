"""`forewarn train` and `forewarn models` over a site's directory, and the site's own desk beside it."""

import asyncio
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from forewarn.app import site_training, terminal
from forewarn.app.cli import app
from forewarn.app.settings import Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_rollouts import rollout_desk
from forewarn.app.site_training import TrainingDesk, model_signer, training_beside
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.contracts.audit_log import AuditQuery
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.evidence import Evidence
from forewarn.domain.findings import ENSEMBLE, Feedback, Finding, Severity, Verdict
from forewarn.domain.jobs import JobState
from forewarn.domain.model_delivery import Side, Tally
from forewarn.jobs.training.run import training_job
from forewarn.kit.clock import HOUR, now_us
from forewarn.policies.model_signature import open_signed
from tests.jobs.training.a_past import fill
from tests.jobs.training.run_here import SHARING


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    fill(made, "p1", "p2", hours=2, start=now_us() // HOUR * HOUR - 2 * HOUR)
    return made


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--directory", str(directory)])


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no terminal is 80 columns wide, and long words are wrapped."""
    monkeypatch.setattr(terminal.console, "_width", 200)


def test_without_machines_it_says_how_to_name_them(directory: Path, tmp_path: Path) -> None:
    refused = run(directory, "train")
    assert (refused.exit_code, "forewarn train --all" in refused.output) == (1, True)
    unknown = run(directory, "train", "p9")
    assert (unknown.exit_code, "there is no asset 'p9'" in unknown.output) == (1, True)
    nowhere = run(tmp_path, "train", "p1")
    assert (nowhere.exit_code, "there is no catalog" in nowhere.output) == (1, True)
    assert "No model yet" in run(directory, "models", "list").output


def test_trained_shown_promoted_and_rolled_back(directory: Path) -> None:
    done = run(directory, "train", "--all", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert done.output.count("champion: the first of this machine") == 2
    later = run(directory, "train", "p1", "--days", "0.08")
    assert "candidate beside champion" in later.output

    listed = run(directory, "models", "list").output
    first = re.search(r"p1\s+│ ([0-9a-f]{12})", listed)
    second = re.search(r"([0-9a-f]{12}) \(candidate\)", listed)
    assert first, listed
    assert second, listed
    card = run(directory, "models", "show", second[1][:8]).output
    assert f"beside the champion {first[1]}" in card
    assert "of p1, a candidate: it waits for a rollout or a person" in card
    assert re.search(r"\nthreshold: \d+\.\d{3} now, \d+\.\d{3} as it was learned; findings judged: 0\n", card), card
    judged(directory, first[1])
    card = run(directory, "models", "show", first[1]).output
    assert "findings judged: 1" in card
    assert re.search(r"last word, of 2026-01-01 00:00 UTC: wrong, by anna: from \d+\.\d{3} to \d+\.\d{3}\n", card), card
    assert "the next training: the machine's page, or GET /api/v1/assets/p1/model" in card

    assert run(directory, "models", "promote", second[1], "--reason", "newer").exit_code == 0
    again = run(directory, "models", "promote", second[1], "--reason", "newer")
    assert (again.exit_code, "is the champion of p1 already" in again.output) == (1, True)
    back = run(directory, "models", "rollback", "p1", "--reason", "too loud").output
    assert f"{first[1]} acts again" in back
    with open_site_catalog(Settings(directory=directory)) as catalog:
        deeds = catalog.audit.find(AuditQuery(actions=(AuditAction.MODEL_CHANGED,)))
        assert [entry.deed.why for entry in deeds[:2]] == ["too loud", "newer"]
        artifact = catalog.models.artifact(catalog.models.champions()["p1"].id)
    assert open_signed(artifact, {model_signer(Settings(directory=directory)).public_key})
    card = run(directory, "models", "show", second[1]).output
    assert "of p1, rolled back: it neither acts nor is tried" in card
    assert "as it was learned" not in card  # it judges nothing


def judged(directory: Path, model: str) -> None:
    """Somebody marked a finding of the machine's model wrong."""
    at = 1_767_225_600_000_000
    evidence = Evidence(1.4, 1.3, 0, 1, at, at, model=model)
    with open_site_catalog(Settings(directory=directory)) as catalog:
        signal = catalog.plant.signals("p1")[0]
        found = Finding(
            signal.key, signal.id, "p1", ENSEMBLE, "x", Severity.HIGH, 0.9, 1.0, 1.0, "", at, at, at, evidence=evidence
        )
        catalog.anomalies.upsert([found])
        (anomaly,) = catalog.anomalies.find(AnomalyQuery(asset_id="p1"))[0]
        catalog.anomalies.give_feedback(anomaly.id, Feedback(Verdict.WRONG, "", "anna", at))


@pytest.mark.parametrize("command", ["promote", "rollback", "rollout stop"])
@pytest.mark.parametrize("reason", ["", "  ", "\u200b", "to \x1b[31mloud"])
def test_a_reason_says_something(directory: Path, command: str, reason: str) -> None:
    refused = run(directory, "models", *command.split(), "p1", "--reason", reason)
    assert (refused.exit_code, "--reason" in refused.output, "\x1b[31m" in refused.output) == (2, True, False)


def test_nothing_that_is_told_commands_the_terminal(directory: Path) -> None:
    refused = run(directory, "models", "rollout", "start", "pump-104\x1b[31m")
    assert (refused.exit_code, "there is no asset 'pump-104\\x1b[31m'" in refused.output) == (1, True), refused.output
    for command in ("show", "promote", "rollback"):
        more = [] if command == "show" else ["--reason", "loud"]
        refused = run(directory, "models", command, "pump-104\x1b[31m", *more)
        assert (refused.exit_code, "\x1b" in refused.output) == (1, False), refused.output


def test_a_rollout_is_started_listed_and_stopped(directory: Path) -> None:
    none = run(directory, "models", "rollout", "start", "p2")
    assert (none.exit_code, "no candidate of p2" in none.output) == (1, True)
    none = run(directory, "models", "rollout", "start", "p2", "nosuch")
    assert (none.exit_code, "there is no asset 'nosuch'" in none.output) == (1, True)
    assert run(directory, "train", "p2", "--days", "0.07").exit_code == 0
    begun = run(directory, "models", "rollout", "start", "p2").output
    rollout = begun.split()[1].rstrip(":")
    listed = run(directory, "models", "rollout", "list").output
    assert "1 machine  shadow" in listed
    assert re.search(r"canary not before \d{4}-\d\d-\d\d \d\d:\d\d UTC \(0%, 0 of 3,600 rows\)", listed), listed
    assert "Nothing was told of it yet" in run(directory, "models", "rollout", "show", rollout).output
    told_of(directory, rollout)
    rates = "alarms an asset-week: 7.00 (champion: 14.00, 70.00 are within bounds)"
    assert rates in run(directory, "models", "rollout", "list").output
    shown = run(directory, "models", "rollout", "show", rollout).output
    for row in (
        r"with an opinion\s+│ 75.00%\s+│ 75.00%\s+│ from 37.50%",
        r"alarms\s+│ 1\s+│ 2\s+│ to 10",
        r"alarms an asset-week\s+│ 7.00\s+│ 14.00\s+│ to 70.00",
        r"p2\s+│ [0-9a-f]{12} │ [0-9a-f]{12} │ the champion",
    ):
        assert re.search(row, shown), shown
    none = run(directory, "models", "rollout", "show", "nobody")
    assert (none.exit_code, "there is no rollout 'nobody'" in none.output) == (1, True)
    assert run(directory, "models", "rollout", "stop", rollout, "--reason", "no time").exit_code == 0
    assert "rolled back for 0 min, by hand: no time" in run(directory, "models", "rollout", "list").output
    assert "Nothing was told" not in run(directory, "models", "rollout", "show", rollout).output
    again = run(directory, "models", "rollout", "stop", rollout, "--reason", "no time")
    assert (again.exit_code, f"rollout {rollout} was rolled back already: no time" in again.output) == (1, True)
    with open_site_catalog(Settings(directory=directory)) as catalog:
        deeds = catalog.audit.find(AuditQuery(actions=(AuditAction.MODEL_CHANGED,)))
    assert [(entry.deed.after, entry.deed.why) for entry in deeds[:2]] == [
        ({"state": "rolled_back"}, "no time"),
        ({"state": "shadow"}, ""),
    ]


def test_a_reason_of_an_older_forewarn_is_told_on_one_line_and_escaped(directory: Path) -> None:
    assert run(directory, "train", "p2", "--days", "0.065").exit_code == 0
    rollout = run(directory, "models", "rollout", "start", "p2").output.split()[1].rstrip(":")
    settings, deed = Settings(directory=directory), Deed(AuditAction.MODEL_CHANGED, "anna", "a rollout")
    with open_site_catalog(settings) as catalog:
        rollout_desk(settings, catalog).roll_back(rollout, "to\n\x1b[2Jloud", lambda _before, _after: deed)
    for command in (["list"], ["show", rollout]):
        assert "by hand: to\\n\\x1b[2Jloud" in run(directory, "models", "rollout", *command).output


def told_of(directory: Path, rollout_id: str) -> None:
    """A gateway judged both sides for a day."""
    with open_site_catalog(Settings(directory=directory)) as catalog:
        since = catalog.models.rollout(rollout_id).since
        told = [
            Tally(rollout_id, since, side, 1, 86_400.0, 4_000, 3_000, alarms, 1_000)
            for side, alarms in ((Side.CHALLENGER, 1), (Side.CHAMPION, 2))
        ]
        catalog.observations.keep("gw", told)


def test_what_a_template_shares_has_bars_of_its_own_and_stands_on_the_card(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_training, "members", lambda names: dict(SHARING))
    told = run(directory, "train", "--all", "--workers", "1", "--no-promote").output
    assert "centrifugal_pump: machines read" in told
    assert "centrifugal_pump: networks" in told
    with open_site_catalog(Settings(directory=directory)) as catalog:
        found = next(m for m in catalog.models.find(asset_id="p1") if "lstm_autoencoder" in m.detectors)
    card = run(directory, "models", "show", found.id).output
    assert "shared with its template centrifugal_pump: the network of lstm_autoencoder, learned from 2 machines" in card


def test_what_a_command_left_the_next_one_finishes(directory: Path) -> None:
    with open_site_catalog(Settings(directory=directory)) as catalog:
        job = catalog.jobs.add(training_job(["p1"], "anna", now_us(), 0.06))
    went_on = run(directory, "train")
    assert f"Going on with job {job.id}, 0 of 1 done" in went_on.output
    assert went_on.exit_code == 0


async def test_the_sites_desk_does_what_it_is_asked_for_and_stops(directory: Path) -> None:
    settings = Settings(directory=directory)
    with open_site_catalog(settings) as catalog, training_beside(settings, catalog, 1) as (runs, _):
        desk = TrainingDesk(runs)
        running = asyncio.create_task(desk.run())
        await asyncio.sleep(0.05)
        job = catalog.jobs.add(training_job(["p1", "p2"], "anna", now_us(), 0.05))
        desk.look()
        for _ in range(1_200):
            if catalog.jobs.get(job.id).ended_at is not None:
                break
            await asyncio.sleep(0.05)
        assert catalog.jobs.get(job.id).state is JobState.DONE
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
