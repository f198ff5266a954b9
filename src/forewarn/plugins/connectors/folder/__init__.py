"""A folder that machines drop CSV and Parquet files into."""

from typing import Final

from forewarn.plugins.connectors.folder.connector import FolderConnector

CONNECTOR: Final = FolderConnector()
