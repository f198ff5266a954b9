"""Writes the test's readings for ever, says how far it got, and waits to be killed: `python killed_writer.py DIR`."""

import sys
from pathlib import Path

from forewarn.plugins.historians.parquet import ParquetHistorian
from tests.plugins.historians.parquet.test_durability import batch_of


def main() -> None:
    store = ParquetHistorian(Path(sys.argv[1]), flush_readings=2000, flush_interval_s=3600, grace_s=0.0)
    offset = store.watermark
    while True:
        offset += 1
        store.append([(offset, batch_of(offset))])
        sys.stdout.write(f"{store.watermark}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
