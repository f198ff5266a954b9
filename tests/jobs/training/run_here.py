"""A process that trains the small plant of a directory, for a test to kill: `python -m tests.jobs.training.run_here
DIRECTORY JOB WORKERS [shared]`. A line a machine that was told, and one for each step of the pass before it."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.gateway.signing import Signer
from forewarn.jobs.training.kept_parts import KeptParts
from forewarn.jobs.training.lesson import TrainingSettings
from forewarn.jobs.training.run import TrainingRuns
from forewarn.jobs.training.template_pass import Phase
from forewarn.jobs.training.train import Trainer
from forewarn.jobs.training.workers import Workers
from forewarn.kit.clock import HOUR, now_us
from forewarn.plugins.historians.parquet import ParquetReader
from forewarn.plugins.trained_detectors.lstm_autoencoder import LstmAutoencoder
from tests.jobs.training.a_past import START
from tests.learning.test_fleet import DETECTORS

SITE = Signer(Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
END = START + 3 * HOUR
# Small and quick; what it costs to train is what makes it worth sharing.
SHARING: Mapping[str, TrainedDetector] = {
    "robust_z": DETECTORS["robust_z"],
    "lstm_autoencoder": LstmAutoencoder(steps=8, units=8, fill=2, epochs=3, batch=64, most_windows=1024),
}


@contextmanager
def runs(
    directory: Path,
    owner: str,
    workers: Workers | None = None,
    detectors: Mapping[str, TrainedDetector] = DETECTORS,
) -> Iterator[tuple[Catalog, TrainingRuns]]:
    """A lease of two seconds, by the real clock."""
    reader = ParquetReader(directory / "historian")
    url = f"sqlite:///{directory / 'catalog.db'}"
    try:
        with open_catalog(url, now_us, Seal(b"0" * 32), directory / "models") as catalog:
            settings = TrainingSettings(margin_s=600.0, most_rows=4_000)
            trainer = Trainer(
                reader, CatalogPlantView(catalog.plant), catalog.anomalies, detectors, lambda: END, settings
            )
            made = TrainingRuns(trainer, catalog.jobs, catalog.models, SITE, now_us, workers or Workers(), owner, 2.0)
            yield catalog, replace(made, parts=KeptParts(directory / "training"))
    finally:
        reader.close()


def said(phase: Phase) -> None:
    print("phase", phase.words.replace(" ", "_") or phase.what, flush=True)


if __name__ == "__main__":
    chosen = SHARING if "shared" in sys.argv else DETECTORS
    with runs(Path(sys.argv[1]), "killed", Workers(int(sys.argv[3])), chosen) as (_, here):
        here.run(sys.argv[2], lambda item: print(item.asset_id, item.state.value, flush=True), told=said)
