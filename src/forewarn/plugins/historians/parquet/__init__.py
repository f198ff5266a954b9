"""Historian on local disk: sorted Parquet files, no server."""

from forewarn.plugins.historians.parquet.historian import ParquetHistorian
from forewarn.plugins.historians.parquet.reader import ParquetReader

HISTORIAN = ParquetHistorian

__all__ = ["HISTORIAN", "ParquetHistorian", "ParquetReader"]
