"""A process that trains the small plant of a directory, for a test to kill: `python -m tests.jobs.training.run_here
DIRECTORY JOB WORKERS`. A line a machine that was told."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Catalog, Seal, open_catalog
from forewarn.gateway.signing import Signer
from forewarn.jobs.training.lesson import TrainingSettings
from forewarn.jobs.training.run import TrainingRuns
from forewarn.jobs.training.train import Trainer
from forewarn.jobs.training.workers import Workers
from forewarn.kit.clock import HOUR, now_us
from forewarn.plugins.historians.parquet import ParquetReader
from tests.jobs.training.a_past import START
from tests.learning.test_fleet import DETECTORS

SITE = Signer(Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32))
END = START + 3 * HOUR


@contextmanager
def runs(directory: Path, owner: str, workers: Workers | None = None) -> Iterator[tuple[Catalog, TrainingRuns]]:
    """A lease of two seconds, by the real clock."""
    reader = ParquetReader(directory / "historian")
    url = f"sqlite:///{directory / 'catalog.db'}"
    try:
        with open_catalog(url, now_us, Seal(b"0" * 32), directory / "models") as catalog:
            settings = TrainingSettings(margin_s=600.0, most_rows=4_000)
            trainer = Trainer(
                reader, CatalogPlantView(catalog.plant), catalog.anomalies, DETECTORS, lambda: END, settings
            )
            yield (
                catalog,
                TrainingRuns(
                    trainer, catalog.jobs, catalog.models, SITE, now_us, workers or Workers(), owner, lease_s=2.0
                ),
            )
    finally:
        reader.close()


if __name__ == "__main__":
    with runs(Path(sys.argv[1]), "killed", Workers(int(sys.argv[3]))) as (_, here):
        here.run(sys.argv[2], lambda item: print(item.asset_id, item.state.value, flush=True))
